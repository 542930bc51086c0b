// Writes text of others into the lines of a terminal: wrapped under itself, coloured, with escapes for all that could drive the
// terminal.
//
//   LineWriter line(out, canvas);
//   line.put("12:00:00.001 ", Style::dim);
//   line.set_indent(line.column());          what is wrapped continues here
//   line.put(text, Style::red);
//   line.end();
//
// No line is wider than the canvas, unless that is narrower than kLeastText and the indent together. A line breaks at a space,
// which is then left out, or behind a comma or semicolon where one is near; else anywhere. A tab becomes spaces up to the next
// fourth column behind the indent.
#pragma once

#include "show/style.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::show {

// Not thread safe. `out` outlives it.
class LineWriter {
 public:
  static constexpr std::size_t kLeastText = 20;  // columns that text gets at least; a larger indent than leaves them is reduced

  LineWriter(std::string& out, const Canvas& canvas) : out_(out), canvas_(canvas) {}

  // Text without line breaks; those that it has are escaped.
  void put(std::string_view text, Style style = Style::plain);
  // The same, where a line break begins a line at `indent`, under which its own rest is wrapped.
  void put_lines(std::string_view text, std::size_t indent, Style style = Style::plain);
  // Spaces up to this column.
  void pad_to(std::size_t column);
  void set_indent(std::size_t column);
  [[nodiscard]] std::size_t column() const { return column_; }
  // Columns that are left in this line; very many where there is no limit.
  [[nodiscard]] std::size_t left() const;
  void break_line();
  void end();

 private:
  void put_visible(std::string_view text, Style style);

  std::string& out_;
  const Canvas canvas_;
  std::size_t column_ = 0, indent_ = 0;
  bool at_indent_ = false;  // nothing stands in this line but the indent
  std::string visible_;     // of what is put, used again
  std::string plain_;       // scratch of put_lines()
};

}  // namespace weir::show
