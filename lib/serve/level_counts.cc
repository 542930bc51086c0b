#include "serve/level_counts.h"

#include "record/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace weir::serve {
namespace {

using base::kHour;
using base::kMillisecond;
using base::kMinute;
using base::kSecond;

constexpr std::size_t kMostLevels = 24;  // further ones are counted as "other"

base::Duration round_step(base::Duration least) {
  constexpr std::array kSteps = {kMillisecond, 10 * kMillisecond, 100 * kMillisecond, 500 * kMillisecond, kSecond, 2 * kSecond,
                                 5 * kSecond,  10 * kSecond,      15 * kSecond,       30 * kSecond,       kMinute, 2 * kMinute,
                                 5 * kMinute,  10 * kMinute,      15 * kMinute,       30 * kMinute,       kHour,   2 * kHour,
                                 3 * kHour,    6 * kHour,         12 * kHour,         24 * kHour};
  const auto found = std::ranges::lower_bound(kSteps, least);
  if (found != kSteps.end()) return *found;
  const base::Duration days = least / (24 * kHour) + (least % (24 * kHour) > 0 ? 1 : 0);
  return days * 24 * kHour;
}

}  // namespace

LevelCounts::LevelCounts(const base::TimeRange& range, std::size_t most) {
  base::Duration length = 0;
  if (most == 0 || range.from >= range.to || __builtin_sub_overflow(range.to, range.from, &length)) return;
  const auto parts = static_cast<base::Duration>(most);
  step_ = round_step(length / parts + (length % parts > 0 ? 1 : 0));
  start_ = range.from - (range.from % step_ + step_) % step_;
  parts_ = static_cast<std::size_t>((range.to - 1 - start_) / step_) + 1;
}

std::vector<std::uint64_t>& LevelCounts::of(std::string_view level) {
  auto found = levels_.find(level);
  if (found == levels_.end()) {
    if (levels_.size() >= kMostLevels && level != "other") return of("other");
    found = levels_.emplace(std::string(level), std::vector<std::uint64_t>(parts_)).first;
  }
  return found->second;
}

void LevelCounts::add(std::string_view level, base::Timestamp time, std::uint64_t count) {
  if (step_ <= 0 || time < start_) return;
  const auto part = static_cast<std::size_t>((time - start_) / step_);
  if (part >= parts_) return;
  of(level)[part] += count;
}

void LevelCounts::add(const LevelCounts& other) {
  for (const auto& [level, counts] : other.levels_) {
    std::vector<std::uint64_t>& sum = of(level);
    for (std::size_t i = 0; i < counts.size(); ++i) sum[i] += counts[i];
  }
}

void LevelCounts::raise(const LevelCounts& other) {
  for (const auto& [level, counts] : other.levels_) {
    std::vector<std::uint64_t>& larger = of(level);
    for (std::size_t i = 0; i < counts.size(); ++i) larger[i] = std::max(larger[i], counts[i]);
  }
}

std::string LevelCounts::json(bool partial) const {
  std::string out = fmt::format(R"({{"type":"histogram","step_ns":{},"start":"{}",{}"buckets":{{)", step_, start_,
                                partial ? R"("partial":true,)" : "");
  for (const auto& [level, counts] : levels_) {
    if (out.back() != '{') out += ',';
    record::append_json_string(out, level);
    out += ":[";
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      if (out.back() != '[') out += ',';
      fmt::format_to(std::back_inserter(out), "[{},{}]", i, counts[i]);
    }
    out += ']';
  }
  return out + "}}";
}

}  // namespace weir::serve
