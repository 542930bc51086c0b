// LogQL text -> tree, with the errors of Loki's own parser.
#pragma once

#include "base/result.h"
#include "logql/ast.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace weir::logql {

// What is wrong with a query, and where.
struct ParseError {
  std::string message;       // whole, as Loki words it: "parse error at line 1, col 6: literal not terminated"
  std::uint32_t line = 0;    // from 1; 0 when the error belongs to no place. Loki's text says 0 for some tokens that have one
  std::uint32_t column = 0;  // from 1, in characters
  std::size_t offset = 0;    // of the byte there
  std::string why = {};      // the message without its place, where that has one

  // The line of the query and below it a caret under the column; "" when there is no place.
  [[nodiscard]] std::string caret(std::string_view query) const;
  // Code::config, with the query and the offset, and caret() as hint; line and column in the message are those of the caret. A long
  // message or line of the query is cut.
  [[nodiscard]] base::Error to_error(std::string_view query) const;
};

// "parse error : <why>", pointing at `offset` of the query when that is given.
[[nodiscard]] ParseError semantic_error(std::string_view query, std::string_view why, std::optional<std::size_t> offset = {});

struct ParserOptions {
  // "", `|= "x"` and `{}` are complete log queries, also in a range, where "" is `[5m]`. No selector need exclude the empty value.
  bool selector_optional = false;
  // Off, a selector that matches everything is accepted without being optional, as in /labels and /series.
  bool selector_must_match = true;
};

// Parses and validates all that Loki validates while parsing. Templates, json paths and the like are checked when a query is
// compiled (LogQuery, check_stages), as in Loki.
[[nodiscard]] std::variant<Expr, ParseError> parse_expr(std::string_view query, const ParserOptions& options);
// The hint says what may have been meant, if that can be told (advice.h).
[[nodiscard]] base::Result<Expr> parse(std::string_view query, const ParserOptions& options = {});

}  // namespace weir::logql
