// Cells in columns, for people.
//
//   VALUE namespace pod
//   1,234 shop      web-1
#pragma once

#include "show/style.h"

#include <cstddef>
#include <string>
#include <vector>

namespace weir::show {

// Not thread safe.
class Table {
 public:
  struct Column {
    std::string head;
    bool right = false;  // numbers, their points below each other
    Style style = Style::plain;
  };
  explicit Table(std::vector<Column> columns)
      : columns_(std::move(columns)), widths_(columns_.size(), 0), wholes_(widths_), fractions_(widths_) {}

  // One cell a column, of text that may be shown as it is (visible()).
  void add(std::vector<std::string> cells);
  [[nodiscard]] std::size_t rows() const { return rows_.size(); }

  // The lines, with a line of heads. Where they are wider than the canvas, the widest columns are cut in their middle, and then
  // columns left out from the right. The last column is not padded.
  [[nodiscard]] std::string text(const Canvas& canvas, bool heads = true) const;

  // The widths of columns of `widths` and a space between them, made to fit into `width`, which is not 0: the widest are reduced
  // down to kLeast, those that then still do not fit are 0.
  static constexpr std::size_t kLeast = 8;
  static void fit(std::vector<std::size_t>& widths, std::size_t width);

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> widths_;              // without heads
  std::vector<std::size_t> wholes_, fractions_;  // of numbers, before the point and from it on
};

}  // namespace weir::show
