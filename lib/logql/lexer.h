// The words of a LogQL query. Loki builds its lexer on Go's text/scanner, so numbers, strings and comments are Go's.
#pragma once

#include "base/clock.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

enum class TokenKind : std::uint8_t {
  end,
  error,  // text: what is wrong with it
  identifier,
  string,
  number,
  duration,
  bytes,
  range,
  parser_flag,  // --strict, --keep-empty
  function,     // the name of an aggregation, followed by what makes it a call
  ip,           // ip(
  conversion,   // bytes( duration( duration_seconds(
  open_brace,
  close_brace,
  open_paren,
  close_paren,
  close_bracket,  // one that ends no range
  comma,
  dot,
  equal,
  not_equal,
  regex,
  not_regex,
  pipe,
  contains,      // |=
  pipe_regex,    // |~
  pipe_pattern,  // |>
  not_pattern,   // !>
  compare_equal,
  greater,
  greater_equal,
  less,
  less_equal,
  add,
  sub,
  mul,
  div,
  mod,
  pow,
  keyword_by,  // from here on in the order of names::kKeywords
  keyword_without,
  keyword_bool,
  keyword_offset,
  keyword_on,
  keyword_ignoring,
  keyword_group_left,
  keyword_group_right,
  keyword_and,
  keyword_or,
  keyword_unless,
  keyword_json,
  keyword_regexp,
  keyword_logfmt,
  keyword_unpack,
  keyword_pattern,
  keyword_line_format,
  keyword_label_format,
  keyword_decolorize,
  keyword_drop,
  keyword_keep,
  keyword_unwrap,
  keyword_variants,
  keyword_of,
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;             // decoded string, name as written, function in lower case, number as written, or the error
  base::Duration duration = 0;  // duration, range
  std::uint64_t bytes = 0;      // bytes
  std::size_t offset = 0;       // of the first byte in the query
  std::uint32_t line = 1;
  std::uint32_t column = 1;   // in characters
  bool line_is_lost = false;  // Loki reports line 0 for this token

  // As Loki's syntax errors call it: `|=`, IDENTIFIER, RATE, $end.
  [[nodiscard]] std::string name() const;
};

// All tokens up to the end of the query, or up to and with the first error.
[[nodiscard]] std::vector<Token> tokenize(std::string_view query);

inline constexpr std::size_t kMaxQueryBytes = 131072;

}  // namespace weir::logql
