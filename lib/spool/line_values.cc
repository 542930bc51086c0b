#include "spool/line_values.h"

#include "base/civil.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace weir::spool {
namespace {

// A control character that logs hardly use. Its code follows.
constexpr char kMark = 0x16;

// Codes of times: the digits of the fraction, and the sum of these.
constexpr unsigned kComma = 10;  // stands before the fraction
constexpr unsigned kBlank = 20;  // stands between date and time, in place of T
constexpr unsigned kTimeCodes = 40;
// Codes of ids: the number of pairs of digits, and one of these.
constexpr unsigned kLower = 0x40, kUpper = 0x80;
constexpr unsigned kMostPairs = 0x3f;
constexpr unsigned kLowerUuid = 0xc0, kUpperUuid = 0xc1;

constexpr std::size_t kLeastDigits = 16, kMostDigits = 2 * kMostPairs;
constexpr std::size_t kUuid = 36, kTime = 19;
constexpr std::array<std::size_t, 4> kUuidDashes = {8, 13, 18, 23};

constexpr std::int64_t kFirstSecond = base::days_from_civil(1678, 1, 1) * base::kSecondsPerDay;
constexpr std::int64_t kEndSecond = base::days_from_civil(2262, 1, 1) * base::kSecondsPerDay;

constexpr std::array<std::int64_t, 10> kUnits = {1'000'000'000, 100'000'000, 10'000'000, 1'000'000, 100'000,
                                                 10'000,        1'000,       100,        10,        1};

// For each byte the cases of which it is a digit.
constexpr std::uint8_t kIsLower = 1, kIsUpper = 2;
constexpr auto kCases = [] {
  std::array<std::uint8_t, 256> cases = {};
  for (unsigned c = '0'; c <= '9'; ++c) cases[c] = kIsLower | kIsUpper;
  for (unsigned c = 'a'; c <= 'f'; ++c) cases[c] = kIsLower;
  for (unsigned c = 'A'; c <= 'F'; ++c) cases[c] = kIsUpper;
  return cases;
}();

inline std::uint8_t cases_of(char c) { return kCases[static_cast<unsigned char>(c)]; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

inline std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Reads and prints the date of a time, mostly the same as before.
struct Day {
  std::array<char, 10> text = {};
  std::int64_t days = INT64_MIN;  // since 1970

  // `at`: ten bytes, with dashes in their places.
  bool read(const char* at) {
    if (days != INT64_MIN && std::memcmp(at, text.data(), text.size()) == 0) return true;
    for (const int place : {0, 1, 2, 3, 5, 6, 8, 9}) {
      if (!is_digit(at[place])) return false;
    }
    const auto pair = [at](int place) { return static_cast<unsigned>((at[place] - '0') * 10 + (at[place + 1] - '0')); };
    const std::int64_t year = pair(0) * 100 + pair(2);
    const unsigned month = pair(5), day = pair(8);
    if (year < 1678 || year > 2261 || month < 1 || month > 12 || day < 1 || day > base::days_in_month(year, month)) return false;
    days = base::days_from_civil(year, month, day);
    std::memcpy(text.data(), at, text.size());
    return true;
  }

  void set(std::int64_t wanted) {
    if (wanted == days) return;
    days = wanted;
    const base::CivilDate date = base::civil_from_days(days);
    auto year = static_cast<unsigned>(date.year);
    for (int place = 3; place >= 0; --place, year /= 10) text[static_cast<std::size_t>(place)] = static_cast<char>('0' + year % 10);
    const auto put = [this](std::size_t place, unsigned value) {
      text[place] = static_cast<char>('0' + value / 10);
      text[place + 1] = static_cast<char>('0' + value % 10);
    };
    text[4] = text[7] = '-';
    put(5, date.month);
    put(8, date.day);
  }
};

struct Value {
  std::size_t begin = std::string_view::npos;  // npos: there is none
  std::size_t end = 0;
  unsigned code = 0;
  std::int64_t time = 0;  // in units of its last digit
};

// Looks through lines from the front; what is before `from` may have changed meanwhile.
class Finder {
 public:
  explicit Finder(std::string_view lines) : lines_(lines), run_(find_run(0)), dashed_(find_dashed(0)) {}

  // The first value that begins at `from` or later. `from` never goes back.
  Value next(std::size_t from) {
    if (run_.begin < from) run_ = find_run(from);
    if (dashed_.begin < from) dashed_ = find_dashed(from);
    return run_.begin <= dashed_.begin ? run_ : dashed_;
  }

 private:
  [[nodiscard]] std::uint8_t cases_at(std::size_t at) const { return at < lines_.size() ? cases_of(lines_[at]) : std::uint8_t{0}; }

  // Sixteen digits in a row take in one byte of every sixteen, and the eight bytes before it or the eight behind it. Text seldom
  // has digits in three of these places.
  [[nodiscard]] Value find_run(std::size_t from) const {
    for (std::size_t at = from + kLeastDigits - 1; at < lines_.size(); at += kLeastDigits) {
      const unsigned before = cases_of(lines_[at - 8]) & cases_of(lines_[at - 4]);
      const unsigned behind = cases_at(at + 4) & cases_at(at + 8);
      const unsigned cases = cases_of(lines_[at]) & (before | behind);
      if (cases == 0) continue;
      std::size_t numerals_end = 0;
      for (const unsigned one : {kIsLower, kIsUpper}) {
        if ((cases & one) == 0) continue;
        std::size_t begin = at;
        while (begin > from && (cases_of(lines_[begin - 1]) & one) != 0) --begin;
        const std::size_t most = std::min(begin + kMostDigits, lines_.size());
        std::size_t end = at;
        while (end < most && (cases_of(lines_[end]) & one) != 0) ++end;
        std::size_t digits = end - begin;
        if (digits < kLeastDigits) continue;
        if (std::ranges::all_of(lines_.substr(begin, digits), is_digit)) {
          numerals_end = end;  // a counter or a time: text repeats its upper digits
          continue;
        }
        digits -= digits % 2;
        return {begin, begin + digits, (one == kIsLower ? kLower : kUpper) + static_cast<unsigned>(digits / 2)};
      }
      if (numerals_end == 0) continue;
      from = numerals_end;
      at = from - 1;
    }
    return {};
  }

  // UUIDs and times.
  [[nodiscard]] Value find_dashed(std::size_t from) {
    constexpr std::size_t kRest = 15;  // of a time, from its first dash on
    for (std::size_t at = lines_.find('-', from); at < lines_.size() && lines_.size() - at >= kRest;
         at = lines_.find('-', at + 1)) {
      Value value;
      if (lines_[at + 3] == '-') {
        if (at - from >= 4) value = time_at(at - 4);
      } else if (lines_[at + 5] == '-') {
        if (at - from >= 8) value = uuid_at(at - 8);
      }
      if (value.end != 0) return value;
    }
    return {};
  }

  // 2026-11-30T10:00:00.123456789
  // 0    5  8  11 14 17 19
  [[nodiscard]] Value time_at(std::size_t begin) {
    const char* const at = lines_.data() + begin;
    if (at[13] != ':' || at[16] != ':' || (at[10] != 'T' && at[10] != ' ')) return {};
    for (const int place : {11, 12, 14, 15, 17, 18}) {
      if (!is_digit(at[place])) return {};
    }
    const auto pair = [at](int place) { return (at[place] - '0') * 10 + (at[place + 1] - '0'); };
    const int hour = pair(11), minute = pair(14), second = pair(17);
    if (hour > 23 || minute > 59 || second > 59 || !day_.read(at)) return {};
    std::int64_t time = day_.days * base::kSecondsPerDay + hour * 3600 + minute * 60 + second;
    const std::string_view rest = lines_.substr(begin + kTime, 10);
    unsigned digits = 0;
    if (!rest.empty() && (rest[0] == '.' || rest[0] == ',')) {
      for (; digits + 1 < rest.size() && is_digit(rest[digits + 1]); ++digits) time = time * 10 + (rest[digits + 1] - '0');
    }
    const unsigned code = digits + (digits > 0 && rest[0] == ',' ? kComma : 0) + (at[10] == ' ' ? kBlank : 0);
    return {begin, begin + kTime + (digits > 0 ? digits + 1 : 0), code, time};
  }

  [[nodiscard]] Value uuid_at(std::size_t begin) const {
    const std::string_view text = lines_.substr(begin, kUuid);
    if (text.size() < kUuid) return {};
    unsigned cases = kIsLower | kIsUpper;
    for (std::size_t i = 0; i < kUuid; ++i) {
      const bool dash = std::ranges::find(kUuidDashes, i) != kUuidDashes.end();
      cases &= dash ? (text[i] == '-' ? ~0U : 0U) : cases_of(text[i]);
    }
    if (cases == 0) return {};
    return {begin, begin + kUuid, (cases & kIsLower) != 0 ? kLowerUuid : kUpperUuid};
  }

  const std::string_view lines_;
  Day day_;
  Value run_, dashed_;
};

// Of a hex digit, without a branch, because nothing predicts the next digit.
inline unsigned number_of(char digit) {
  const auto byte = static_cast<unsigned char>(digit);
  return (byte & 0xfU) + 9 * (byte >> 6);
}

void put_id(std::string& ids, std::string_view id) {
  for (std::size_t i = 0; i < id.size(); i += 2) {
    if (id[i] == '-') ++i;  // a pair follows
    ids.push_back(static_cast<char>(number_of(id[i]) << 4 | number_of(id[i + 1])));
  }
}

// The two digits of each byte.
constexpr std::array<std::array<char, 2>, 256> pairs_in(std::string_view digits) {
  std::array<std::array<char, 2>, 256> pairs = {};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {digits[i >> 4], digits[i & 0xf]};
  return pairs;
}
constexpr auto kLowerDigits = pairs_in("0123456789abcdef"), kUpperDigits = pairs_in("0123456789ABCDEF");

class Restorer {
 public:
  Restorer(std::string_view ids, const wire::Planes& times, base::Timestamp origin) : ids_(ids), times_(times), before_(origin) {
    for (const std::string_view plane : times_) times_count_ = std::max(times_count_, plane.size());
    for (const std::string_view plane : times_) sound_ = sound_ && (plane.empty() || plane.size() == times_count_);
  }

  [[nodiscard]] bool sound() const { return sound_; }
  [[nodiscard]] bool complete() const { return ids_.empty() && next_time_ == times_count_; }

  // The bytes of a value; 0: no value has the code, or there is none left.
  [[nodiscard]] std::size_t size(unsigned code) const {
    if (code < kTimeCodes) {
      const unsigned digits = code % 10;
      return kTime + (digits > 0 ? digits + 1 : 0);
    }
    const std::size_t pairs = pairs_of(code);
    if (pairs == 0 || pairs > ids_.size()) return 0;
    return code >= kLowerUuid ? kUuid : 2 * pairs;
  }

  // Writes as many bytes as size() said. False: damaged.
  bool print(unsigned code, char* out) {
    if (code < kTimeCodes) return print_time(code, out);
    const bool uuid = code >= kLowerUuid;
    const auto& digits = code == kUpperUuid || (!uuid && code >= kUpper) ? kUpperDigits : kLowerDigits;
    const std::size_t pairs = pairs_of(code);
    for (std::size_t i = 0; i < pairs; ++i) {
      if (uuid && (i == 4 || i == 6 || i == 8 || i == 10)) *out++ = '-';
      std::memcpy(out, digits[static_cast<unsigned char>(ids_[i])].data(), 2);
      out += 2;
    }
    ids_.remove_prefix(pairs);
    return true;
  }

 private:
  static std::size_t pairs_of(unsigned code) {
    if (code == kLowerUuid || code == kUpperUuid) return 16;
    return code >= kLower && code < kLowerUuid ? code & kMostPairs : 0;
  }

  bool print_time(unsigned code, char* out) {
    const unsigned digits = code % 10;
    const std::int64_t unit = kUnits[digits], a_second = kUnits[9 - digits];
    std::uint64_t difference = 0;
    if (times_count_ != 0) {  // else all differences are zero
      if (next_time_ == times_count_) return false;
      difference = wire::number_at(times_, next_time_++);
    }
    const std::int64_t time = wire::sum(floor_divide(before_, unit), wire::from_zigzag(difference));
    const std::int64_t second = floor_divide(time, a_second);
    if (second < kFirstSecond || second >= kEndSecond) return false;
    before_ = time * unit;
    const std::int64_t days = floor_divide(second, base::kSecondsPerDay);
    const auto of_day = static_cast<unsigned>(second - days * base::kSecondsPerDay);
    day_.set(days);
    std::memcpy(out, day_.text.data(), day_.text.size());
    const auto put = [out](int place, unsigned value) {
      out[place] = static_cast<char>('0' + value / 10);
      out[place + 1] = static_cast<char>('0' + value % 10);
    };
    out[10] = code >= kBlank ? ' ' : 'T';
    put(11, of_day / 3600);
    put(14, of_day / 60 % 60);
    put(17, of_day % 60);
    out[13] = out[16] = ':';
    if (digits == 0) return true;
    out[kTime] = code % kBlank >= kComma ? ',' : '.';
    auto fraction = static_cast<std::uint64_t>(time - second * a_second);
    for (unsigned i = digits; i > 0; --i, fraction /= 10) out[kTime + i] = static_cast<char>('0' + fraction % 10);
    return true;
  }

  std::string_view ids_;
  const wire::Planes& times_;
  std::size_t times_count_ = 0, next_time_ = 0;
  base::Timestamp before_;
  bool sound_ = true;
  Day day_;
};

}  // namespace

std::size_t take_values(char* lines, std::size_t size, base::Timestamp origin, LineValues& values) {
  if (size == 0 || std::memchr(lines, kMark, size) != nullptr) return size;
  Finder finder({lines, size});
  std::size_t done = 0, to = 0;
  const auto keep = [&](std::size_t until) {
    if (to != done) std::memmove(lines + to, lines + done, until - done);
    to += until - done;
  };
  for (Value value = finder.next(0); value.end != 0; value = finder.next(done)) {
    keep(value.begin);
    if (value.code < kTimeCodes) {
      const std::int64_t unit = kUnits[value.code % 10];
      values.times.push_back(wire::zigzag(wire::difference(value.time, floor_divide(origin, unit))));
      origin = value.time * unit;
    } else {
      put_id(values.ids, {lines + value.begin, value.end - value.begin});
    }
    lines[to++] = kMark;
    lines[to++] = static_cast<char>(value.code);
    done = value.end;
  }
  keep(size);
  return to;
}

// A value lies wholly between two bytes that no value has. Where these are nearer than the shortest value, there is none.
std::string_view part_outside_values(std::string_view text) {
  const auto foreign = [](char c) { return cases_of(c) == 0 && std::string_view("-:T .,").find(c) == std::string_view::npos; };
  std::string_view longest;
  std::size_t begin = 0, latest = std::string_view::npos;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!foreign(text[at])) continue;
    if (latest == std::string_view::npos || at - latest > kLeastDigits) begin = at;
    latest = at;
    if (at + 1 - begin > longest.size()) longest = text.substr(begin, at + 1 - begin);
  }
  return longest;
}

bool put_values_back(char* lines, std::size_t size, std::size_t left, std::string_view ids, const wire::Planes& times,
                     base::Timestamp origin) {
  if (left > size) return false;
  Restorer values(ids, times, origin);
  if (!values.sound()) return false;
  const char* const end = lines + size;
  const char* from = end - left;
  char* to = lines;
  while (from < end) {
    const void* found = std::memchr(from, kMark, static_cast<std::size_t>(end - from));
    const char* const mark = found != nullptr ? static_cast<const char*>(found) : end;
    const auto bytes = static_cast<std::size_t>(mark - from);
    if (to != from) std::memmove(to, from, bytes);
    to += bytes;
    from = mark;
    if (from == end) break;
    if (end - from < 2) return false;
    const auto code = static_cast<unsigned>(static_cast<unsigned char>(from[1]));
    from += 2;
    const std::size_t bytes_of_value = values.size(code);
    // A value never reaches what is still to be read, since the lines are at least as long as what is left of them.
    if (bytes_of_value == 0 || bytes_of_value > static_cast<std::size_t>(from - to) || !values.print(code, to)) return false;
    to += bytes_of_value;
  }
  return to == end && values.complete();
}

}  // namespace weir::spool
