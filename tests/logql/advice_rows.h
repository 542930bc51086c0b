// What weir advises on a query that does not parse, as one line for tables.
#pragma once

#include "logql/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace weir::test {

// "COLUMN: text" of the last line of the hint and the caret above it, "" without advice. Where the message names another column,
// the hint names its own, which is that of the caret.
inline std::string advice(std::string_view query, bool selector_optional = true) {
  const auto parsed = logql::parse(query, {.selector_optional = selector_optional});
  if (parsed) return "valid";
  const std::string& hint = parsed.error().hint;
  const std::size_t last = hint.rfind('\n');
  if (last == std::string::npos || hint.back() == '^') return "";
  const std::size_t caret = hint.find('^', hint.find('\n'));
  const std::string column = std::to_string(caret - hint.find('\n'));
  const std::string& message = parsed.error().message;
  std::string text = hint.substr(last + 1);
  if (message.find("col ") != std::string::npos && message.find(", col " + column + ":") == std::string::npos) {
    const std::string place = "at col " + column + ": ";
    if (!text.starts_with(place)) return "the caret is in another column than the message says: " + text;
    text.erase(0, place.size());
  }
  return column + ": " + text;
}

struct Mistake {
  std::string_view query;
  std::string_view expected;
  std::string_view meant = {};  // the query that the advice leads to
};

}  // namespace weir::test
