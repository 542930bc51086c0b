#include "metrics/driver.h"

#include <algorithm>

namespace weir::metrics {
namespace {

constexpr base::Duration kCopyEvery = base::kSecond;

constexpr auto kBlocked =
    counter("weir_blocked_seconds_total", "seconds",
            "Time that threads which move records spent waiting, by what they waited for: disk, room in the spool, loki, "
            "output, a lock, a pace that was asked for, the pods of records, or at the end the drain of a buffer.",
            Account::none, "on");
constexpr auto kAge = gauge("weir_snapshot_age_seconds", "seconds",
                            "Age of the counters that balance, as they are shown: of a chain that is blocked, since it blocked.");

constexpr std::array<std::string_view, 9> kNames = {"input", "disk", "room", "loki", "output", "lock", "pace", "drain", "pods"};

}  // namespace

std::string_view name_of(On on) { return kNames[static_cast<std::size_t>(on)]; }

Driver::Driver(Registry& registry, base::Clock& clock, std::string_view name) : registry_(registry), clock_(clock), name_(name) {
  static_assert(kNames.size() == kWaits);
  const std::lock_guard lock(registry_.mutex_);
  const auto taken = [this] { return std::ranges::find(registry_.drivers_, name_, &Driver::name) != registry_.drivers_.end(); };
  for (int number = 2; taken(); ++number) name_ = std::string(name) + " " + std::to_string(number);
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
  copy_blocks();
  copied_at_ = now;
}

void Driver::end() {
  const base::Monotonic now = clock_.monotonic();
  const std::lock_guard lock(registry_.mutex_);
  copy_blocks();
  copied_at_ = now;
  wake_ = nullptr;
  runs_ = false;
  registry_.answered_.notify_all();
}

void Driver::copy(std::uint64_t asked, base::Monotonic now) {
  if (asked != answered_)
    for (const auto& collect : collectors_) collect();
  const std::lock_guard lock(registry_.mutex_);
  copy_blocks();
  answered_ = shown_answer_ = asked;
  copied_at_ = now;
  copy_at_ = now + kCopyEvery;
  registry_.answered_.notify_all();
}

void Driver::copy_blocks() {
  for (Block* block : registry_.blocks_)
    if (block->driver_ == this) block->copy();
}

void Driver::ring() const {
  if (wake_ != nullptr) wake_->ring();
}

Driver::Waited Driver::waited() const {
  Waited waited;
  base::Duration least = 0;
  for (std::uint32_t version = 0;;) {
    version = version_.load();
    waited.on = waits_on_.load();
    waited.began = began_at_.load();
    waited.moved = moved_at_.load();
    least = least_.load();
    for (std::size_t i = 0; i < kWaits; ++i) waited.past[i] = waited_[i].load();
    waited.now = clock_.monotonic();
    if (version % 2 == 0 && version == version_.load()) break;
  }
  const base::Duration took = waited.now - waited.moved;
  if (waited.on != kNone && took > 0 && took >= least)
    waited.past[static_cast<std::size_t>(waited.on)] += static_cast<std::uint64_t>(took);
  return waited;
}

Registry::DriverState Driver::state() const {
  const Waited waits = waited();
  const base::Monotonic now = waits.now;
  Registry::DriverState state;
  state.name = name_;
  state.since = std::max<base::Duration>(0, now - (waits.on != kNone ? waits.began : waits.moved));
  state.copied = std::max<base::Duration>(0, now - copied_at_);
  if (!runs_) {
    state.state = Registry::DriverState::ended;
  } else if (waits.on != kNone) {
    state.state = Registry::DriverState::waiting;
    state.waits_for = name_of(static_cast<On>(waits.on));
  }
  return state;
}

void Driver::fold(Registry::Samples& into) const {
  const auto enter = [&](const Metric& metric, std::string_view label_value) -> Sample& {
    Sample& sample = into[Registry::Key{metric.name, std::string(label_value)}];
    if (sample.metric == nullptr) {
      sample.metric = &metric;
      sample.label_value = label_value;
    }
    return sample;
  };
  const Waited waits = waited();
  for (std::size_t i = static_cast<std::size_t>(On::disk); i < kWaits; ++i) enter(kBlocked, kNames[i]).value += waits.past[i];
  if (!runs_) return;
  Sample& age = enter(kAge, {});
  age.value = std::max(age.value, static_cast<std::uint64_t>(std::max<base::Duration>(0, waits.now - copied_at_)));
}

// What the thread waits for up to `now` is over. Within a change of `version_`.
void Driver::account(base::Monotonic now) {
  const std::int8_t on = waits_on_.load();
  if (on == kNone) return;
  const base::Duration took = now - moved_at_.load();
  if (took <= 0 || took < least_.load()) return;
  auto& waited = waited_[static_cast<std::size_t>(on)];
  waited.store(waited.load() + static_cast<std::uint64_t>(took));
}

Wait::Wait(Driver* driver, On on, base::Duration least) : driver_(driver) {
  if (driver_ == nullptr) return;
  const std::uint32_t version = driver_->version_.load();
  driver_->version_.store(version + 1);
  const base::Monotonic now = driver_->clock_.monotonic();  // behind it: no reader has seen a later time of the wait that ends
  driver_->account(now);
  outer_ = driver_->waits_on_.load();
  outer_began_ = driver_->began_at_.load();
  outer_least_ = driver_->least_.load();
  driver_->moved_at_.store(now);
  driver_->began_at_.store(now);
  driver_->least_.store(least);
  driver_->waits_on_.store(static_cast<std::int8_t>(on));
  driver_->version_.store(version + 2);
}

Wait::~Wait() {
  if (driver_ == nullptr) return;
  const std::uint32_t version = driver_->version_.load();
  driver_->version_.store(version + 1);
  const base::Monotonic now = driver_->clock_.monotonic();  // behind it: no reader has seen a later time of the wait that ends
  driver_->account(now);
  driver_->moved_at_.store(now);
  driver_->began_at_.store(outer_began_);
  driver_->least_.store(outer_least_);
  driver_->waits_on_.store(outer_);
  driver_->version_.store(version + 2);
}

}  // namespace weir::metrics
