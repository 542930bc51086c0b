#include "metrics/driver.h"

#include <algorithm>

namespace weir::metrics {
namespace {

constexpr base::Duration kCopyEvery = base::kSecond;

constexpr auto kBlocked =
    counter("weir_blocked_seconds_total", "seconds", "Time that threads which move records spent waiting, by what they waited for.",
            Account::none, "on");
constexpr auto kAge = gauge("weir_snapshot_age_seconds", "seconds",
                            "Age of the counters that balance, as they are shown: of a chain that is blocked, since it blocked.");

constexpr std::array<std::string_view, 7> kNames = {"input", "disk", "room", "loki", "output", "lock", "pace"};

}  // namespace

std::string_view name_of(On on) { return kNames[static_cast<std::size_t>(on)]; }

Driver::Driver(Registry& registry, base::Clock& clock, std::string_view name) : registry_(registry), clock_(clock), name_(name) {
  static_assert(kNames.size() == kWaits);
  const std::lock_guard lock(registry_.mutex_);
  registry_.drivers_.push_back(this);
}

Driver::~Driver() {
  const std::lock_guard lock(registry_.mutex_);
  runs_ = false;
  fold(registry_.totals_);
  std::erase(registry_.drivers_, this);
  registry_.answered_.notify_all();
}

void Driver::begin(const base::Wake& wake) {
  const base::Monotonic now = clock_.monotonic();
  moved_at_.store(now, std::memory_order_relaxed);
  const std::lock_guard lock(registry_.mutex_);
  wake_ = &wake;
  runs_ = true;
  copied_at_ = now;
}

void Driver::end() {
  const std::lock_guard lock(registry_.mutex_);
  wake_ = nullptr;
  runs_ = false;
  for (Block* block : registry_.blocks_)
    if (block->driver_ == this) block->is_copied_ = false;
  registry_.answered_.notify_all();
}

void Driver::copy(std::uint64_t asked, base::Monotonic now) {
  if (asked != answered_)
    for (const auto& collect : collectors_) collect();
  const std::lock_guard lock(registry_.mutex_);
  for (Block* block : registry_.blocks_)
    if (block->driver_ == this) block->copy();
  answered_ = shown_answer_ = asked;
  copied_at_ = now;
  copy_at_ = now + kCopyEvery;
  registry_.answered_.notify_all();
}

void Driver::ring() const {
  if (wake_ != nullptr) wake_->ring();
}

Registry::DriverState Driver::state() const {
  const base::Monotonic now = clock_.monotonic();
  Registry::DriverState state;
  state.name = name_;
  const std::int8_t on = waits_on_.load(std::memory_order_acquire);
  state.since = std::max<base::Duration>(0, now - moved_at_.load(std::memory_order_relaxed));
  state.copied = std::max<base::Duration>(0, now - copied_at_);
  if (!runs_) {
    state.state = Registry::DriverState::ended;
  } else if (on != kNone) {
    state.state = Registry::DriverState::waiting;
    state.waits_for = name_of(static_cast<On>(on));
  }
  return state;
}

void Driver::fold(Registry::Samples& into) const {
  const base::Monotonic now = clock_.monotonic();
  const auto enter = [&](const Metric& metric, std::string_view label_value) -> Sample& {
    Sample& sample = into[Registry::Key{metric.name, std::string(label_value)}];
    if (sample.metric == nullptr) {
      sample.metric = &metric;
      sample.label_value = label_value;
    }
    return sample;
  };
  const std::int8_t on = runs_ ? waits_on_.load(std::memory_order_acquire) : kNone;
  for (std::size_t i = static_cast<std::size_t>(On::disk); i < kWaits; ++i) {
    std::uint64_t waited = waited_[i].load(std::memory_order_relaxed);
    if (on == static_cast<std::int8_t>(i))
      waited += static_cast<std::uint64_t>(std::max<base::Duration>(0, now - moved_at_.load(std::memory_order_relaxed)));
    enter(kBlocked, kNames[i]).value += waited;
  }
  if (!runs_) return;
  Sample& age = enter(kAge, {});
  age.value = std::max(age.value, static_cast<std::uint64_t>(std::max<base::Duration>(0, now - copied_at_)));
}

Wait::Wait(Driver* driver, On on) : driver_(driver) {
  if (driver_ == nullptr) return;
  const base::Monotonic now = driver_->clock_.monotonic();
  account(now);
  outer_ = driver_->waits_on_.load(std::memory_order_relaxed);
  driver_->moved_at_.store(now, std::memory_order_relaxed);
  driver_->waits_on_.store(static_cast<std::int8_t>(on), std::memory_order_release);
}

Wait::~Wait() {
  if (driver_ == nullptr) return;
  const base::Monotonic now = driver_->clock_.monotonic();
  account(now);
  driver_->moved_at_.store(now, std::memory_order_relaxed);
  driver_->waits_on_.store(outer_, std::memory_order_release);
}

// What the thread waits for up to `now` is over.
void Wait::account(base::Monotonic now) const {
  const std::int8_t on = driver_->waits_on_.load(std::memory_order_relaxed);
  if (on == Driver::kNone) return;
  auto& waited = driver_->waited_[static_cast<std::size_t>(on)];
  const base::Duration took = std::max<base::Duration>(0, now - driver_->moved_at_.load(std::memory_order_relaxed));
  waited.store(waited.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(took), std::memory_order_relaxed);
}

}  // namespace weir::metrics
