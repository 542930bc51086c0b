#include "gotext/go_time.h"

#include "base/civil.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

namespace weir::gotext {
namespace {

enum class Element {
  none,
  year,
  short_year,
  zero_month,
  month,
  month_name,
  long_month_name,
  zero_day,
  day,
  padded_day,
  day_of_year,
  weekday,
  long_weekday,
  hour,
  zero_hour12,
  hour12,
  zero_minute,
  minute,
  zero_second,
  second,
  upper_pm,
  lower_pm,
  zone_name,
  offset,            // -0700
  offset_colon,      // -07:00
  offset_short,      // -07
  iso_offset,        // Z0700
  iso_offset_colon,  // Z07:00
  iso_offset_short,  // Z07
  fraction_zeros,    // .000
  fraction_nines,    // .999
};

struct Named {
  std::string_view text;
  Element element;
};

// Longer ones before those they begin with.
constexpr std::array<Named, 28> kElements = {{{"January", Element::long_month_name},
                                              {"Jan", Element::month_name},
                                              {"Monday", Element::long_weekday},
                                              {"Mon", Element::weekday},
                                              {"MST", Element::zone_name},
                                              {"2006", Element::year},
                                              {"002", Element::day_of_year},
                                              {"01", Element::zero_month},
                                              {"02", Element::zero_day},
                                              {"03", Element::zero_hour12},
                                              {"04", Element::zero_minute},
                                              {"05", Element::zero_second},
                                              {"06", Element::short_year},
                                              {"15", Element::hour},
                                              {"_2006", Element::none},
                                              {"_2", Element::padded_day},
                                              {"-07:00", Element::offset_colon},
                                              {"-0700", Element::offset},
                                              {"-07", Element::offset_short},
                                              {"Z07:00", Element::iso_offset_colon},
                                              {"Z0700", Element::iso_offset},
                                              {"Z07", Element::iso_offset_short},
                                              {"PM", Element::upper_pm},
                                              {"pm", Element::lower_pm},
                                              {"1", Element::month},
                                              {"2", Element::day},
                                              {"3", Element::hour12},
                                              {"4", Element::minute}}};

constexpr std::array<std::string_view, 12> kMonths = {"January", "February", "March",     "April",   "May",      "June",
                                                      "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The element that the layout begins with and its length; none for literal text.
Element element_at(std::string_view layout, std::size_t& length) {
  length = 1;
  if ((layout[0] == '.' || layout[0] == ',') && layout.size() > 1 && (layout[1] == '0' || layout[1] == '9')) {
    std::size_t end = 1;
    while (end < layout.size() && layout[end] == layout[1]) ++end;
    if (end >= layout.size() || !is_digit(layout[end])) {
      length = end;
      return layout[1] == '0' ? Element::fraction_zeros : Element::fraction_nines;
    }
  }
  for (const Named& named : kElements) {
    if (!layout.starts_with(named.text)) continue;
    if (named.element == Element::month_name && layout.size() > 3 && layout[3] >= 'a' && layout[3] <= 'z') continue;
    if (named.element == Element::none) return Element::none;  // `_2006`: an underscore and a year
    length = named.text.size();
    return named.element;
  }
  if (layout[0] == '5') return Element::second;
  return Element::none;
}

struct Civil {
  std::int64_t year = 1970;
  int month = 1;
  int day = 1;
  int weekday = 0;
  int day_of_year = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int nanosecond = 0;
};

Civil civil(base::Timestamp time) {
  Civil out;
  std::int64_t seconds = time / base::kSecond;
  std::int64_t rest = time % base::kSecond;
  if (rest < 0) {
    rest += base::kSecond;
    --seconds;
  }
  out.nanosecond = static_cast<int>(rest);
  std::int64_t days = seconds / base::kSecondsPerDay;
  std::int64_t second_of_day = seconds % base::kSecondsPerDay;
  if (second_of_day < 0) {
    second_of_day += base::kSecondsPerDay;
    --days;
  }
  out.hour = static_cast<int>(second_of_day / 3600);
  out.minute = static_cast<int>(second_of_day / 60 % 60);
  out.second = static_cast<int>(second_of_day % 60);
  out.weekday = static_cast<int>(((days % 7) + 11) % 7);
  const base::CivilDate date = base::civil_from_days(days);
  out.year = date.year;
  out.month = static_cast<int>(date.month);
  out.day = static_cast<int>(date.day);
  out.day_of_year = static_cast<int>(days - base::days_from_civil(out.year, 1, 1)) + 1;
  return out;
}

std::string print_element(Element element, const Civil& time, std::string_view text) {
  const int hour12 = time.hour % 12 == 0 ? 12 : time.hour % 12;
  switch (element) {
    case Element::year:
      return fmt::format("{:04}", time.year);
    case Element::short_year:
      return fmt::format("{:02}", time.year % 100);
    case Element::zero_month:
      return fmt::format("{:02}", time.month);
    case Element::month:
      return fmt::format("{}", time.month);
    case Element::month_name:
      return std::string(kMonths[static_cast<std::size_t>(time.month - 1)].substr(0, 3));
    case Element::long_month_name:
      return std::string(kMonths[static_cast<std::size_t>(time.month - 1)]);
    case Element::zero_day:
      return fmt::format("{:02}", time.day);
    case Element::day:
      return fmt::format("{}", time.day);
    case Element::padded_day:
      return fmt::format("{:2}", time.day);
    case Element::day_of_year:
      return fmt::format("{:03}", time.day_of_year);
    case Element::weekday:
      return std::string(kDays[static_cast<std::size_t>(time.weekday)].substr(0, 3));
    case Element::long_weekday:
      return std::string(kDays[static_cast<std::size_t>(time.weekday)]);
    case Element::hour:
      return fmt::format("{:02}", time.hour);
    case Element::zero_hour12:
      return fmt::format("{:02}", hour12);
    case Element::hour12:
      return fmt::format("{}", hour12);
    case Element::zero_minute:
      return fmt::format("{:02}", time.minute);
    case Element::minute:
      return fmt::format("{}", time.minute);
    case Element::zero_second:
      return fmt::format("{:02}", time.second);
    case Element::second:
      return fmt::format("{}", time.second);
    case Element::upper_pm:
      return time.hour >= 12 ? "PM" : "AM";
    case Element::lower_pm:
      return time.hour >= 12 ? "pm" : "am";
    case Element::zone_name:
      return "UTC";
    case Element::offset:
      return "+0000";
    case Element::offset_colon:
      return "+00:00";
    case Element::offset_short:
      return "+00";
    case Element::iso_offset:
    case Element::iso_offset_colon:
    case Element::iso_offset_short:
      return "Z";
    case Element::fraction_zeros:
    case Element::fraction_nines: {
      std::string digits = fmt::format("{:09}", time.nanosecond).substr(0, std::min<std::size_t>(text.size() - 1, 9));
      if (element == Element::fraction_nines) {
        while (!digits.empty() && digits.back() == '0') digits.pop_back();
        if (digits.empty()) return "";
      }
      return text[0] + digits;
    }
    case Element::none:
      break;
  }
  return std::string(text);
}

// Reads a text by a layout, element by element.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool element(Element element, std::string_view name) {
    switch (element) {
      case Element::year:
        return number(4, 4, year_);
      case Element::short_year:
        if (!number(2, 2, year_)) return false;
        year_ += year_ >= 69 ? 1900 : 2000;
        return true;
      case Element::zero_month:
        return number(2, 2, month_);
      case Element::month:
        return number(1, 2, month_);
      case Element::month_name:
        return month_name(3);
      case Element::long_month_name:
        return month_name(std::string_view::npos);
      case Element::zero_day:
        return number(2, 2, day_);
      case Element::padded_day:
        if (text_.starts_with(' ')) text_.remove_prefix(1);
        return number(1, 2, day_);
      case Element::day:
        return number(1, 2, day_);
      case Element::day_of_year:
        return number(3, 3, day_of_year_);
      case Element::weekday:
        return weekday(3);
      case Element::long_weekday:
        return weekday(std::string_view::npos);
      case Element::hour:
      case Element::zero_hour12:
        return number(2, 2, hour_);
      case Element::hour12:
        return number(1, 2, hour_);
      case Element::zero_minute:
        return number(2, 2, minute_);
      case Element::minute:
        return number(1, 2, minute_);
      case Element::zero_second:
        return number(2, 2, second_) && fraction();
      case Element::second:
        return number(1, 2, second_) && fraction();
      case Element::upper_pm:
      case Element::lower_pm:
        return half();
      case Element::zone_name:
        return zone();
      case Element::offset:
        return offset(false, true, false);
      case Element::offset_colon:
        return offset(true, true, false);
      case Element::offset_short:
        return offset(false, false, false);
      case Element::iso_offset:
        return offset(false, true, true);
      case Element::iso_offset_colon:
        return offset(true, true, true);
      case Element::iso_offset_short:
        return offset(false, false, true);
      case Element::fraction_zeros:
      case Element::fraction_nines:
        return true;  // read behind the seconds
      case Element::none:
        break;
    }
    if (!text_.starts_with(name)) return false;
    text_.remove_prefix(name.size());
    return true;
  }

  std::optional<base::Timestamp> finish() {
    if (!text_.empty()) return std::nullopt;
    if (pm_ >= 0) hour_ = hour_ % 12 + (pm_ == 1 ? 12 : 0);
    if (month_ < 1 || month_ > 12 || day_ < 1 || hour_ > 23 || minute_ > 59 || second_ > 59) return std::nullopt;
    if (year_ < 1678 || year_ > 2261) return std::nullopt;
    if (day_ > base::days_in_month(year_, static_cast<unsigned>(month_))) return std::nullopt;
    std::int64_t days = base::days_from_civil(year_, static_cast<unsigned>(month_), static_cast<unsigned>(day_));
    if (day_of_year_ > 0) days = base::days_from_civil(year_, 1, 1) + day_of_year_ - 1;
    const std::int64_t seconds = days * base::kSecondsPerDay + hour_ * 3600 + minute_ * 60 + second_ - offset_;
    return seconds * base::kSecond + nanosecond_;
  }

 private:
  bool number(std::size_t least, std::size_t most, std::int64_t& out) {
    std::size_t digits = 0;
    out = 0;
    while (digits < most && digits < text_.size() && is_digit(text_[digits])) out = out * 10 + (text_[digits++] - '0');
    text_.remove_prefix(digits);
    return digits >= least;
  }
  bool fraction() {
    if (text_.size() < 2 || (text_[0] != '.' && text_[0] != ',') || !is_digit(text_[1])) return true;
    std::size_t i = 1;
    std::int64_t unit = 100'000'000;
    for (; i < text_.size() && is_digit(text_[i]); ++i, unit /= 10) nanosecond_ += unit * (text_[i] - '0');
    text_.remove_prefix(i);
    return true;
  }
  bool month_name(std::size_t length) {
    for (std::size_t i = 0; i < kMonths.size(); ++i) {
      const std::string_view name = kMonths[i].substr(0, length);
      if (!text_.starts_with(name)) continue;
      month_ = static_cast<std::int64_t>(i) + 1;
      text_.remove_prefix(name.size());
      return true;
    }
    return false;
  }
  bool weekday(std::size_t length) {
    for (const std::string_view day : kDays) {
      const std::string_view name = day.substr(0, length);
      if (!text_.starts_with(name)) continue;
      text_.remove_prefix(name.size());
      return true;
    }
    return false;
  }
  bool half() {
    if (text_.size() < 2) return false;
    const std::string_view name = text_.substr(0, 2);
    pm_ = name == "PM" || name == "pm" ? 1 : name == "AM" || name == "am" ? 0 : -1;
    text_.remove_prefix(2);
    return pm_ >= 0;
  }
  bool zone() {
    std::size_t letters = 0;
    while (letters < text_.size() && text_[letters] >= 'A' && text_[letters] <= 'Z') ++letters;
    text_.remove_prefix(letters);
    return letters >= 3;
  }
  bool offset(bool colon, bool minutes, bool zulu) {
    if (zulu && text_.starts_with('Z')) {
      text_.remove_prefix(1);
      return true;
    }
    if (text_.empty() || (text_[0] != '+' && text_[0] != '-')) return false;
    const std::int64_t sign = text_[0] == '-' ? -1 : 1;
    text_.remove_prefix(1);
    std::int64_t hours = 0;
    std::int64_t rest = 0;
    if (!number(2, 2, hours)) return false;
    if (minutes) {
      if (colon) {
        if (!text_.starts_with(':')) return false;
        text_.remove_prefix(1);
      }
      if (!number(2, 2, rest)) return false;
    }
    offset_ = sign * (hours * 3600 + rest * 60);
    return true;
  }

  std::string_view text_;
  std::int64_t year_ = 1970;
  std::int64_t month_ = 1;
  std::int64_t day_ = 1;
  std::int64_t day_of_year_ = 0;
  std::int64_t hour_ = 0;
  std::int64_t minute_ = 0;
  std::int64_t second_ = 0;
  std::int64_t nanosecond_ = 0;
  std::int64_t offset_ = 0;
  int pm_ = -1;
};

}  // namespace

std::string format_go_time(base::Timestamp time, std::string_view layout) {
  const Civil parts = civil(time);
  std::string out;
  while (!layout.empty()) {
    std::size_t length = 0;
    const Element element = element_at(layout, length);
    out += print_element(element, parts, layout.substr(0, length));
    layout.remove_prefix(length);
  }
  return out;
}

std::optional<base::Timestamp> parse_go_time(std::string_view text, std::string_view layout) {
  Reader reader(text);
  while (!layout.empty()) {
    std::size_t length = 0;
    const Element element = element_at(layout, length);
    if (!reader.element(element, layout.substr(0, length))) return std::nullopt;
    layout.remove_prefix(length);
  }
  return reader.finish();
}

}  // namespace weir::gotext
