#include "httpd/message.h"

#include "base/percent.h"

#include <strings.h>

namespace weir::httpd {

std::string_view Request::header(std::string_view name) const {
  for (const auto& [one, value] : headers)
    if (one.size() == name.size() && ::strncasecmp(one.data(), name.data(), name.size()) == 0) return value;
  return {};
}

std::optional<std::string> Request::parameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto decoded = [](std::string_view text) {
      std::string plain(text);
      for (char& c : plain) c = c == '+' ? ' ' : c;
      return base::percent_decode(plain);
    };
    if (decoded(pair.substr(0, equals)) == name) return decoded(pair.substr(std::min(equals + 1, pair.size())));
  }
  return std::nullopt;
}

}  // namespace weir::httpd
