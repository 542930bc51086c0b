#include "show/style.h"

namespace weir::show {

std::string_view begin_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "\x1b[1m";
    case Style::dim:
      return "\x1b[2m";
    case Style::red:
      return "\x1b[31m";
    case Style::bold_red:
      return "\x1b[1;31m";
    case Style::yellow:
      return "\x1b[33m";
    case Style::green:
      return "\x1b[32m";
    case Style::cyan:
      return "\x1b[36m";
    case Style::magenta:
      return "\x1b[35m";
    case Style::blue:
      return "\x1b[94m";
    case Style::bright_magenta:
      return "\x1b[95m";
  }
  return "";
}

}  // namespace weir::show
