#include "show/histogram.h"

#include "base/count.h"
#include "record/timestamp.h"
#include "show/columns.h"
#include "show/local_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace weir::show {
namespace {

using base::kHour;
using base::kMillisecond;
using base::kMinute;
using base::kSecond;

constexpr base::Duration kDay = 24 * kHour;
constexpr std::array kRound = {kMillisecond,
                               2 * kMillisecond,
                               5 * kMillisecond,
                               10 * kMillisecond,
                               20 * kMillisecond,
                               50 * kMillisecond,
                               100 * kMillisecond,
                               200 * kMillisecond,
                               500 * kMillisecond,
                               kSecond,
                               2 * kSecond,
                               5 * kSecond,
                               10 * kSecond,
                               15 * kSecond,
                               30 * kSecond,
                               kMinute,
                               2 * kMinute,
                               5 * kMinute,
                               10 * kMinute,
                               15 * kMinute,
                               30 * kMinute,
                               kHour,
                               2 * kHour,
                               3 * kHour,
                               6 * kHour,
                               12 * kHour,
                               kDay,
                               7 * kDay,
                               30 * kDay,
                               365 * kDay};
constexpr std::size_t kName = 6;           // columns of a row's name, with a space
constexpr std::size_t kMostColumns = 120;  // of the bars
constexpr std::size_t kLeastColumns = 12;

std::int64_t floor_divide(std::int64_t number, std::int64_t by) { return number / by - (number % by < 0 ? 1 : 0); }

// The shortest round time of which at most so many columns reach from one time to the other.
base::Duration column_for(base::Timestamp first, base::Timestamp last, std::size_t columns) {
  for (const base::Duration round : kRound) {
    if (floor_divide(last, round) - floor_divide(first, round) < static_cast<std::int64_t>(columns)) return round;
  }
  return kRound.back();
}

// Bars of eight heights; at least the lowest where there is something.
std::string bars(const std::vector<std::uint64_t>& counts, bool unicode) {
  constexpr std::array<std::string_view, 9> kBlocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::array<std::string_view, 9> kAscii = {" ", ".", ".", ":", ":", "-", "=", "+", "#"};
  const std::uint64_t most = std::max<std::uint64_t>(1, *std::ranges::max_element(counts));
  std::string text;
  for (const std::uint64_t count : counts) {
    const double share = static_cast<double>(count) / static_cast<double>(most) * 8;
    const std::size_t height = count == 0 ? 0 : std::clamp<std::size_t>(static_cast<std::size_t>(share + 0.5), 1, 8);
    text += unicode ? kBlocks[height] : kAscii[height];
  }
  return text;
}

}  // namespace

void Histogram::add(base::Timestamp time, Level level) {
  first_ = total_.all == 0 ? time : std::min(first_, time);
  last_ = total_.all == 0 ? time : std::max(last_, time);
  const auto count = [level](Counts& counts) {
    ++counts.all;
    if (level == Level::warning) ++counts.warnings;
    if (level >= Level::error) ++counts.errors;
  };
  count(total_);
  count(slots_[floor_divide(time, slot_)]);
  while (slots_.size() > kMostSlots) coarsen();
}

void Histogram::coarsen() {
  slot_ *= 2;
  std::map<std::int64_t, Counts> slots;
  for (const auto& [at, counts] : slots_) {
    Counts& to = slots[floor_divide(at, 2)];
    to.all += counts.all;
    to.warnings += counts.warnings;
    to.errors += counts.errors;
  }
  slots_ = std::move(slots);
}

std::string Histogram::text(const Canvas& canvas) const {
  if (total_.all < kLeastRecords || first_ == last_) return {};
  const std::string all = base::grouped(total_.all);
  const std::size_t width = canvas.width == 0 ? 100 : canvas.width;
  if (width < kName + kLeastColumns + all.size() + 2) return {};
  // Few records in many columns would be a comb.
  const std::size_t wanted = std::clamp<std::size_t>(total_.all, 2 * kLeastColumns, kMostColumns);
  const std::size_t room = std::min(wanted, width - kName - all.size() - 2);
  // Columns begin at round local times.
  const base::Duration offset = offset_at(first_);
  const base::Duration column = column_for(first_ + offset, last_ + offset, room);
  const std::int64_t begin = floor_divide(first_ + offset, column);
  const auto columns = std::min<std::size_t>(room, static_cast<std::size_t>(floor_divide(last_ + offset, column) - begin + 1));
  std::vector<std::uint64_t> errors(columns), warnings(columns), every(columns);
  for (const auto& [at, counts] : slots_) {
    const std::int64_t place = floor_divide(std::max(at * slot_, first_) + offset, column) - begin;
    const auto i = std::min<std::size_t>(columns - 1, static_cast<std::size_t>(std::max<std::int64_t>(place, 0)));
    errors[i] += counts.errors;
    warnings[i] += counts.warnings;
    every[i] += counts.all;
  }
  std::string out;
  const auto row = [&](std::string_view name, const std::vector<std::uint64_t>& counts, std::uint64_t total, Style style) {
    if (total == 0) return;
    append_styled(out, fmt::format("{:<{}}", name, kName), style == Style::plain ? Style::dim : style, canvas.color);
    append_styled(out, bars(counts, canvas.unicode), style == Style::plain ? Style::cyan : style, canvas.color);
    append_styled(out, fmt::format("  {:>{}}", base::grouped(total), all.size()), Style::dim, canvas.color);
    out += '\n';
  };
  row("error", errors, total_.errors, style_of(Level::error));
  row("warn", warnings, total_.warnings, style_of(Level::warning));
  // Where all records are errors, or all are warnings, a second row would say nothing.
  if (std::max(total_.errors, total_.warnings) < total_.all) row("all", every, total_.all, Style::plain);
  const Ends ends = ends_of(first_, last_);
  std::string axis(kName, ' ');
  axis += ends.first;
  const std::size_t gap = columns > ends.first.size() + ends.last.size() ? columns - ends.first.size() - ends.last.size() : 0;
  axis += gap > 0 ? std::string(gap, ' ') : canvas.unicode ? " – " : " - ";
  axis += ends.last;
  const std::string note = fmt::format("  {} a column", record::print_duration(column));
  if (columns_of(axis) + note.size() <= width) axis += note;
  append_styled(out, cut_to(axis, width, cut_mark(canvas)), Style::dim, canvas.color);
  out += '\n';
  return out;
}

}  // namespace weir::show
