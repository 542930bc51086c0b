#include "show/chart.h"

#include "base/count.h"
#include "base/utf8.h"
#include "show/columns.h"
#include "show/identity.h"
#include "show/local_time.h"
#include "show/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>

namespace weir::show {
namespace {

constexpr std::string_view kMarks = "*+ox#";
static_assert(kMarks.size() == kMostDrawn && kStyles.size() == kMostDrawn);
constexpr std::size_t kLeastPlot = 16;

// Characters with a few dots each, and whose dots they are: those of what was drawn last.
class Plot {
 public:
  Plot(std::size_t columns, std::size_t rows, bool braille)
      : columns_(columns), rows_(rows), across_(braille ? 2 : 1), down_(braille ? 4 : 1), cells_(columns * rows) {}

  [[nodiscard]] std::size_t width() const { return columns_ * across_; }  // in dots
  [[nodiscard]] std::size_t height() const { return rows_ * down_; }
  [[nodiscard]] std::size_t row_of(std::size_t y) const { return y / down_; }

  void dot(std::size_t x, std::size_t y, std::size_t owner) {
    Cell& cell = cells_[y / down_ * columns_ + x / across_];
    cell.owner = owner;
    // https://www.unicode.org/charts/PDF/U2800.pdf: bits of the left and of the right column, from above.
    constexpr std::array<std::array<std::uint8_t, 4>, 2> kBits = {{{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}}};
    cell.dots |= kBits[x % across_][y % down_];
  }

  void line(std::size_t x0, std::size_t y0, std::size_t x1, std::size_t y1, std::size_t owner) {
    const auto distance = [](std::size_t a, std::size_t b) { return a > b ? a - b : b - a; };
    const std::size_t steps = std::max<std::size_t>(1, std::max(distance(x0, x1), distance(y0, y1)));
    for (std::size_t i = 0; i <= steps; ++i) {
      const auto between = [&](std::size_t a, std::size_t b) { return (a * (steps - i) + b * i + steps / 2) / steps; };
      dot(between(x0, x1), between(y0, y1), owner);
    }
  }

  void append_row(std::string& out, std::size_t row, bool color) const {
    std::string run;
    std::size_t owner = 0, blank = 0;
    const auto end_run = [&] {
      append_styled(out, run, kStyles[owner], color);
      run.clear();
    };
    for (std::size_t i = 0; i < columns_; ++i) {
      const Cell& cell = cells_[row * columns_ + i];
      if (cell.dots == 0) {
        ++blank;
        continue;
      }
      if (blank > 0 || cell.owner != owner) {
        end_run();
        out.append(blank, ' ');
        blank = 0;
        owner = cell.owner;
      }
      if (across_ == 2) {
        base::append_utf8(run, 0x2800U + cell.dots);
      } else {
        run += kMarks[cell.owner];
      }
    }
    end_run();
  }

 private:
  struct Cell {
    std::uint8_t dots = 0;
    std::size_t owner = 0;
  };
  const std::size_t columns_, rows_, across_, down_;
  std::vector<Cell> cells_;
};

// From the largest sum on.
std::vector<std::size_t> ranked(const std::vector<Extent>& extents) {
  std::vector<std::size_t> order(extents.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return extents[a].sum > extents[b].sum; });
  return order;
}

std::string time_axis(const SeriesSet& set, std::size_t margin, std::size_t columns) {
  const Ends ends = ends_of(set.first(), set.last());
  std::string line(margin, ' ');
  line += ends.first;
  const std::size_t size = ends.first.size();
  if (columns >= 4 * size) {
    const Ends middle = ends_of(set.first(), set.first() + (set.last() - set.first()) / 2);
    const std::string& text = ends.first.size() == clock_text(set.first()).size() ? middle.last : std::string();
    if (!text.empty()) {
      line.append(margin + columns / 2 - text.size() / 2 - line.size(), ' ');
      line += text;
    }
  }
  if (columns < 2 * size + 1) return line;
  line.append(margin + columns - ends.last.size() - line.size(), ' ');
  return line + ends.last;
}

std::string legend(const SeriesSet& set, const std::vector<Extent>& extents, const std::vector<std::size_t>& order, bool marks,
                   const Canvas& canvas) {
  const std::vector<std::string> names = set.differing();
  std::vector<Table::Column> columns = {{"", false, Style::plain}, {"LAST", true}, {"MEAN", true}, {"MAX", true}};
  for (const std::string& name : names) columns.push_back({visible(name)});
  std::string out;
  Table table(columns);
  for (std::size_t i = 0; i < std::min(kMostNamed, order.size()); ++i) {
    const Extent& extent = extents[order[i]];
    const bool drawn = i < kMostDrawn && extent.numbers > 0;
    const auto number = [&](double value) { return extent.numbers == 0 ? "-" : short_number(value); };
    const std::string mark = !drawn ? " " : marks ? std::string(1, kMarks[i]) : "━";
    std::vector<std::string> cells = {mark, number(extent.last), number(extent.mean()), number(extent.most)};
    for (const std::string& name : names) cells.push_back(visible(set.all()[order[i]].labels->get(name)));
    table.add(std::move(cells));
  }
  // Each mark in the colour of its line.
  const std::string text = table.text(canvas);
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::size_t end = text.find('\n', at) + 1;
    std::string_view row = std::string_view(text).substr(at, end - at);
    at = end;
    const std::string_view mark = marks ? row.substr(0, 1) : std::string_view("━");
    if (line == 0 || line > kMostDrawn || !row.starts_with(mark) || mark == " ") {
      out += row;
      continue;
    }
    append_styled(out, mark, kStyles[line - 1], canvas.color);
    out += row.substr(mark.size());
  }
  if (order.size() > kMostNamed) {
    out += cut_to(fmt::format("  and {} more series; -o csv or -o jsonl has all", base::grouped(order.size() - kMostNamed)),
                  canvas.width, cut_mark(canvas)) +
           '\n';
  }
  return out;
}

}  // namespace

Scale scale_for(double least, double most, std::size_t most_marks) {
  if (least > 0 && least <= most / 2) least = 0;
  if (most < 0 && most >= least / 2) most = 0;
  if (least == most) {
    if (most > 0) least = 0;
    if (most < 0) most = 0;
    if (least == most) most = 1;
  }
  const double raw = (most - least) / static_cast<double>(std::max<std::size_t>(most_marks, 1));
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * power >= raw) {
      step = factor * power;
      break;
    }
  }
  return {std::floor(least / step) * step, std::ceil(most / step) * step, step};
}

std::string chart_text(const SeriesSet& set, const Canvas& canvas, std::size_t rows) {
  std::vector<Extent> extents;
  extents.reserve(set.all().size());
  for (const Series& series : set.all()) extents.push_back(extent_of(series));
  const std::vector<std::size_t> order = ranked(extents);
  const std::size_t drawn = std::min(kMostDrawn, order.size());
  std::optional<double> least, most;
  for (std::size_t i = 0; i < drawn; ++i) {
    const Extent& extent = extents[order[i]];
    if (extent.numbers == 0) continue;
    least = std::min(least.value_or(extent.least), extent.least);
    most = std::max(most.value_or(extent.most), extent.most);
  }
  const bool braille = canvas.braille && canvas.unicode && (canvas.color || drawn == 1);
  if (!least) return legend(set, extents, order, !braille, canvas);
  const Scale scale = scale_for(*least, *most, std::max<std::size_t>(2, rows / 3));
  std::size_t margin = 0;
  std::vector<std::pair<double, std::string>> marks;
  for (double at = scale.low; at <= scale.high + scale.step / 2; at += scale.step) {
    if (std::fabs(at) < scale.step / 1e6) at = 0;
    marks.emplace_back(at, short_number(at));
    margin = std::max(margin, marks.back().second.size());
  }
  margin += 2;  // a space and the axis
  if (canvas.width < margin + kLeastPlot) return legend(set, extents, order, !braille, canvas);
  Plot plot(canvas.width - margin, rows, braille);
  const auto y_of = [&](double value) {
    const double share = (scale.high - value) / (scale.high - scale.low);
    return static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(plot.height() - 1)));
  };
  const auto time = static_cast<double>(std::max<base::Duration>(1, set.last() - set.first()));
  const auto x_of = [&](base::Timestamp at) {
    const double share = static_cast<double>(at - set.first()) / time;
    return static_cast<std::size_t>(std::lround(share * static_cast<double>(plot.width() - 1)));
  };
  const base::Duration apart = set.step() + set.step() / 2;
  for (std::size_t rank = drawn; rank > 0; --rank) {
    const Point* before = nullptr;
    for (const Point& point : set.all()[order[rank - 1]].points) {
      if (!std::isfinite(point.value)) {
        before = nullptr;
        continue;
      }
      const std::size_t x = x_of(point.time), y = y_of(point.value);
      if (before != nullptr && point.time - before->time <= apart) {
        plot.line(x_of(before->time), y_of(before->value), x, y, rank - 1);
      } else {
        plot.dot(x, y, rank - 1);
      }
      before = &point;
    }
  }
  std::vector<std::string_view> labels(rows);
  for (const auto& [at, text] : marks) labels[plot.row_of(y_of(at))] = text;
  std::string out;
  for (std::size_t row = 0; row < rows; ++row) {
    const bool marked = !labels[row].empty();
    append_styled(out, fmt::format("{:>{}} ", labels[row], margin - 2), Style::dim, canvas.color);
    append_styled(out, canvas.unicode ? (marked ? "┤" : "│") : (marked ? "+" : "|"), Style::dim, canvas.color);
    plot.append_row(out, row, canvas.color);
    out += '\n';
  }
  std::string axis(margin - 1, ' ');
  axis += canvas.unicode ? "└" : "+";
  for (std::size_t i = 0; i < canvas.width - margin; ++i) axis += canvas.unicode ? "─" : "-";
  append_styled(out, axis, Style::dim, canvas.color);
  out += '\n';
  append_styled(out, time_axis(set, margin, canvas.width - margin), Style::dim, canvas.color);
  out += '\n';
  return out + legend(set, extents, order, !braille, canvas);
}

}  // namespace weir::show
