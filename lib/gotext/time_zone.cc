#include "gotext/time_zone.h"

#include "base/civil.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <mutex>
#include <utility>

namespace weir::gotext {
namespace {

constexpr std::int64_t kBegin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kMaxFile = 1 << 20;
constexpr std::size_t kMaxZones = 1000;  // the database has some 600

std::string read_file(const std::string& path) {
  std::string out;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return out;
  struct stat status = {};
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && static_cast<std::size_t>(status.st_size) <= kMaxFile) {
    out.resize(static_cast<std::size_t>(status.st_size));
    std::size_t size = 0;
    while (size < out.size()) {
      const ssize_t got = read(file, out.data() + size, out.size() - size);
      if (got <= 0) break;
      size += static_cast<std::size_t>(got);
    }
    out.resize(size);
  }
  close(file);
  return out;
}

// Numbers of a file, most significant byte first. Reading beyond the end sets `bad`.
struct Bytes {
  std::string_view rest;
  bool bad = false;
  std::string_view take(std::size_t size) {
    bad = bad || size > rest.size();
    if (bad) return {};
    const std::string_view taken = rest.substr(0, size);
    rest.remove_prefix(size);
    return taken;
  }
  std::int64_t number(std::size_t size) {
    const std::string_view bytes = take(size);
    std::uint64_t value = !bytes.empty() && (bytes[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<std::int64_t>(value);
  }
};

struct Counts {
  std::array<std::size_t, 6> of{};  // utc flags, standard flags, leap seconds, changes, local times, bytes of names
  bool read(Bytes& bytes) {
    for (std::size_t& count : of) {
      const std::int64_t value = bytes.number(4);
      if (value < 0) return false;
      count = static_cast<std::size_t>(value);
    }
    return !bytes.bad;
  }
  [[nodiscard]] std::size_t body(std::size_t time) const {
    return of[3] * time + of[3] + of[4] * 6 + of[5] + of[2] * (time + 4) + of[1] + of[0];
  }
};

}  // namespace

std::shared_ptr<const TimeZone> TimeZone::load(std::string_view name) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const TimeZone>, std::less<>> zones;
  if (name.empty() || name[0] == '/' || name[0] == '\\' || name.size() > 100 || name.find("..") != std::string_view::npos ||
      name.find('\0') != std::string_view::npos)
    return nullptr;
  const std::lock_guard lock(mutex);
  const auto found = zones.find(name);
  if (found != zones.end()) return found->second;
  auto zone = parse(name, read_file("/usr/share/zoneinfo/" + std::string(name)));
  if (zone != nullptr && zones.size() < kMaxZones) zones.emplace(name, zone);
  return zone;
}

std::shared_ptr<const TimeZone> TimeZone::local() {
  static const std::shared_ptr<const TimeZone> zone = [] {
    auto made = std::make_shared<TimeZone>();
    made->name_ = "UTC";
    return made;
  }();
  return zone;
}

std::shared_ptr<const TimeZone> TimeZone::fixed(std::string_view name, std::int64_t offset) {
  auto zone = std::make_shared<TimeZone>();
  zone->name_ = std::string(name);
  zone->locals_.push_back({.name = std::string(name), .offset = offset, .daylight = false});
  zone->changes_.push_back({.second = kBegin, .local = 0});
  return zone;
}

bool TimeZone::is_plain_offset() const {
  return name_.empty() && locals_.size() == 1 && locals_[0].offset % 3600 == 0 && locals_[0].offset >= -12 * 3600 &&
         locals_[0].offset <= 14 * 3600;
}

// Reads the rule at the end of a file: `CET-1CEST,M3.5.0,M10.5.0/3`.
class TimeZone::TailReader {
 public:
  explicit TailReader(std::string_view text) : text_(text) {}

  std::optional<Tail> read() {
    Tail tail;
    if (!name(tail.standard.name) || !offset(tail.standard.offset)) return std::nullopt;
    tail.standard.offset = -tail.standard.offset;
    if (text_.empty() || text_[0] == ',') return tail;
    if (!name(tail.daylight.name)) return std::nullopt;
    tail.daylight.offset = tail.standard.offset + 3600;
    if (!text_.empty() && text_[0] != ',') {
      if (!offset(tail.daylight.offset)) return std::nullopt;
      tail.daylight.offset = -tail.daylight.offset;
    }
    tail.daylight.daylight = true;
    tail.changes = true;
    if (text_.empty()) text_ = ",M3.2.0,M11.1.0";
    if (!skip(',') || !rule(tail.begin) || !skip(',') || !rule(tail.end) || !text_.empty()) return std::nullopt;
    return tail;
  }

 private:
  bool skip(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool name(std::string& out) {
    std::size_t size = 0;
    if (skip('<')) {
      size = text_.find('>');
      if (size == std::string_view::npos) return false;
      out = std::string(text_.substr(0, size));
      text_.remove_prefix(size + 1);
      return true;
    }
    size = std::min(text_.find_first_of("0123456789,-+"), text_.size());
    out = std::string(text_.substr(0, size));
    text_.remove_prefix(size);
    return size >= 3;
  }
  bool number(int least, int most, int& out) {
    std::size_t digits = 0;
    out = 0;
    while (digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9' && out <= most)
      out = out * 10 + (text_[digits++] - '0');
    text_.remove_prefix(digits);
    return digits > 0 && out >= least && out <= most;
  }
  bool offset(std::int64_t& out) {
    const bool negative = text_.starts_with('-');
    if (negative || text_.starts_with('+')) text_.remove_prefix(1);
    int hours = 0;
    int minutes = 0;
    int seconds = 0;
    if (!number(0, 24 * 7, hours)) return false;
    if (skip(':') && (!number(0, 59, minutes) || (skip(':') && !number(0, 59, seconds)))) return false;
    out = hours * 3600 + minutes * 60 + seconds;
    if (negative) out = -out;
    return true;
  }
  bool rule(Rule& out) {
    if (skip('J')) {
      if (!number(1, 365, out.day)) return false;
    } else if (skip('M')) {
      out.kind = Rule::Kind::month_week_day;
      if (!number(1, 12, out.month) || !skip('.') || !number(1, 5, out.week) || !skip('.') || !number(0, 6, out.day)) return false;
    } else {
      out.kind = Rule::Kind::day_of_year;
      if (!number(0, 365, out.day)) return false;
    }
    out.time = 2 * 3600;
    return !skip('/') || offset(out.time);
  }
  std::string_view text_;
};

std::shared_ptr<const TimeZone> TimeZone::parse(std::string_view name, std::string_view file) {
  Bytes bytes{.rest = file};
  if (bytes.take(4) != "TZif") return nullptr;
  const std::string_view version = bytes.take(1);
  bytes.take(15);
  Counts counts;
  if (bytes.bad || !counts.read(bytes)) return nullptr;
  std::size_t time = 4;
  if (version[0] >= '2') {  // the same again with times of eight bytes
    bytes.take(counts.body(4));
    bytes.take(20);
    if (bytes.bad || !counts.read(bytes)) return nullptr;
    time = 8;
  }
  const auto [utc_flags, standard_flags, leaps, changes, locals, name_bytes] = counts.of;
  Bytes times{.rest = bytes.take(changes * time)};
  const std::string_view indexes = bytes.take(changes);
  Bytes types{.rest = bytes.take(locals * 6)};
  const std::string_view names = bytes.take(name_bytes);
  bytes.take(leaps * (time + 4) + standard_flags + utc_flags);
  if (bytes.bad || locals == 0) return nullptr;
  auto zone = std::make_shared<TimeZone>();
  zone->name_ = std::string(name);
  for (std::size_t i = 0; i < locals; ++i) {
    Local local;
    local.offset = types.number(4);
    local.daylight = types.number(1) != 0;
    const auto begin = static_cast<std::size_t>(types.number(1) & 0xff);
    if (begin >= names.size()) return nullptr;
    local.name = std::string(names.substr(begin, names.find('\0', begin) - begin));
    zone->locals_.push_back(std::move(local));
  }
  for (std::size_t i = 0; i < changes; ++i) {
    const auto local = static_cast<std::size_t>(static_cast<unsigned char>(indexes[i]));
    if (local >= locals) return nullptr;
    zone->changes_.push_back({.second = times.number(time), .local = local});
  }
  if (zone->changes_.empty()) zone->changes_.push_back({.second = kBegin, .local = 0});
  if (version[0] >= '2' && bytes.rest.size() > 2 && bytes.rest.front() == '\n' && bytes.rest.back() == '\n')
    zone->tail_ = TailReader(bytes.rest.substr(1, bytes.rest.size() - 2)).read();
  return zone;
}

// The local time before the first change.
std::size_t TimeZone::first_local() const {
  const auto is_first = [](const Change& change) { return change.local == 0; };
  if (std::none_of(changes_.begin(), changes_.end(), is_first)) return 0;
  if (!changes_.empty() && locals_[changes_[0].local].daylight) {
    for (std::size_t i = changes_[0].local; i-- > 0;) {
      if (!locals_[i].daylight) return i;
    }
  }
  for (std::size_t i = 0; i < locals_.size(); ++i) {
    if (!locals_[i].daylight) return i;
  }
  return 0;
}

TimeZone::Period TimeZone::at(std::int64_t second) const {
  const auto period = [](const Local& local, std::int64_t begin, std::int64_t end) {
    return Period{.name = local.name, .offset = local.offset, .daylight = local.daylight, .begin = begin, .end = end};
  };
  if (locals_.empty()) return {.name = "UTC", .offset = 0, .daylight = false, .begin = kBegin, .end = kEnd};
  if (changes_.empty() || second < changes_.front().second)
    return period(locals_[first_local()], kBegin, changes_.empty() ? kEnd : changes_.front().second);
  const auto next = std::upper_bound(changes_.begin(), changes_.end(), second,
                                     [](std::int64_t wanted, const Change& change) { return wanted < change.second; });
  const Change& change = *(next - 1);
  if (next == changes_.end() && tail_) return tail_at(second, change.second);
  return period(locals_[change.local], change.second, next == changes_.end() ? kEnd : next->second);
}

std::int64_t TimeZone::second_of_year(std::int64_t year, const Rule& rule, std::int64_t offset) {
  const std::int64_t first = base::days_from_civil(year, 1, 1);
  const bool leap = base::days_in_month(year, 2) == 29;
  std::int64_t day = 0;
  switch (rule.kind) {
    case Rule::Kind::julian:
      day = rule.day - 1 + (leap && rule.day >= 60 ? 1 : 0);
      break;
    case Rule::Kind::day_of_year:
      day = rule.day;
      break;
    case Rule::Kind::month_week_day: {
      const auto month = static_cast<unsigned>(rule.month);
      const std::int64_t begin = base::days_from_civil(year, month, 1);
      const std::int64_t weekday = ((begin % 7) + 11) % 7;
      std::int64_t within = (rule.day - weekday + 7) % 7;
      for (int week = 1; week < rule.week && within + 7 < base::days_in_month(year, month); ++week) within += 7;
      day = begin - first + within;
      break;
    }
  }
  return day * base::kSecondsPerDay + rule.time - offset;
}

TimeZone::Period TimeZone::tail_at(std::int64_t second, std::int64_t last_change) const {
  const Tail& tail = *tail_;
  const auto period = [](const Local& local, std::int64_t begin, std::int64_t end) {
    return Period{.name = local.name, .offset = local.offset, .daylight = local.daylight, .begin = begin, .end = end};
  };
  if (!tail.changes) return period(tail.standard, last_change, kEnd);
  std::int64_t days = second / base::kSecondsPerDay;
  if (second % base::kSecondsPerDay < 0) --days;
  const std::int64_t year = base::civil_from_days(days).year;
  const std::int64_t start = base::days_from_civil(year, 1, 1) * base::kSecondsPerDay;
  std::int64_t begin = second_of_year(year, tail.begin, tail.standard.offset);
  std::int64_t end = second_of_year(year, tail.end, tail.daylight.offset);
  const Local* outside = &tail.standard;
  const Local* inside = &tail.daylight;
  if (end < begin) {
    std::swap(begin, end);
    std::swap(outside, inside);
  }
  const std::int64_t of_year = second - start;
  if (of_year < begin) return period(*outside, start, start + begin);
  if (of_year >= end) return period(*outside, start + end, start + 365 * base::kSecondsPerDay);
  return period(*inside, start + begin, start + end);
}

std::optional<std::int64_t> TimeZone::offset_of(std::string_view name, std::int64_t second) const {
  for (const Local& local : locals_) {
    if (local.name != name) continue;
    const Period period = at(second - local.offset);
    if (period.name == name) return period.offset;
  }
  const auto found = std::find_if(locals_.begin(), locals_.end(), [&](const Local& local) { return local.name == name; });
  return found == locals_.end() ? std::nullopt : std::optional(found->offset);
}

}  // namespace weir::gotext
