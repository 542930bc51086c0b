#include "gotext/time_layout.h"

#include <array>

namespace weir::gotext {
namespace {

struct Named {
  std::string_view text;
  TimeElement element;
};

// Longer ones before those they begin with, as Go looks for them.
constexpr std::array<Named, 34> kElements = {{{"January", TimeElement::long_month_name},
                                              {"Jan", TimeElement::month_name},
                                              {"Monday", TimeElement::long_weekday},
                                              {"Mon", TimeElement::weekday},
                                              {"MST", TimeElement::zone_name},
                                              {"2006", TimeElement::year},
                                              {"002", TimeElement::zero_day_of_year},
                                              {"01", TimeElement::zero_month},
                                              {"02", TimeElement::zero_day},
                                              {"03", TimeElement::zero_hour12},
                                              {"04", TimeElement::zero_minute},
                                              {"05", TimeElement::zero_second},
                                              {"06", TimeElement::short_year},
                                              {"15", TimeElement::hour},
                                              {"_2006", TimeElement::none},  // an underscore and a year
                                              {"_2", TimeElement::padded_day},
                                              {"__2", TimeElement::padded_day_of_year},
                                              {"-070000", TimeElement::offset_seconds},
                                              {"-07:00:00", TimeElement::offset_colons},
                                              {"-0700", TimeElement::offset},
                                              {"-07:00", TimeElement::offset_colon},
                                              {"-07", TimeElement::offset_short},
                                              {"Z070000", TimeElement::iso_offset_seconds},
                                              {"Z07:00:00", TimeElement::iso_offset_colons},
                                              {"Z0700", TimeElement::iso_offset},
                                              {"Z07:00", TimeElement::iso_offset_colon},
                                              {"Z07", TimeElement::iso_offset_short},
                                              {"PM", TimeElement::upper_pm},
                                              {"pm", TimeElement::lower_pm},
                                              {"1", TimeElement::month},
                                              {"2", TimeElement::day},
                                              {"3", TimeElement::hour12},
                                              {"4", TimeElement::minute},
                                              {"5", TimeElement::second}}};

}  // namespace

TimeElement time_element(std::string_view layout, std::size_t& length) {
  length = 1;
  if ((layout[0] == '.' || layout[0] == ',') && layout.size() > 1 && (layout[1] == '0' || layout[1] == '9')) {
    std::size_t end = 1;
    while (end < layout.size() && layout[end] == layout[1]) ++end;
    if (end >= layout.size() || layout[end] < '0' || layout[end] > '9') {
      length = end;
      return layout[1] == '0' ? TimeElement::fraction_zeros : TimeElement::fraction_nines;
    }
  }
  for (const Named& named : kElements) {
    if (!layout.starts_with(named.text)) continue;
    const bool word = named.element == TimeElement::month_name || named.element == TimeElement::weekday;
    if (word && layout.size() > 3 && layout[3] >= 'a' && layout[3] <= 'z') continue;
    if (named.element != TimeElement::none) length = named.text.size();
    return named.element;
  }
  return TimeElement::none;
}

}  // namespace weir::gotext
