// What Loki takes for the name of a label, what it makes of names of structured metadata, and the names that no query can use.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace weir::names {

// Bytes of [a-zA-Z0-9_].
[[nodiscard]] constexpr bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
// [a-zA-Z_][a-zA-Z0-9_]*
[[nodiscard]] bool is_label_name(std::string_view name);

// How the name of metadata begins that Loki takes in no form.
inline constexpr std::string_view kUnnamed = "weir_unnamed";

// A name of structured metadata as Loki makes it: everything outside [A-Za-z0-9_] becomes `_`, runs of `_` one, `key_` in front
// of a digit; `__x__` stays. Loki answers 500 to a name with nothing but underscores, for the whole request; such a name becomes
// kUnnamed and its bytes in hexadecimal.
[[nodiscard]] bool is_metadata_name(std::string_view name);  // would be left as it is
[[nodiscard]] std::string metadata_name(std::string_view name);
// The same without allocating: `name` where it would be left as it is, else what was written to `room`, "" where that is too small.
[[nodiscard]] std::string_view metadata_name(std::string_view name, std::span<char> room);
[[nodiscard]] constexpr std::size_t max_metadata_name(std::size_t size) { return size + 224; }  // always room enough

// The keywords of LogQL, which it reads in any case. What it takes for keywords only when a parenthesis follows (rate, ip) is
// not among them.
inline constexpr std::array<std::string_view, 24> kKeywords = {
    "by",          "without",      "bool",       "offset", "on",     "ignoring", "group_left", "group_right",
    "and",         "or",           "unless",     "json",   "regexp", "logfmt",   "unpack",     "pattern",
    "line_format", "label_format", "decolorize", "drop",   "keep",   "unwrap",   "variants",   "of"};
[[nodiscard]] bool is_keyword(std::string_view name);

}  // namespace weir::names
