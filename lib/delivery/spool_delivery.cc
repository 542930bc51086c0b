#include "delivery/spool_delivery.h"

#include "delivery/full_disk.h"

#include <algorithm>
#include <map>
#include <utility>

namespace weir::delivery {
namespace {

constexpr base::Duration kGaugeEvery = 5 * base::kSecond;  // while a backlog is delivered

}  // namespace

base::Result<std::unique_ptr<SpoolDelivery>> SpoolDelivery::open(Options options, DeliveryLedger& ledger, base::Clock& clock,
                                                                 base::Diagnostics& diagnostics, const base::Stop* stop) {
  auto reader = spool::Reader::open(options.spool);
  if (!reader) return std::move(reader).error();
  auto opened = std::make_unique<SpoolDelivery>(std::move(options), std::move(*reader), ledger, clock, diagnostics, stop);
  if (auto read = opened->gauge_.read_new_blocks(); !read) return std::move(read).error();
  return opened;
}

SpoolDelivery::SpoolDelivery(Options options, std::unique_ptr<spool::Reader> reader, DeliveryLedger& ledger, base::Clock& clock,
                             base::Diagnostics& diagnostics, const base::Stop* stop)
    : options_(std::move(options)),
      reader_(std::move(reader)),
      ledger_(ledger),
      clock_(clock),
      diagnostics_(diagnostics),
      stop_(stop),
      gauge_(*reader_, clock_),
      backlog_(options_.spool, options_.consumer) {}

base::Result<void> SpoolDelivery::attach(loki::Pusher& pusher) {
  pusher_ = &pusher;
  left_.emplace(*reader_, ledger_, pusher, clock_, diagnostics_, options_.acknowledged, options_.direct);
  auto old = gauge_.has_old(options_.acknowledged.before());
  if (!old) return std::move(old).error();
  if (!*old) return {};
  pusher.set_inflow(gauge_.inflow());
  pusher.begin_backlog();
  backlog_end_ = gauge_.newest_old();
  gauge_due_ = 0;
  return {};
}

bool SpoolDelivery::leave_behind_others(record::Record& record, record::Batch& batch) {
  if (left_->empty()) return false;
  const loki::StreamNumber number = left_->find(record);
  if (number == 0) return false;
  left_->add(number, record, batch);
  return true;
}

void SpoolDelivery::leave(loki::StreamNumber number, record::Record& record, PushToken token, record::Batch& batch) {
  ledger_.leave(record, token);
  left_->add(number, record, batch);
}

base::Result<void> SpoolDelivery::block_ended(std::uint64_t block, const LeftRecords::Take& take) {
  if (!left_) return {};
  if (block >= backlog_end_) pusher_->backlog_passed();
  if (auto ended = left_->block_ended(block); !ended) return ended;
  return left_->altered() || left_->full() ? read_left(take) : base::Result<void>();
}

base::Result<void> SpoolDelivery::read_left(const LeftRecords::Take& take) {
  if (!left_) return {};
  if (auto gauged = gauge(); !gauged) return gauged;
  while (true) {
    auto more = left_->feed(take);
    if (!more) return std::move(more).error();
    const bool wait = left_->full() || left_->altered();
    if (left_->altered() && !std::exchange(altered_reported_, true)) {
      pusher_->stop_leaving();
      diagnostics_.say(
          "records cannot wait in the spool, because something between the spool and push changes or drops records: from now on a "
          "stream that Loki limits holds up the other streams");
    }
    if (left_->altered() && left_->read_out()) return left_->take_back(take);
    if (!wait) return {};
    // What comes next has its place behind what was left.
    if (stop_ != nullptr && stop_->stopped()) {
      return base::fail(base::Code::interrupted, "stopped while streams that Loki limits held up the input");
    }
    auto due = pusher_->tick(clock_.monotonic());
    if (!due) return std::move(due).error();
    static_cast<void>(ledger_.commit_pending(clock_.monotonic()));
    if (!*more) pause();
  }
}

// Keeps the pusher's knowledge of the inflow fresh while it delivers a backlog, and marks a new backlog after an outage.
base::Result<void> SpoolDelivery::gauge() {
  const base::Monotonic now = clock_.monotonic();
  const bool recovered = pusher_->recovered();
  if (!recovered && now < gauge_due_) return {};
  if (!recovered && !pusher_->catching_up()) {
    gauge_due_ = base::kNever;
    return {};
  }
  if (auto read = gauge_.read_new_blocks(); !read) return read;
  pusher_->set_inflow(gauge_.inflow());
  if (recovered) {
    backlog_end_ = gauge_.newest();
    pusher_->backlog_known();
  }
  gauge_due_ = base::after(now, kGaugeEvery);
  return {};
}

base::Monotonic SpoolDelivery::due(base::Monotonic now) const {
  if (!left_) return base::kNever;
  const base::Monotonic read = left_->empty() ? base::kNever : base::after(now, kReadEvery);
  return std::min(read, gauge_due_ == base::kNever ? base::kNever : std::max(now, gauge_due_));
}

void SpoolDelivery::pause() const { wait_or_stop(stop_, kReadEvery); }

base::Result<void> SpoolDelivery::count_evicted() {
  evicted_pending_ = evicted_left_ = 0;
  if (pusher_ == nullptr) return {};
  std::map<std::uint64_t, std::uint64_t> pending;  // records by block
  pusher_->each_pending([&](PushToken token) { ++pending[ledger_.block_of(token)]; });
  pending.erase(0);
  if (!pending.empty()) {
    auto blocks = reader_->list({.time = {}, .after = pending.begin()->first - 1});
    if (!blocks) return std::move(blocks).error();
    for (const spool::BlockInfo& block : *blocks) pending.erase(block.id);
  }
  for (const auto& [block, records] : pending) evicted_pending_ += records;
  auto evicted = left_->evicted();
  if (!evicted) return std::move(evicted).error();
  evicted_left_ = *evicted;
  return {};
}

}  // namespace weir::delivery
