#include "serve/valid_text.h"

#include "record/json.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <utility>

namespace weir::serve {
namespace {

constexpr std::size_t kEscape = 6;  // characters of \uXXXX

// \uD8XX to \uDBXX begin a pair, \uDCXX to \uDFXX end one.
bool is_surrogate(std::string_view escape, std::string_view third) {
  return escape.size() >= kEscape && escape[0] == '\\' && escape[1] == 'u' && (escape[2] == 'd' || escape[2] == 'D') &&
         third.find(escape[3]) != std::string_view::npos;
}
bool is_high(std::string_view escape) { return is_surrogate(escape, "89abAB"); }
bool is_low(std::string_view escape) { return is_surrogate(escape, "cdefCDEF"); }

}  // namespace

void replace_lone_surrogates(std::string& json) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::size_t kept = 0;  // bytes before `from` have found their place
  std::size_t from = 0;
  const auto keep_until = [&](std::size_t end) {
    if (kept != from) std::memmove(json.data() + kept, json.data() + from, end - from);
    kept += end - from;
    from = end;
  };
  for (std::size_t at = json.find('\\'); at != std::string::npos; at = json.find('\\', at)) {
    const std::string_view rest = std::string_view(json).substr(at);
    if (is_high(rest) && is_low(rest.substr(kEscape))) {
      at += 2 * kEscape;
    } else if (is_high(rest) || is_low(rest)) {
      keep_until(at);
      std::memcpy(json.data() + kept, kReplacement.data(), kReplacement.size());
      kept += kReplacement.size();
      at += kEscape;
      from = at;
    } else {
      at += 2;  // of an escape, which may be of a backslash
    }
  }
  if (from == 0) return;
  keep_until(json.size());
  json.resize(kept);
}

void append_html_safe_string(std::string& out, std::string_view text) {
  const std::size_t begin = out.size();
  record::append_json_string(out, text);
  constexpr std::string_view kFirstBytes = "<>&\xe2";
  if (out.find_first_of(kFirstBytes, begin) == std::string::npos) return;
  const std::string plain = out.substr(begin);
  out.resize(begin);
  std::size_t from = 0;
  for (std::size_t at = 0; (at = plain.find_first_of(kFirstBytes, at)) != std::string::npos;) {
    constexpr std::pair<std::string_view, std::string_view> kEscapes[] = {
        {"<", "\\u003c"}, {">", "\\u003e"}, {"&", "\\u0026"}, {"\xe2\x80\xa8", "\\u2028"}, {"\xe2\x80\xa9", "\\u2029"}};
    const auto* const found = std::ranges::find_if(
        kEscapes, [rest = std::string_view(plain).substr(at)](const auto& one) { return rest.starts_with(one.first); });
    if (found == std::end(kEscapes)) {
      ++at;
      continue;
    }
    out.append(plain, from, at - from);
    out += found->second;
    at += found->first.size();
    from = at;
  }
  out.append(plain, from);
}

}  // namespace weir::serve
