#include "show/table.h"

#include "show/columns.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace weir::show {
namespace {

// Of a number what stands from its point or unit on: `.5k` of `-1,234.5k`.
std::string_view fraction_of(std::string_view cell) {
  const std::size_t digit = std::min(cell.find_first_not_of("+-"), cell.size());
  if (digit == cell.size() || cell[digit] < '0' || cell[digit] > '9') return {};
  return cell.substr(std::min(cell.find_first_not_of("0123456789,", digit), cell.size()));
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::size_t fraction = columns_[i].right ? columns_of(fraction_of(cells[i])) : 0;
    fractions_[i] = std::max(fractions_[i], fraction);
    wholes_[i] = std::max(wholes_[i], columns_of(cells[i]) - fraction);
    widths_[i] = wholes_[i] + fractions_[i];
  }
  rows_.push_back(std::move(cells));
}

void Table::fit(std::vector<std::size_t>& widths, std::size_t width) {
  const auto needed = [&widths] {
    const auto columns = static_cast<std::size_t>(std::ranges::count_if(widths, [](std::size_t one) { return one > 0; }));
    return std::accumulate(widths.begin(), widths.end(), std::size_t{0}) + (columns > 0 ? columns - 1 : 0);
  };
  while (needed() > width) {
    const auto widest = std::ranges::max_element(widths);
    if (*widest <= kLeast) break;
    *widest -= 1;
  }
  for (std::size_t i = widths.size(); i > 1 && needed() > width; --i) widths[i - 1] = 0;
  if (!widths.empty()) widths[0] = std::min(widths[0], width);
}

std::string Table::text(const Canvas& canvas, bool heads) const {
  std::vector<std::size_t> widths = widths_;
  for (std::size_t i = 0; heads && i < widths.size(); ++i) widths[i] = std::max(widths[i], columns_of(columns_[i].head));
  if (canvas.width > 0) fit(widths, canvas.width);
  std::string out;
  const auto line = [&](const auto& cell_of, const auto& style_of, bool is_row) {
    std::size_t pending = 0;  // spaces, written only before what follows
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (widths[i] == 0) continue;
      const std::string cell = cut_middle(cell_of(i), widths[i], cut_mark(canvas));
      const std::size_t rest = widths[i] - std::min(widths[i], columns_of(cell));
      // Numbers stand with their points below each other, as long as there is room.
      const std::size_t behind =
          is_row && columns_[i].right ? std::min(rest, fractions_[i] - std::min(fractions_[i], columns_of(fraction_of(cell)))) : 0;
      if (columns_[i].right) pending += rest - behind;
      if (!cell.empty()) {
        out.append(pending, ' ');
        pending = 0;
        append_styled(out, cell, style_of(i), canvas.color);
      }
      pending += (columns_[i].right ? behind : rest) + 1;
    }
    out += '\n';
  };
  if (heads)
    line([&](std::size_t i) -> std::string_view { return columns_[i].head; }, [](std::size_t) { return Style::dim; }, false);
  for (const auto& row : rows_) {
    line([&](std::size_t i) -> std::string_view { return row[i]; }, [&](std::size_t i) { return columns_[i].style; }, true);
  }
  return out;
}

}  // namespace weir::show
