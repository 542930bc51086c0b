#include "delivery/delivery_ledger.h"

#include "base/count.h"
#include "base/secrets.h"
#include "delivery/checkpoint_positions.h"
#include "delivery/consumer_positions.h"
#include "delivery/full_disk.h"
#include "spool/spool_file.h"

#include <fmt/format.h>

#include <utility>

namespace weir::delivery {
namespace {

constexpr base::Duration kCommitEvery = base::kSecond;
constexpr base::Duration kCommitNoted = 2 * base::kSecond;  // longer, because noted progress survives a kill
constexpr base::Duration kCommitRedelivery = base::kSecond / 10;
constexpr std::uint64_t kCommitAfter = 1 << 16;   // records that were settled without an answer
constexpr std::size_t kMostRejections = 1 << 20;  // bytes in memory

}  // namespace

DeliveryLedger::DeliveryLedger(std::string url, base::Clock& clock, base::Diagnostics& diagnostics, const base::Stop* stop)
    : context_{std::move(url), clock, diagnostics, stop}, positions_(std::make_unique<NoPositions>()), redelivery_(context_) {}

DeliveryLedger::~DeliveryLedger() = default;

void DeliveryLedger::use(std::unique_ptr<PositionLedger> positions) {
  const std::lock_guard lock(mutex_);
  positions_ = std::move(positions);
  tracks_ = positions_->tracks();
  listens_ = listens_ || tracks_;
}

void DeliveryLedger::begin_status(std::string path, std::uint64_t spool) {
  const base::Secrets* secrets = context_.diagnostics.secrets();
  status_.emplace(std::move(path), spool, secrets != nullptr ? secrets->command_line() : std::string(), context_.clock);
}

base::Result<void> DeliveryLedger::keep_positions(const std::string& checkpoint, base::Duration wait,
                                                  std::function<void(const record::Source&)> file_done) {
  auto opened = CheckpointPositions::open(checkpoint, wait, context_);
  if (!opened) return std::move(opened).error();
  (*opened)->on_file_done(std::move(file_done));
  begin_status(spool::writer_status_path(spool::real_path(checkpoint)), (*opened)->spool());
  use(std::move(*opened));
  return {};
}

base::Result<spool::PlaceSet> DeliveryLedger::consume_spool(const spool::ConsumerOptions& options) {
  auto opened = ConsumerPositions::open(options, context_);
  if (!opened) return std::move(opened).error();
  spool::PlaceSet acknowledged = (*opened)->acknowledged();
  begin_status(spool::consumer_status_path(spool::real_path(options.path), options.name), (*opened)->spool());
  use(std::move(*opened));
  return acknowledged;
}

base::Result<void> DeliveryLedger::deliver_again(const std::string& path, std::uint64_t spool) {
  // Only this thread opens, so the store is asked for without the lock: that may take long.
  if (redelivery_.is_open_for(spool)) return {};
  auto store = Redelivery::open(path, spool, context_);
  if (!store) return std::move(store).error();
  const std::lock_guard lock(mutex_);
  redelivery_.use(std::move(*store), spool);
  listens_ = true;
  return {};
}

std::unique_lock<std::mutex> DeliveryLedger::lock_driving() {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock) return lock;
  waits_for_disk(true);
  lock.lock();
  waits_for_disk(false);
  return lock;
}

base::Result<std::optional<PushToken>> DeliveryLedger::track(const record::Record& record) {
  if (!listens_) return std::optional(kNoToken);
  const auto lock = lock_driving();
  if (record.source.kind == record::Source::Kind::rejected) return std::optional(redelivery_.track(record));
  return positions_->track(record);
}

base::Result<void> DeliveryLedger::track_marker(const record::Record& record) {
  if (!tracks_) return {};
  const auto lock = lock_driving();
  if (auto tracked = positions_->track_marker(record); !tracked) return tracked;
  dirty_ = true;
  ++pending_;
  return {};
}

void DeliveryLedger::leave(const record::Record& record, PushToken token) {
  const auto lock = lock_driving();
  changed(positions_->leave(record, token));
}

PushToken DeliveryLedger::read_again(const record::Record& record) {
  const auto lock = lock_driving();
  return positions_->read_again(record);
}

void DeliveryLedger::resume(std::uint64_t stream) {
  const auto lock = lock_driving();
  changed(positions_->resume(stream));
}

std::uint64_t DeliveryLedger::block_of(PushToken token) {
  const auto lock = lock_driving();
  return positions_->block_of(token);
}

void DeliveryLedger::settle(PushToken token) {
  if (!listens_) return;
  const auto lock = lock_driving();
  ++pending_;
  changed(is_row(token) ? redelivery_.settle(token) : positions_->settle(token));
}

void DeliveryLedger::delivered(std::span<const PushToken> tokens) {
  const std::lock_guard lock(mutex_);
  changed(positions_->deliver(tokens));
  changed(redelivery_.deliver(tokens));
}

void DeliveryLedger::rejected(PushToken token, const loki::RejectedRecord& rejected) {
  const std::lock_guard lock(mutex_);
  ++pending_;
  changed(is_row(token) ? redelivery_.reject(token, rejected) : positions_->reject(token, rejected));
}

bool DeliveryLedger::too_much_waits() const {
  return positions_->rejections_waiting() >= kMostRejections || redelivery_.must_commit();
}

// Progress is kept, so nothing is left for commit_pending().
void DeliveryLedger::kept() {
  pending_ = 0;
  pending_since_ = base::kNever;
}

base::Result<void> DeliveryLedger::commit_locked() {
  if (!dirty_) return {};
  auto stored = positions_->commit();
  if (const std::uint64_t evicted = positions_->take_evicted_rejected(); evicted > 0) {
    context_.diagnostics.warn("rejected-max", fmt::format("the store of rejected records is full: {} deleted, the oldest first\n"
                                                          "`weir buffer --rejected-max` sets how much a spool keeps",
                                                          base::count_of(evicted, "record was", "records were")));
  }
  if (stored) stored = redelivery_.commit();
  if (!stored) {
    ++storing_.failures;
    if (storing_.failing_since == base::kNever) storing_.failing_since = context_.clock.monotonic();
    storing_.cause = stored.error().message;
    return stored;
  }
  storing_.failing_since = base::kNever;
  dirty_ = false;
  kept();
  return stored;
}

DeliveryLedger::Storing DeliveryLedger::storing() {
  const auto lock = lock_driving();
  return storing_;
}

// Reports a failure. The next attempt comes by itself.
base::Result<void> DeliveryLedger::try_commit() {
  auto stored = commit_locked();
  if (stored) return stored;
  context_.diagnostics.warn("commit", fmt::format("{}; trying again", stored.error().message));
  if (status_) status_->failed(stored.error().message, context_.clock.wall());
  return stored;
}

base::Monotonic DeliveryLedger::commit_due(base::Monotonic now) {
  const std::lock_guard lock(mutex_);
  if (!dirty_) return base::kNever;
  const bool noted = positions_->note();
  if (noted) kept();
  if (now < next_commit_ && !too_much_waits()) return next_commit_;
  next_commit_ = base::after(now, redelivery_.is_open() ? kCommitRedelivery : noted ? kCommitNoted : kCommitEvery);
  return try_commit() ? base::kNever : next_commit_;
}

base::Monotonic DeliveryLedger::commit_pending(base::Monotonic now) {
  if (!listens_) return base::kNever;
  auto lock = lock_driving();
  if (!dirty_ || pending_ == 0) return base::kNever;
  if (pending_since_ == base::kNever) pending_since_ = now;
  const base::Monotonic due = base::after(pending_since_, kCommitEvery);
  if (now < due && pending_ < kCommitAfter && !too_much_waits()) return due;
  next_commit_ = base::after(now, kCommitEvery);
  while (!try_commit()) {
    pending_since_ = now;
    pending_ = 1;
    const bool stopped = context_.stop != nullptr && context_.stop->stopped();
    if (positions_->rejections_waiting() < kMostRejections || stopped) return base::after(now, kCommitEvery);
    lock.unlock();
    wait_or_stop(context_.stop, kCommitEvery);
    lock.lock();
  }
  return base::kNever;
}

void DeliveryLedger::input_waits() { static_cast<void>(commit_pending(context_.clock.monotonic())); }

base::Result<void> DeliveryLedger::commit() {
  const auto lock = lock_driving();
  return commit_locked();
}

base::Result<void> DeliveryLedger::close() {
  const std::lock_guard lock(mutex_);
  return positions_->close();
}

}  // namespace weir::delivery
