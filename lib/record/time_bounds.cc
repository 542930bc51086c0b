#include "record/time_bounds.h"

#include "record/timestamp.h"

#include <string>

namespace weir::record {

bool is_time_out_of_range(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  // The same with another year, a leap year, is in range.
  if (text.size() > 4 && text[4] == '-' && text.find_first_not_of(kDigits) == 4) {
    const int year = (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
    return (year < 1678 || year > 2261) && parse_time("2000" + std::string(text.substr(4)), 0).ok();
  }
  // The same with numbers of one digit is a duration.
  std::string shorter;
  for (const char c : text) {
    if (kDigits.find(c) == std::string_view::npos) {
      shorter += c;
    } else if (shorter.empty() || kDigits.find(shorter.back()) == std::string_view::npos) {
      shorter += '1';
    }
  }
  return shorter != text && !parse_duration(text).ok() && shorter.find_first_not_of(kDigits) != std::string::npos &&
         parse_duration(shorter).ok();
}

}  // namespace weir::record
