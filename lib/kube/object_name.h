// What a name of an object of Kubernetes looks like, and how a value stands in a field selector.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace weir::kube {

inline constexpr std::size_t kLongestLabel = 63, kLongestSubdomain = 253;

[[nodiscard]] constexpr bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// A DNS label (RFC 1123), as a namespace has it.
[[nodiscard]] inline bool is_dns_label(std::string_view text) {
  return !text.empty() && text.size() <= kLongestLabel && is_lower_or_digit(text.front()) && is_lower_or_digit(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

// A DNS subdomain (RFC 1123), as nodes and ConfigMaps have it: parts with dots between them, each of which begins and ends with a
// letter or digit.
[[nodiscard]] inline bool is_dns_subdomain(std::string_view text) {
  if (text.size() > kLongestSubdomain) return false;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    const bool good = !part.empty() && is_lower_or_digit(part.front()) && is_lower_or_digit(part.back()) &&
                      std::ranges::all_of(part, [](char c) { return is_lower_or_digit(c) || c == '-'; });
    if (!good) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

// As a value of a field selector: a comma would begin another term.
[[nodiscard]] inline std::string field_value(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == ',' || c == '=') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace weir::kube
