#include "show/progress.h"

#include "base/count.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::show {
namespace {

using base::Duration;
using base::Monotonic;

constexpr Duration kWindow = 10 * base::kSecond;
constexpr Duration kFar = 100 * 24 * base::kHour;  // beyond that nobody wants to know

// Two units at most: "12s", "3m 5s", "2h 10m", "4d 3h".
std::string print_wait(Duration wait) {
  const std::int64_t seconds = wait / base::kSecond;
  const auto two = [](std::int64_t big, char big_unit, std::int64_t small, char small_unit) {
    return small == 0 ? fmt::format("{}{}", big, big_unit) : fmt::format("{}{} {}{}", big, big_unit, small, small_unit);
  };
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return two(seconds / 60, 'm', seconds % 60, 's');
  if (seconds < 86400) return two(seconds / 3600, 'h', seconds % 3600 / 60, 'm');
  return two(seconds / 86400, 'd', seconds % 86400 / 3600, 'h');
}

}  // namespace

void Pace::begin(Monotonic now, std::uint64_t value) {
  marks_ = {Mark{now, value}, Mark{now, value}};
  latest_ = marks_[0];
}

void Pace::note(Monotonic now, std::uint64_t value) {
  latest_ = {now, value};
  if (now - marks_[1].at < kWindow) return;
  // The older one is given up only when the newer one is old enough to be measured from.
  marks_ = {marks_[1], latest_};
}

std::optional<double> Pace::per_second() const {
  const Duration took = latest_.at - marks_[0].at;
  if (took <= 0) return std::nullopt;
  const std::uint64_t grown = latest_.value - std::min(latest_.value, marks_[0].value);
  return static_cast<double>(grown) * static_cast<double>(base::kSecond) / static_cast<double>(took);
}

std::string progress_text(std::string_view verb, const Amount& amount, std::optional<double> bytes_per_second,
                          std::optional<Duration> left, Duration elapsed) {
  std::string text(verb);
  std::string_view separator = " ";
  const auto add = [&](std::string_view part) {
    (text += separator) += part;
    separator = ", ";
  };
  if (amount.all > 0) {
    const double share = static_cast<double>(std::min(amount.done, amount.all)) / static_cast<double>(amount.all);
    add(fmt::format("{}%", static_cast<int>(share * 100)));
  }
  if (amount.records > 0) add(base::count_of(amount.records, "record"));
  if (amount.bytes > 0) {
    add(record::print_size(amount.bytes));
    if (bytes_per_second) add(record::print_size(static_cast<std::uint64_t>(*bytes_per_second)) + "/s");
  }
  add(left ? print_wait(*left) + " left" : print_wait(elapsed) + " so far");
  if (!amount.also.empty()) add(amount.also);
  return text;
}

Progress::Progress(std::string_view verb, base::Diagnostics& diagnostics, const base::Clock& clock, Duration first)
    : diagnostics_(diagnostics.shows_progress() ? &diagnostics : nullptr), clock_(clock), verb_(verb), first_(first) {}

bool Progress::is_due() {
  const Monotonic now = clock_.monotonic();
  if (!begun_) {
    begun_ = true;
    start_ = now;
    next_ = base::after(now, first_);
    bytes_.begin(now);
    done_.begin(now);
  }
  return now >= next_;
}

void Progress::show(const Amount& amount) {
  if (!on() || !begun_) return;
  const Monotonic now = clock_.monotonic();
  next_ = base::after(now, kEvery);
  bytes_.note(now, amount.bytes);
  done_.note(now, amount.done);
  std::optional<Duration> left;
  if (const auto pace = done_.per_second(); amount.all > 0 && amount.done > 0 && pace && *pace > 0) {
    const double seconds = static_cast<double>(amount.all - std::min(amount.done, amount.all)) / *pace;
    if (seconds < static_cast<double>(kFar / base::kSecond))
      left = static_cast<Duration>(seconds * static_cast<double>(base::kSecond));
  }
  diagnostics_->progress(progress_text(verb_, amount, bytes_.per_second(), left, now - start_));
  shown_ = true;
}

void Progress::end() {
  if (shown_) diagnostics_->progress({});
  shown_ = begun_ = false;
}

}  // namespace weir::show
