#include "convert/field_path.h"

#include "base/quote.h"
#include "names/label_name.h"

namespace weir::convert {

std::optional<std::string> logql_path(std::string_view jmes_path) {
  std::string out;
  std::size_t at = 0;
  const auto ends = [&] { return at >= jmes_path.size(); };
  while (at < jmes_path.size() && jmes_path[at] == ' ') ++at;
  while (jmes_path.ends_with(' ')) jmes_path.remove_suffix(1);
  bool name_next = true;
  while (!ends()) {
    const char c = jmes_path[at];
    if (name_next && c == '"') {
      std::string name;
      for (++at; !ends() && jmes_path[at] != '"'; ++at) {
        if (jmes_path[at] == '\\') {
          if (++at >= jmes_path.size() || (jmes_path[at] != '"' && jmes_path[at] != '\\')) return std::nullopt;
        }
        name += jmes_path[at];
      }
      if (ends()) return std::nullopt;
      ++at;
      if (name.empty()) return std::nullopt;
      out.append("[").append(base::quoted(name)).append("]");
      name_next = false;
    } else if (name_next && names::is_name_byte(c) && (c < '0' || c > '9')) {
      if (!out.empty()) out += '.';
      while (!ends() && names::is_name_byte(jmes_path[at])) out += jmes_path[at++];
      name_next = false;
    } else if (!name_next && c == '.') {
      ++at;
      name_next = true;
    } else if (!name_next && c == '[') {
      const std::size_t begin = ++at;
      while (!ends() && jmes_path[at] >= '0' && jmes_path[at] <= '9') ++at;
      if (ends() || jmes_path[at] != ']' || at == begin || at - begin > 6) return std::nullopt;
      out.append("[").append(jmes_path.substr(begin, at - begin)).append("]");
      ++at;
    } else {
      return std::nullopt;
    }
  }
  if (name_next || out.empty()) return std::nullopt;
  return out;
}

}  // namespace weir::convert
