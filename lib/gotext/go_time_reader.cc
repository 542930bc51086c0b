#include "base/civil.h"
#include "gotext/go_time.h"
#include "gotext/time_layout.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::gotext {
namespace {

using Element = TimeElement;

bool is_digit(std::string_view text, std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; }
bool is_point(char c) { return c == '.' || c == ','; }

// Reads a text by a layout, element by element.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // `rest`: the layout behind the element.
  bool element(Element element, std::string_view name, std::string_view rest) {
    switch (element) {
      case Element::year:
        return is_digit(text_, 0) && integer(4, year_);
      case Element::short_year:
        if (!integer(2, year_)) return false;
        year_ += year_ >= 69 ? 1900 : 2000;
        return true;
      case Element::zero_month:
      case Element::month:
        return number(element == Element::zero_month, month_) && month_ >= 1 && month_ <= 12;
      case Element::month_name:
      case Element::long_month_name:
        return month_name(element == Element::month_name ? 3 : 20);
      case Element::padded_day:
        if (text_.starts_with(' ')) text_.remove_prefix(1);
        return number(false, day_);
      case Element::zero_day:
      case Element::day:
        return number(element == Element::zero_day, day_);
      case Element::zero_day_of_year:
      case Element::padded_day_of_year:
        return day_of_year(element == Element::zero_day_of_year);
      case Element::weekday:
      case Element::long_weekday:
        return weekday(element == Element::weekday ? 3 : 20);
      case Element::hour:
        return number(false, hour_) && hour_ < 24;
      case Element::zero_hour12:
      case Element::hour12:
        return number(element == Element::zero_hour12, hour_) && hour_ <= 12;
      case Element::zero_minute:
      case Element::minute:
        return number(element == Element::zero_minute, minute_) && minute_ < 60;
      case Element::zero_second:
      case Element::second:
        return number(element == Element::zero_second, second_) && second_ < 60 && unasked_fraction(rest);
      case Element::upper_pm:
        return half("AM", "PM");
      case Element::lower_pm:
        return half("am", "pm");
      case Element::zone_name:
        return zone();
      case Element::fraction_zeros:
        return text_.size() >= name.size() && fraction(name.size());
      case Element::fraction_nines:
        return text_.size() < 2 || !is_point(text_[0]) || !is_digit(text_, 1) || fraction(digits_behind_point());
      case Element::none:
        return literal(name);
      default:
        return offset(element);
    }
  }

  // Blanks of a layout stand for any number of blanks.
  bool literal(std::string_view prefix) {
    while (!prefix.empty()) {
      if (prefix[0] == ' ') {
        if (!text_.empty() && text_[0] != ' ') return false;
        skip_blanks(prefix);
        skip_blanks(text_);
        continue;
      }
      if (text_.empty() || text_[0] != prefix[0]) return false;
      prefix.remove_prefix(1);
      text_.remove_prefix(1);
    }
    return true;
  }

  std::optional<GoTime> finish(std::shared_ptr<const TimeZone> zone) {
    if (!text_.empty()) return std::nullopt;
    if (half_ == Half::afternoon && hour_ < 12) hour_ += 12;
    if (half_ == Half::morning && hour_ == 12) hour_ = 0;
    if (!settle_day()) return std::nullopt;
    GoCivil date;
    date.year = year_;
    date.month = static_cast<int>(month_);
    date.day = static_cast<int>(day_);
    date.hour = static_cast<int>(hour_);
    date.minute = static_cast<int>(minute_);
    date.second = static_cast<int>(second_);
    if (utc_) return time_of(date, nanosecond_, nullptr);
    GoTime time = time_of(date, nanosecond_, nullptr);
    if (offset_) {
      time.seconds -= *offset_;
      const auto here = zone == nullptr ? TimeZone::Period{.name = "UTC"} : zone->at(time.seconds);
      const bool same = here.offset == *offset_ && (zone_name_.empty() || here.name == zone_name_);
      time.zone = same ? std::move(zone) : TimeZone::fixed(zone_name_, *offset_);
      return time;
    }
    if (zone_name_.empty()) return time_of(date, nanosecond_, std::move(zone));
    if (const auto offset = zone == nullptr ? std::nullopt : zone->offset_of(zone_name_, time.seconds)) {
      time.seconds -= *offset;
      time.zone = std::move(zone);
      return time;
    }
    std::int64_t hours = 0;
    if (zone_name_.size() > 3 && zone_name_.starts_with("GMT")) read_integer(std::string_view(zone_name_).substr(3), hours);
    time.zone = TimeZone::fixed(zone_name_, hours * 3600);
    return time;
  }

 private:
  enum class Half : std::uint8_t { none, morning, afternoon };

  static void skip_blanks(std::string_view& text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
  }

  // Digits, perhaps behind a sign.
  static bool read_integer(std::string_view text, std::int64_t& out) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    if (text.empty()) return false;
    out = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (!is_digit(text, i)) return false;
      out = out * 10 + (text[i] - '0');
    }
    if (negative) out = -out;
    return true;
  }
  bool integer(std::size_t size, std::int64_t& out) {
    if (text_.size() < size || !read_integer(text_.substr(0, size), out)) return false;
    text_.remove_prefix(size);
    return true;
  }
  // One or two digits.
  bool number(bool two, std::int64_t& out) {
    if (!is_digit(text_, 0) || (two && !is_digit(text_, 1))) return false;
    return integer(is_digit(text_, 1) ? 2 : 1, out);
  }
  bool day_of_year(bool three) {
    for (int i = 0; i < 2 && !three && text_.starts_with(' '); ++i) text_.remove_prefix(1);
    std::size_t digits = 0;
    while (digits < 3 && is_digit(text_, digits)) ++digits;
    return digits > 0 && (!three || digits == 3) && integer(digits, day_of_year_);
  }

  template <std::size_t size>
  bool named(const std::array<std::string_view, size>& names, std::size_t length, std::int64_t& index) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    for (std::size_t i = 0; i < size; ++i) {
      const std::string_view name = names[i].substr(0, length);
      if (text_.size() < name.size() ||
          !std::equal(name.begin(), name.end(), text_.begin(), [&](char a, char b) { return lower(a) == lower(b); }))
        continue;
      index = static_cast<std::int64_t>(i);
      text_.remove_prefix(name.size());
      return true;
    }
    return false;
  }
  bool month_name(std::size_t length) {
    constexpr std::array<std::string_view, 12> kNames = {"January", "February", "March",     "April",   "May",      "June",
                                                         "July",    "August",   "September", "October", "November", "December"};
    if (!named(kNames, length, month_)) return false;
    ++month_;
    return true;
  }
  bool weekday(std::size_t length) {
    constexpr std::array<std::string_view, 7> kNames = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                        "Thursday", "Friday", "Saturday"};
    std::int64_t unused = 0;
    return named(kNames, length, unused);
  }
  bool half(std::string_view morning, std::string_view afternoon) {
    if (!text_.starts_with(morning) && !text_.starts_with(afternoon)) return false;
    half_ = text_.starts_with(morning) ? Half::morning : Half::afternoon;
    text_.remove_prefix(2);
    return true;
  }

  // A point and digits, `size` bytes together.
  bool fraction(std::size_t size) {
    if (!is_point(text_[0])) return false;
    const std::string_view digits = text_.substr(1, std::min<std::size_t>(size - 1, 9));
    std::int64_t value = 0;
    if (!read_integer(digits, value) || value < 0) return false;
    for (std::size_t i = digits.size(); i < 9; ++i) value *= 10;
    nanosecond_ = static_cast<std::int32_t>(value);
    text_.remove_prefix(size);
    return true;
  }
  std::size_t digits_behind_point() const {
    std::size_t end = 1;
    while (is_digit(text_, end)) ++end;
    return end;
  }
  // Seconds may have a fraction that the layout does not name.
  bool unasked_fraction(std::string_view rest) {
    if (text_.size() < 2 || !is_point(text_[0]) || !is_digit(text_, 1)) return true;
    for (std::string_view layout = rest; !layout.empty();) {
      std::size_t length = 0;
      const Element next = time_element(layout, length);
      if (next == Element::fraction_zeros || next == Element::fraction_nines) return true;
      if (next != Element::none) break;
      layout.remove_prefix(length);
    }
    return fraction(digits_behind_point());
  }

  // ---- zones

  bool offset(Element element) {
    const bool iso = element >= Element::iso_offset && element <= Element::iso_offset_colons;
    if (iso && text_.starts_with('Z')) {
      text_.remove_prefix(1);
      utc_ = true;
      return true;
    }
    std::string_view form = "hm";
    if (element == Element::offset_colon || element == Element::iso_offset_colon) form = "h:m";
    if (element == Element::offset_short || element == Element::iso_offset_short) form = "h";
    if (element == Element::offset_seconds || element == Element::iso_offset_seconds) form = "hms";
    if (element == Element::offset_colons || element == Element::iso_offset_colons) form = "h:m:s";
    if (text_.empty() || (text_[0] != '+' && text_[0] != '-')) return false;
    const bool negative = text_[0] == '-';
    text_.remove_prefix(1);
    std::int64_t seconds = 0;
    for (const char part : form) {
      std::int64_t value = 0;
      if (part == ':') {
        if (!text_.starts_with(':')) return false;
        text_.remove_prefix(1);
        continue;
      }
      if (!number(true, value) || value > (part == 'h' ? 24 : 60)) return false;
      seconds += value * (part == 'h' ? 3600 : part == 'm' ? 60 : 1);
    }
    offset_ = negative ? -seconds : seconds;
    if (*offset_ == -1) offset_.reset();  // Go's mark of no offset
    return true;
  }

  // "CET", "CEST", "GMT+3", "+05"
  bool zone() {
    if (text_.starts_with("UTC")) {
      text_.remove_prefix(3);
      utc_ = true;
      return true;
    }
    std::size_t length = 0;
    if (text_.size() < 3) return false;
    if (text_.starts_with("ChST") || text_.starts_with("MeST")) {
      length = 4;
    } else if (text_.starts_with("GMT")) {
      length = 3 + signed_hours(text_.substr(3));
    } else if (text_[0] == '+' || text_[0] == '-') {
      length = signed_hours(text_);
    } else {
      std::size_t letters = 0;
      while (letters < 6 && letters < text_.size() && text_[letters] >= 'A' && text_[letters] <= 'Z') ++letters;
      const bool t = letters > 3 && letters < 6 && text_[letters - 1] == 'T';
      length = letters == 3 || t || (letters == 4 && text_.starts_with("WITA")) ? letters : 0;
    }
    zone_name_ = std::string(text_.substr(0, length));
    text_.remove_prefix(length);
    return length > 0;
  }
  static std::size_t signed_hours(std::string_view text) {
    if (text.empty() || (text[0] != '+' && text[0] != '-')) return 0;
    std::size_t end = 1;
    std::int64_t hours = 0;
    for (; is_digit(text, end); ++end) hours = std::min<std::int64_t>(hours * 10 + (text[end] - '0'), 100);
    return end == 1 || hours > 23 ? 0 : end;
  }

  // The month and day from the day of the year, and whether they fit together.
  bool settle_day() {
    const bool leap = base::days_in_month(year_, 2) == 29;
    if (day_of_year_ >= 0) {
      if (day_of_year_ < 1 || day_of_year_ > (leap ? 366 : 365)) return false;
      const base::CivilDate date = base::civil_from_days(base::days_from_civil(year_, 1, 1) + day_of_year_ - 1);
      if ((month_ >= 0 && month_ != date.month) || (day_ >= 0 && day_ != date.day)) return false;
      month_ = date.month;
      day_ = date.day;
    }
    if (month_ < 0) month_ = 1;
    if (day_ < 0) day_ = 1;
    return day_ >= 1 && day_ <= base::days_in_month(year_, static_cast<unsigned>(month_));
  }

  std::string_view text_;
  std::int64_t year_ = 0;
  std::int64_t month_ = -1;
  std::int64_t day_ = -1;
  std::int64_t day_of_year_ = -1;
  std::int64_t hour_ = 0;
  std::int64_t minute_ = 0;
  std::int64_t second_ = 0;
  std::int32_t nanosecond_ = 0;
  Half half_ = Half::none;
  bool utc_ = false;
  std::optional<std::int64_t> offset_;
  std::string zone_name_;
};

}  // namespace

std::optional<GoTime> parse(std::string_view text, std::string_view layout, std::shared_ptr<const TimeZone> zone) {
  Reader reader(text);
  while (!layout.empty()) {
    // Literal text is compared as a whole, because blanks in it stand together.
    std::size_t literal = 0;
    std::size_t length = 0;
    Element element = Element::none;
    while (literal < layout.size()) {
      element = time_element(layout.substr(literal), length);
      if (element != Element::none) break;
      ++literal;
    }
    if (!reader.literal(layout.substr(0, literal))) return std::nullopt;
    layout.remove_prefix(literal);
    if (layout.empty()) break;
    if (!reader.element(element, layout.substr(0, length), layout.substr(length))) return std::nullopt;
    layout.remove_prefix(length);
  }
  return reader.finish(std::move(zone));
}

}  // namespace weir::gotext
