#include "monitor/health.h"

#include "base/count.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <vector>

namespace weir::monitor {
namespace {

using metrics::Trouble;
using DriverState = metrics::Registry::DriverState;

constexpr std::string_view kInput = "input";
constexpr std::string_view kLoki = "loki";

std::string seconds_text(std::uint64_t nanoseconds) {
  const std::uint64_t seconds = nanoseconds / static_cast<std::uint64_t>(base::kSecond);
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 2 * 3600) return fmt::format("{} min", seconds / 60);
  return fmt::format("{} h", seconds / 3600);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> units = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < units.size(); ++unit) size /= 1024;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", size, units[unit]);
}

bool hangs(const DriverState& driver) { return driver.state == DriverState::working && driver.since >= kHangs; }

// What a thread waits for, for people.
std::string_view in_words(std::string_view waits_for) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kWords = {{
      {kLoki, "Loki"},
      {"room", "room in the spool"},
      {"output", "the reader of its output"},
      {"lock", "another process that uses a file"},
      {"pace", "the rate that was asked for"},
      {"drain", "the rest to be delivered"},
      {"pods", "the API server to name a pod"},
  }};
  const auto found = std::ranges::find(kWords, waits_for, &std::pair<std::string_view, std::string_view>::first);
  return found == kWords.end() ? waits_for : found->second;
}

std::string line_of(const DriverState& driver) {
  const std::string since = seconds_text(static_cast<std::uint64_t>(std::max<base::Duration>(0, driver.since)));
  switch (driver.state) {
    case DriverState::waiting:
      return fmt::format("{}: waits for {}, for {}", driver.name, in_words(driver.waits_for), since);
    case DriverState::ended:
      return fmt::format("{}: does not run", driver.name);
    case DriverState::working:
      break;
  }
  return hangs(driver) ? fmt::format("{}: has not moved for {}", driver.name, since) : fmt::format("{}: works", driver.name);
}

}  // namespace

Verdict judge_health(std::span<const DriverState> drivers) {
  Verdict verdict;
  verdict.good = std::ranges::none_of(drivers, hangs);
  verdict.text = verdict.good ? "ok\n" : "a thread hangs: it has neither moved nor begun to wait for 30 s\n";
  for (const DriverState& driver : drivers) verdict.text += line_of(driver) + "\n";
  return verdict;
}

Verdict judge_readiness(Phase phase, std::span<const std::pair<Trouble, std::string>> troubles) {
  if (phase == Phase::starting) return {false, "the chain has not begun\n"};
  if (phase == Phase::ending) return {false, "weir is ending\n"};
  const auto has = [&](Trouble one) {
    return std::ranges::find(troubles, one, &std::pair<Trouble, std::string>::first) != troubles.end();
  };
  Verdict verdict;
  const bool stuck = has(Trouble::delivery) && has(Trouble::room);
  verdict.good = !stuck && !has(Trouble::positions);
  if (verdict.good) {
    verdict.text = "ready\n";
    return verdict;
  }
  for (const auto& [trouble, why] : troubles)
    if (trouble == Trouble::positions || stuck) verdict.text += why + "\n";
  return verdict;
}

std::string status_line(std::span<const metrics::Sample> samples, std::span<const DriverState> drivers,
                        std::span<const std::pair<Trouble, std::string>> troubles) {
  const auto value_of = [&](std::string_view name) -> std::optional<std::uint64_t> {
    const auto found = std::ranges::find_if(samples, [&](const auto& sample) { return sample.metric->name == name; });
    return found == samples.end() ? std::nullopt : std::optional(found->value);
  };
  std::vector<std::string> parts;
  const std::uint64_t entries = value_of("weir_tail_journal_unread_entries").value_or(0);
  if (const auto unread = value_of("weir_tail_unread_bytes"); unread && *unread + entries > 0) {
    const auto behind = value_of("weir_tail_oldest_unread_seconds");
    parts.push_back(fmt::format("{}{}{} unread{}", *unread > 0 ? bytes_text(*unread) : "",
                                *unread > 0 && entries > 0 ? " and " : "",
                                entries > 0 ? base::count_of(entries, "entry of the journal", "entries of the journal") : "",
                                behind ? fmt::format(", {} behind", seconds_text(*behind)) : ""));
  } else if (unread) {
    parts.emplace_back("all logs are read");
  }
  if (const auto records = value_of("weir_buffer_undelivered_records"); records && *records > 0) {
    const auto age = value_of("weir_buffer_oldest_undelivered_seconds");
    parts.push_back(fmt::format("{} to deliver{}", base::count_of(*records, "record"),
                                age ? fmt::format(", the oldest stored {} ago", seconds_text(*age)) : ""));
  } else if (records) {
    parts.emplace_back("all records are delivered");
  }
  std::map<std::string_view, base::Duration> waits;
  for (const DriverState& driver : drivers) {
    const bool blocked = driver.state == DriverState::waiting && driver.waits_for != kInput && driver.since >= base::kSecond;
    if (hangs(driver)) parts.push_back("a thread hangs: " + line_of(driver));
    // Several threads may wait for the same.
    if (blocked) waits[driver.waits_for] = std::max(waits[driver.waits_for], driver.since);
  }
  const bool pushes = value_of("weir_push_input_records_total").has_value();
  for (const auto& [what, since] : waits) {
    parts.push_back(fmt::format("{} for {}, for {}", what == kLoki && pushes ? "push waits" : "waits", in_words(what),
                                seconds_text(static_cast<std::uint64_t>(since))));
  }
  for (const auto& [trouble, why] : troubles) parts.push_back(why);
  return parts.empty() ? "running" : fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace weir::monitor
