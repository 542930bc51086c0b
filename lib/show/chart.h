// The points of a metric query as lines over time, with axes and a legend. The series with the largest sums are drawn, each in its
// colour; the legend names more, and how many there are beyond them.
//
// Lines are drawn in characters of braille, eight dots a character. Where there is no colour or no braille, each of several series
// has a letter instead.
#pragma once

#include "show/series.h"
#include "show/style.h"

#include <cstddef>
#include <string>
#include <vector>

namespace weir::show {

// The scale of an axis: round bounds around `least` and `most`, and the distance of its marks. It begins at 0 where that costs less
// than half of the room.
struct Scale {
  double low = 0, high = 1, step = 1;
};
[[nodiscard]] Scale scale_for(double least, double most, std::size_t most_marks);

inline constexpr std::size_t kMostDrawn = 5;
inline constexpr std::size_t kMostNamed = 15;  // in the legend

// Lines with their newlines, within the canvas, whose width is that of a terminal. `rows`: of the plot. Has at least one point.
[[nodiscard]] std::string chart_text(const SeriesSet& set, const Canvas& canvas, std::size_t rows);

}  // namespace weir::show
