// What the writer of a query that does not parse probably meant. Loki's messages name tokens; this names the mistake: quotes that
// are missing, a stage that is misspelt, a unit that does not exist, a query of another language.
#pragma once

#include "logql/parser.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::logql {

struct Advice {
  std::string text;        // one line without a full stop; "" when nothing is to be said
  std::size_t offset = 0;  // the byte of the query that is meant: that of the error, or one before it
};

[[nodiscard]] Advice advise(std::string_view query, const ParseError& error, const ParserOptions& options);

// At most `most` bytes of `text`, cut at a character, with … where something is left out. For messages.
[[nodiscard]] std::string clip(std::string_view text, std::size_t most);

}  // namespace weir::logql
