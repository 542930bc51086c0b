// The patterns of `| pattern "<ip> - <user> <_>"` and of the line filters |> and !>: literals with captures between them.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

// Immutable.
class Pattern {
 public:
  // For the parser stage: at least one name, each once, no two captures side by side.
  static base::Result<Pattern> compile_parser(std::string_view text);
  // For line filters: only <_>.
  static base::Result<Pattern> compile_filter(std::string_view text);

  // The line filter's verdict. Literals are found one after the other, each at its first place after the one before, without
  // going back; every capture holds something.
  [[nodiscard]] bool matches(std::string_view line) const;

  // The parser's captures: `values[i]` belongs to names()[i]. Returns how many there are: a line that lacks a literal ends them
  // early, a line that does not begin with the first literal has none.
  std::size_t capture(std::string_view line, std::vector<std::string_view>& values) const;
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  // Whether the line has all literals, so that no capture of capture() is cut off by the end of the line or missing.
  [[nodiscard]] bool fits(std::string_view line) const;

  // The literals, all of which a line that matches() contains.
  [[nodiscard]] std::vector<std::string> literals() const;

 private:
  struct Piece {
    bool is_capture = false;
    std::string text;  // the literal, or the name
    [[nodiscard]] bool named() const { return is_capture && text != "_"; }
  };
  static base::Result<Pattern> parse(std::string_view text);
  std::vector<Piece> pieces_;
  std::vector<std::string> names_;
};

}  // namespace weir::logql
