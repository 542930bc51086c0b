// The colours of text for people. Only colours that can be read on a dark and on a light background: no white, black, or bright
// yellow, green and cyan, and no background but the terminal's own. Red and yellow are for levels alone.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::show {

// A rendition of a terminal (ECMA-48, SGR).
enum class Style : std::uint8_t { plain, bold, dim, red, bold_red, yellow, green, cyan, magenta, blue, bright_magenta };

// What tells pods apart, and the series of a chart; in this order.
inline constexpr std::array kStyles = {Style::cyan, Style::green, Style::magenta, Style::blue, Style::bright_magenta};

[[nodiscard]] std::string_view begin_of(Style style);  // "" for plain
inline constexpr std::string_view kEndOfStyle = "\x1b[0m";

// `text` in this style, when `color`.
inline void append_styled(std::string& out, std::string_view text, Style style, bool color) {
  const bool styled = color && style != Style::plain && !text.empty();
  if (styled) out += begin_of(style);
  out += text;
  if (styled) out += kEndOfStyle;
}

// What kind of terminal text is for.
struct Canvas {
  std::size_t width = 0;  // columns; 0: there is no limit
  bool color = false;
  bool unicode = true;  // block and line characters can be shown
  bool braille = true;  // and those of braille, which the console of Linux lacks
};

// What says that text was cut.
[[nodiscard]] inline std::string_view cut_mark(const Canvas& canvas) { return canvas.unicode ? "…" : ">"; }

}  // namespace weir::show
