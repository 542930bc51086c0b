#include "cli/time_options.h"

#include "cli/value_options.h"
#include "record/time_bounds.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include <ctime>
#include <utility>

namespace weir::cli {

using base::Code;
using base::fail;
using base::Result;

Result<TimePoint> TimePoint::parse(const std::string& text) {
  // Whether it is a time does not depend on when that is.
  constexpr base::Timestamp any = 1'767'268'800 * base::kSecond;
  auto time = record::parse_time(text, any);
  if (time) return TimePoint(text);
  const bool out_of_range = record::is_time_out_of_range(text);
  const bool is_number = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
  return fail(Code::usage, "{}",
              text.starts_with('+') ? "it lies in the future"
              : out_of_range        ? "it is out of range"
              : is_number           ? "it has no unit"
                                    : "it is not a time")
      .with_hint(time.error().hint);
}

base::Timestamp TimePoint::at(base::Timestamp now) const {
  const auto time = record::parse_time(text_, now);
  return time ? *time : now;  // parse() has seen that it is one
}

bool TimePoint::is_time_of_day() const {
  return text_.find(':') != std::string::npos && text_.find_first_not_of("0123456789:") == std::string::npos;
}

namespace {

// "5m" of "-5m"; "" where that is no duration that counts back.
std::string without_minus(const std::string& text) {
  const bool counts_back = text.starts_with('-') && record::parse_duration(text);
  return counts_back ? text.substr(1) : std::string();
}

}  // namespace

CLI::Option* add_time(CLI::App& app, const std::string& names, std::optional<TimePoint>& value, const std::string& what) {
  const auto read = [&value](const std::string& text) -> Result<void> {
    auto time = TimePoint::parse(text);
    if (!time) return std::move(time).error();
    value = *std::move(time);
    return {};
  };
  return add_value(app, names, read, what)->type_name("TIME");
}

void declare_time(CLI::App& app, TimeFlags& flags, const std::string& default_since) {
  const auto read_since = [&flags](const std::string& text) -> Result<void> {
    if (const std::string length = without_minus(text); !length.empty()) {
      return fail(Code::usage, "it is negative").with_hint(fmt::format("--since {} is the last {}", length, length));
    }
    auto time = TimePoint::parse(text);
    if (!time) return std::move(time).error();
    flags.since = *std::move(time);
    return {};
  };
  auto* since =
      add_value(app, "--since", read_since, "records of the last 15m, 7d, …, or since a time: 10:00, 2026-05-01T10:00:00Z");
  since->type_name("DUR|TIME");
  if (!default_since.empty()) since->default_str(default_since);
  add_time(app, "--from", flags.from,
           "records from this time on: RFC 3339, a local date and time, a local time (the last 23:00), or how long ago");
  add_time(app, "--to", flags.to, "records before this time");
}

Result<void> check(const TimeFlags& flags) {
  if (!flags.since || !flags.from) return {};
  return fail(Code::usage, "cannot use --since together with --from").with_hint("both say where to start: give one of them");
}

namespace {

// In the time zone of the process, in which people write times of day.
std::tm local(base::Timestamp time) {
  const std::time_t seconds = time / base::kSecond;
  std::tm fields{};
  ::localtime_r(&seconds, &fields);
  return fields;
}

bool same_day(base::Timestamp a, base::Timestamp b) {
  return std::pair(local(a).tm_year, local(a).tm_yday) == std::pair(local(b).tm_year, local(b).tm_yday);
}

std::string time_of_day(base::Timestamp time) { return fmt::format("{:02}:{:02}", local(time).tm_hour, local(time).tm_min); }

}  // namespace

Result<base::TimeRange> time_range(const TimeFlags& flags, base::Timestamp now) {
  if (auto ok = check(flags); !ok) return std::move(ok).error();
  base::TimeRange range;
  if (flags.since) range.from = flags.since->at(now);
  if (flags.from) range.from = flags.from->at(now);
  if (flags.to) range.to = flags.to->at(now);
  // `--from 22:00 --to 02:00` ends after it begins, `--from 08:00 --to 12:00` at eleven in an hour.
  if (range.to < range.from && flags.to->is_time_of_day()) {
    const base::Timestamp next = flags.to->at(now + 24 * base::kHour);
    if (same_day(range.to, range.from) && next - range.from > 12 * base::kHour) {
      return fail(Code::usage, "--to {} is before {} {}", time_of_day(range.to), flags.from ? "--from" : "--since",
                  time_of_day(range.from))
          .with_hint("over midnight, give --to with its date");
    }
    range.to = next;
  }
  if (range.from >= range.to) {
    return fail(Code::usage, "cannot take records from {} to {}: the end is not after the start", record::to_rfc3339(range.from),
                record::to_rfc3339(range.to));
  }
  return range;
}

}  // namespace weir::cli
