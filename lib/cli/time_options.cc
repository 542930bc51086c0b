#include "cli/time_options.h"

#include "record/timestamp.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace weir::cli {

using base::Code;
using base::fail;
using base::Result;

namespace {

bool is_time_of_day(std::string_view text) {
  return text.find(':') != std::string_view::npos && text.find_first_not_of("0123456789:") == std::string_view::npos;
}

}  // namespace

void declare_time(CLI::App& app, TimeFlags& flags, const std::string& default_since) {
  auto* since = app.add_option("--since", flags.since, "records of this last while, or since this time: 15m, 7d, 2026-05-01T10:00:00Z, 10:00");
  since->type_name("DUR|TIME");
  if (!default_since.empty()) since->default_str(default_since);
  app.add_option("--from", flags.from, "records from this time on: RFC 3339, a local date and time, a local time (23:00 is the latest one that was), or how long ago")->type_name("TIME");
  app.add_option("--to", flags.to, "records before this time")->type_name("TIME");
}

Result<TimeRange> time_range(const TimeFlags& flags, base::Timestamp now) {
  TimeRange range;
  const auto read = [&](const char* option, const std::string& text, base::Timestamp& out) -> Result<void> {
    if (text.empty()) return {};
    auto time = record::parse_time(text, now);
    if (!time) {
      base::Error error = std::move(time).error();
      error.code = Code::usage;
      return std::move(error).within(option);
    }
    out = *time;
    return {};
  };
  if (!flags.since.empty() && !flags.from.empty()) {
    return fail(Code::usage, "cannot use --since together with --from").with_hint("both say where to begin: give one of them");
  }
  if (auto ok = read("--since", flags.since, range.from); !ok) return std::move(ok).error();
  if (auto ok = read("--from", flags.from, range.from); !ok) return std::move(ok).error();
  if (auto ok = read("--to", flags.to, range.to); !ok) return std::move(ok).error();
  if (range.to < range.from && is_time_of_day(flags.to)) {
    // `--from 22:00 --to 02:00` ends after it begins, `--from 08:00 --to 12:00` at eleven in an hour.
    if (auto next = record::parse_time(flags.to, now + 24 * base::kHour)) range.to = *next;
  }
  if (range.from >= range.to) {
    return fail(Code::usage, "cannot take records from {} to {}: the end is not after the beginning", record::to_rfc3339(range.from),
                record::to_rfc3339(range.to));
  }
  return range;
}

}  // namespace weir::cli
