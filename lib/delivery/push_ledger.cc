#include "delivery/push_ledger.h"

#include "delivery/spool_stream.h"
#include "record/jsonl_writer.h"

#include <fmt/format.h>

#include <poll.h>

#include <algorithm>

namespace weir::delivery {
namespace {

using loki::PushToken;

// The layout of a token. For a log file: the log, and the record's number in the log's lane. For a spool: block and ordinal; a
// block holds about a MiB, so 24 bits are enough for its records. Two bits on top mark a row of a rejected store, and a record
// of a waiting stream. The latter holds the stream's number and the record's number in the stream's lane.
constexpr int kIndexBits = 40;
constexpr int kOrdinalBits = 24;
constexpr std::uint64_t kIndexMask = (std::uint64_t{1} << kIndexBits) - 1;
constexpr std::uint64_t kOrdinalMask = (std::uint64_t{1} << kOrdinalBits) - 1;
constexpr std::uint64_t kRow = std::uint64_t{1} << 63;
constexpr std::uint64_t kWaits = std::uint64_t{1} << 62;
constexpr std::uint32_t kWaitingMask = (1U << 22) - 1;  // the bits above the index, without the two marks

constexpr base::Duration kCommitEvery = base::kSecond;
constexpr base::Duration kCommitNoted = 2 * base::kSecond;  // longer, because noted progress survives a kill
constexpr base::Duration kRedeliveredEvery = base::kSecond / 10;
constexpr std::size_t kRedeliveredAtOnce = 1000;  // rows
constexpr base::Duration kWaitForOthers = 30 * base::kSecond;
constexpr std::uint64_t kCommitAfter = 1 << 16;  // records that were settled without an answer
constexpr std::size_t kMostWaiting = 1 << 20;    // bytes of rejections in memory

// The budget for keeping rejected records whole, with all that was to be sent. Above it, rejection is not an exception but a
// rule, and the reason alone is enough.
constexpr double kWholeBurst = 1 << 20;
constexpr double kWholeRate = 16 << 10;  // bytes per second
constexpr std::size_t kWholeCost = 512;  // bytes per record beside the line

// Loki refuses records for their time in masses. Only their places are worth keeping.
constexpr std::string_view kOfTime[] = {"greater_than_max_sample_age", "too_far_in_future", "too_far_behind", "out_of_order"};

bool is_of_time(std::string_view reason) { return std::ranges::find(kOfTime, reason) != std::end(kOfTime); }

// A reason that is true of many records, without what belongs to a single one.
std::string common_reason(const loki::RejectedRecord& rejected) {
  if (rejected.reason == "too_far_in_future") return "entry has timestamp too new";
  if (rejected.reason == "too_far_behind") return "entry too far behind its stream";
  if (rejected.reason == "out_of_order") return "entry out of order";
  if (rejected.reason != "greater_than_max_sample_age") return std::string(rejected.text);
  constexpr std::string_view bound = "oldest acceptable timestamp is: ";
  const auto at = rejected.text.find(bound);
  const std::string_view oldest = at == std::string_view::npos ? std::string_view() : rejected.text.substr(at, bound.size() + 20);
  return fmt::format("entry has timestamp too old{}{}", oldest.empty() ? "" : ", ", oldest);
}

// Waits while the disk is full. The input waits too, so nothing is lost.
template <typename Open>
auto open_when_there_is_room(const Open& open, const base::Stop* stop, base::Diagnostics& diagnostics) {
  while (true) {
    auto opened = open();
    if (opened || opened.error().code != base::Code::full || (stop != nullptr && stop->stopped())) return opened;
    diagnostics.warn("disk-full", fmt::format("{}; waiting (it goes on by itself when there is room)", opened.error().message));
    struct pollfd stopped = {stop != nullptr ? stop->fd() : -1, POLLIN, 0};
    ::poll(&stopped, 1, static_cast<int>(kCommitEvery / base::kMillisecond));
  }
}

}  // namespace

DeliveryLedger::DeliveryLedger(std::string url, base::Clock& clock, base::Diagnostics& diagnostics)
    : url_(std::move(url)), clock_(clock), diagnostics_(diagnostics), whole_credit_(kWholeBurst) {}

DeliveryLedger::~DeliveryLedger() = default;

base::Result<void> DeliveryLedger::keep_positions(const std::string& checkpoint, base::Duration wait, const base::Stop* stop) {
  stop_ = stop;
  auto store =
      open_when_there_is_room([&] { return spool::PositionStore::open(checkpoint, wait, clock_, stop); }, stop, diagnostics_);
  if (!store) return std::move(store).error();
  auto keeper = (*store)->load();
  if (!keeper) return std::move(keeper).error();
  const std::lock_guard lock(mutex_);
  store_ = std::move(*store);
  keeper_.emplace(std::move(*keeper));
  return {};
}

base::Result<void> DeliveryLedger::consume_spool(const spool::ConsumerOptions& options, const base::Stop* stop) {
  stop_ = stop;
  auto consumer = open_when_there_is_room([&] { return spool::Consumer::open(options, clock_, stop); }, stop, diagnostics_);
  if (!consumer) return std::move(consumer).error();
  const std::lock_guard lock(mutex_);
  consumer_ = std::move(*consumer);
  at_start_ = consumer_->acknowledged();
  // These streams waited when the last run ended. The spool's stream brings their records again, up to the place that all other
  // streams have reached.
  for (const spool::PlaceSet::Waiting& one : at_start_.waiting()) wait(one.stream, one.from).until = at_start_.end();
  return {};
}

base::Result<void> DeliveryLedger::deliver_again(const std::string& path, std::uint64_t spool, const base::Stop* stop) {
  auto redelivery = open_when_there_is_room(
      [&] { return spool::RejectedRedelivery::open(path, spool, kWaitForOthers, clock_, stop); }, stop, diagnostics_);
  if (!redelivery) return std::move(redelivery).error();
  const std::lock_guard lock(mutex_);
  redelivery_ = std::move(*redelivery);
  redelivery_spool_ = spool;
  return {};
}

DeliveryLedger::Waiting& DeliveryLedger::wait(std::uint64_t stream, spool::BlockPlace from) {
  const auto [at, fresh] = waiting_streams_.try_emplace(stream, next_waiting_);
  if (!fresh) return waiting_[at->second];
  next_waiting_ = (next_waiting_ + 1) & kWaitingMask;
  Waiting& waiting = waiting_[at->second];
  waiting.stream = stream;
  waiting.start = waiting.next = waiting.until = from;
  return waiting;
}

DeliveryLedger::Waiting* DeliveryLedger::waiting_of(const record::Record& record) {
  if (waiting_streams_.empty() || record.source.kind != record::Source::Kind::block) return nullptr;
  const auto found = waiting_streams_.find(spool::stream_key(*record.labels, record.tenant));
  if (found == waiting_streams_.end()) return nullptr;
  Waiting& waiting = waiting_[found->second];
  return spool::BlockPlace{record.source.block, record.source.ordinal} < waiting.start ? nullptr : &waiting;
}

PushToken DeliveryLedger::enter(const record::Source& source, bool marker) {
  if (source.kind == record::Source::Kind::block) return source.block << kOrdinalBits | source.ordinal;
  if (source.kind != record::Source::Kind::file) return kNoToken;
  return std::uint64_t{source.log} << kIndexBits | (lanes_[source.log].enter(source, marker) & kIndexMask);
}

PushToken DeliveryLedger::enter_waiting(Waiting& waiting, const record::Source& source) {
  const std::uint64_t number = waiting_streams_[waiting.stream];
  waiting.next = {source.block, source.ordinal + 1};
  return kWaits | number << kIndexBits | (waiting.lane.enter(source, false) & kIndexMask);
}

base::Result<std::optional<PushToken>> DeliveryLedger::see(const record::Record& record) {
  if (!listens()) return std::optional(kNoToken);
  const std::lock_guard lock(mutex_);
  if (record.source.kind == record::Source::Kind::rejected) {
    return std::optional(redelivery_ && record.source.spool == redelivery_spool_ ? kRow | record.source.block : kNoToken);
  }
  if (!tracks()) return std::optional(kNoToken);
  auto verdict = keeper_ ? keeper_->track(record) : consumer_->track(record);
  if (!verdict) return std::move(verdict).error();
  if (*verdict == spool::Verdict::repeat) return std::optional<PushToken>();
  if (record.source.kind == record::Source::Kind::block && record.source.ordinal > kOrdinalMask)
    return base::fail(base::Code::bug, "a block of a spool has more than {} records", kOrdinalMask);
  if (Waiting* waiting = waiting_of(record)) {
    consumer_->leave(waiting->stream, {record.source.block, record.source.ordinal});
    // A record behind left records is left too.
    return std::optional(waiting->left ? kNoToken : enter_waiting(*waiting, record.source));
  }
  return std::optional(enter(record.source, false));
}

base::Result<void> DeliveryLedger::see_marker(const record::Record& record) {
  if (!tracks()) return {};
  const std::lock_guard lock(mutex_);
  auto verdict = keeper_ ? keeper_->track(record) : consumer_->track(record);
  if (!verdict) return std::move(verdict).error();
  dirty_ = true;
  ++unattended_;
  release_waiting();
  if (*verdict == spool::Verdict::repeat || !keeper_ || record.source.kind != record::Source::Kind::file) return {};
  const record::Marker::Type type = record.marker->type;
  if (type != record::Marker::Type::position && type != record::Marker::Type::done) return {};
  settle_locked(enter(record.source, type == record::Marker::Type::done));
  return {};
}

void DeliveryLedger::leave(const record::Record& record, PushToken token) {
  const std::lock_guard lock(mutex_);
  const spool::BlockPlace place{record.source.block, record.source.ordinal};
  Waiting& waiting = wait(spool::stream_key(*record.labels, record.tenant), place);
  if (waiting.left) return;
  // see() had entered it as taken.
  if (token != kNoToken && (token & kWaits) != 0) waiting.lane.undo();
  consumer_->leave(waiting.stream, place);
  waiting.start = std::min(waiting.start, place);
  waiting.next = place;
  waiting.left = true;
  dirty_ = true;
}

PushToken DeliveryLedger::read_again(const record::Record& record) {
  const std::lock_guard lock(mutex_);
  Waiting* waiting = waiting_of(record);
  return waiting == nullptr ? enter(record.source, false) : enter_waiting(*waiting, record.source);
}

void DeliveryLedger::resumed(std::uint64_t stream) {
  const std::lock_guard lock(mutex_);
  const auto found = waiting_streams_.find(stream);
  if (found == waiting_streams_.end()) return;
  Waiting& waiting = waiting_[found->second];
  waiting.left = false;
  waiting.next = waiting.until = consumer_->position();
  advance(waiting);
  release_waiting();
}

// Reports to the consumer how far the stream is.
void DeliveryLedger::advance(Waiting& waiting) {
  waiting.lane.take_settled([](const record::Source&) {});
  spool::BlockPlace from = waiting.next;
  if (!waiting.lane.empty()) from = {waiting.lane.front().block, waiting.lane.front().ordinal};
  consumer_->wait_from(waiting.stream, from);
  dirty_ = true;
}

// A stream that waits for nothing flows again.
void DeliveryLedger::release_waiting() {
  if (waiting_.empty()) return;
  const spool::BlockPlace position = consumer_->position();
  std::erase_if(waiting_, [&](const auto& entry) {
    const Waiting& waiting = entry.second;
    if (waiting.left || !waiting.lane.empty() || position < waiting.until) return false;
    consumer_->stop_waiting(waiting.stream);
    waiting_streams_.erase(waiting.stream);
    dirty_ = true;
    return true;
  });
}

void DeliveryLedger::settle_locked(PushToken token) {
  if (token == kNoToken) return;
  if ((token & kRow) != 0) {
    redelivery_->delivered(token & ~kRow);
    dirty_ = true;
    return;
  }
  if ((token & kWaits) != 0) {
    const auto found = waiting_.find(static_cast<std::uint32_t>(token >> kIndexBits) & kWaitingMask);
    if (found == waiting_.end()) return;
    if (found->second.lane.settle(token & kIndexMask)) advance(found->second);
    return;
  }
  if (consumer_) {
    const auto ordinal = static_cast<std::uint32_t>(token & kOrdinalMask);
    consumer_->acknowledge(token >> kOrdinalBits, ordinal, ordinal);
    dirty_ = true;
    return;
  }
  const auto found = lanes_.find(static_cast<std::uint32_t>(token >> kIndexBits));
  if (found == lanes_.end()) return;
  DeliveryLane& lane = found->second;
  if (lane.settle(token & kIndexMask)) {
    lane.take_settled([this](const record::Source& source) { keeper_->advance(source); });
    dirty_ = true;
  }
  lane.take_ahead([this](const record::Source& source) {
    keeper_->advance_alone(source);
    dirty_ = true;
  });
  if (lane.empty() && !keeper_->follows(found->first)) lanes_.erase(found);
}

void DeliveryLedger::settle(PushToken token) {
  if (!listens()) return;
  const std::lock_guard lock(mutex_);
  ++unattended_;
  settle_locked(token);
}

void DeliveryLedger::delivered(std::span<const PushToken> tokens) {
  if (!listens()) return;
  const std::lock_guard lock(mutex_);
  if (consumer_) {
    // The records of one stream lie between those of others, so a request may be many stretches. One call acknowledges all.
    stretches_.clear();
    for (const PushToken token : tokens) {
      if (token >= kWaits) continue;
      const spool::BlockPlace place{token >> kOrdinalBits, static_cast<std::uint32_t>(token & kOrdinalMask)};
      const spool::BlockPlace after{place.block, place.ordinal + 1};
      if (!stretches_.empty() && stretches_.back().to == place) {
        stretches_.back().to = after;
      } else {
        stretches_.push_back({place, after});
      }
    }
    const auto apart = [](const spool::PlaceSet::Stretch& a, const spool::PlaceSet::Stretch& b) { return a.from < b.from; };
    if (!std::ranges::is_sorted(stretches_, apart)) std::ranges::sort(stretches_, apart);
    consumer_->acknowledge(stretches_);
    dirty_ = dirty_ || !tokens.empty();
  }
  // Backwards, so that a lane advances once over all of them.
  for (std::size_t i = tokens.size(); i-- > 0;)
    if (!consumer_ || tokens[i] >= kWaits) settle_locked(tokens[i]);
  release_waiting();
}

// Whether the record is kept whole, with all that was to be sent.
bool DeliveryLedger::keeps_whole(const loki::RejectedRecord& rejected) {
  if (is_of_time(rejected.reason)) return false;
  const base::Monotonic now = clock_.monotonic();
  whole_credit_ = std::min(kWholeBurst, whole_credit_ + static_cast<double>(now - whole_filled_) / base::kSecond * kWholeRate);
  whole_filled_ = now;
  const auto cost = static_cast<double>(rejected.record->line.data.size() + kWholeCost);
  if (whole_credit_ < cost) return false;
  whole_credit_ -= cost;
  return true;
}

std::string DeliveryLedger::whole_record(const loki::RejectedRecord& rejected, std::string_view object) const {
  record::Record record = *rejected.record;
  record::Extra extra;
  if (record.extra != nullptr) extra = *record.extra;
  extra.rejected = object;
  record.extra = &extra;
  record.source = {};
  record.raw = {};
  std::string line;
  record::append_jsonl(line, record);
  if (!line.empty()) line.pop_back();
  return line;
}

void DeliveryLedger::reject_in_place(spool::BlockPlace place, const loki::RejectedRecord& rejected) {
  // A million records may come with one text.
  if (common_of_ != rejected.text) {
    common_of_ = rejected.text;
    common_ = common_reason(rejected);
  }
  consumer_->reject_in_place(place.block, place.ordinal, rejected.reason, {rejected.status, common_, url_, rejected.tenant, {}});
}

void DeliveryLedger::rejected(PushToken token, const loki::RejectedRecord& rejected) {
  if (!listens()) return;
  const std::lock_guard lock(mutex_);
  dirty_ = true;
  ++unattended_;
  spool::Rejection rejection{rejected.status, rejected.text, url_, rejected.tenant, {}};
  if (token != kNoToken && (token & kRow) != 0) {
    redelivery_->rejected(token & ~kRow, rejection, rejected_object(rejection, clock_.wall()));
    return;
  }
  if (!tracks()) return;
  const bool whole = keeps_whole(rejected);
  std::string line;
  if (whole) {
    line = whole_record(rejected, rejected_object(rejection, clock_.wall()));
    rejection.record = line;
  }
  if (consumer_ && token != kNoToken) {
    std::optional<spool::BlockPlace> place;
    if ((token & kWaits) == 0) {
      place = spool::BlockPlace{token >> kOrdinalBits, static_cast<std::uint32_t>(token & kOrdinalMask)};
    } else {
      const auto found = waiting_.find(static_cast<std::uint32_t>(token >> kIndexBits) & kWaitingMask);
      const record::Source* source = found == waiting_.end() ? nullptr : found->second.lane.source_of(token & kIndexMask);
      if (source != nullptr) place = spool::BlockPlace{source->block, source->ordinal};
    }
    if (place && whole) consumer_->reject(place->block, place->ordinal, rejection);
    if (place && !whole) reject_in_place(*place, rejected);
    if ((token & kWaits) != 0) settle_locked(token);
    return;
  }
  if (store_ && whole) {
    store_->reject(rejection);
  } else if (store_ && !not_kept_said_) {
    not_kept_said_ = true;
    diagnostics_.say(
        "records that Loki refuses for their time, or in masses, are counted and not kept: they stay in their log files");
  }
  settle_locked(token);
}

std::uint64_t DeliveryLedger::block_of(PushToken token) {
  const std::lock_guard lock(mutex_);
  if (!consumer_ || token == kNoToken || (token & kRow) != 0) return 0;
  if ((token & kWaits) == 0) return token >> kOrdinalBits;
  const auto found = waiting_.find(static_cast<std::uint32_t>(token >> kIndexBits) & kWaitingMask);
  const record::Source* source = found == waiting_.end() ? nullptr : found->second.lane.source_of(token & kIndexMask);
  return source != nullptr ? source->block : 0;
}

std::size_t DeliveryLedger::rejections_waiting() const {
  return consumer_ ? consumer_->rejections_waiting() : store_ ? store_->rejections_waiting() : 0;
}

bool DeliveryLedger::too_many_wait() const {
  return rejections_waiting() >= kMostWaiting || (redelivery_ && redelivery_->waiting() >= kRedeliveredAtOnce);
}

base::Result<void> DeliveryLedger::commit_locked() {
  if (!dirty_) return {};
  base::Result<void> stored;
  std::uint64_t evicted = 0;
  if (consumer_) {
    stored = consumer_->commit();
    evicted = consumer_->take_evicted_rejected();
  } else if (store_) {
    stored = store_->commit(*keeper_);
    evicted = store_->take_evicted_rejected();
  }
  if (evicted > 0) {
    diagnostics_.warn("rejected-max", fmt::format("the store of rejected records is full: the oldest {} are not kept any more\n"
                                                  "`weir buffer --rejected-max` says how much a spool keeps",
                                                  evicted));
  }
  if (stored && redelivery_) stored = redelivery_->commit();
  if (!stored) return stored;
  dirty_ = false;
  unattended_ = 0;
  unattended_since_ = base::kNever;
  return stored;
}

// Reports a failure. The next attempt comes by itself.
base::Result<void> DeliveryLedger::try_commit() {
  auto stored = commit_locked();
  if (!stored) diagnostics_.warn("commit", fmt::format("{}; trying again", stored.error().message));
  return stored;
}

base::Monotonic DeliveryLedger::commit_due(base::Monotonic now) {
  if (!listens()) return base::kNever;
  const std::lock_guard lock(mutex_);
  if (!dirty_) return base::kNever;
  const bool noted = consumer_ ? consumer_->note() : store_ != nullptr && store_->note(*keeper_);
  if (!noted && consumer_) consumer_->note_delivered();
  if (noted) {
    unattended_ = 0;
    unattended_since_ = base::kNever;
  }
  if (now < next_commit_ && !too_many_wait()) return next_commit_;
  next_commit_ = base::after(now, redelivery_ ? kRedeliveredEvery : noted ? kCommitNoted : kCommitEvery);
  return try_commit() ? base::kNever : next_commit_;
}

base::Monotonic DeliveryLedger::attend(base::Monotonic now) {
  if (!listens()) return base::kNever;
  std::unique_lock lock(mutex_);
  if (!dirty_ || unattended_ == 0) return base::kNever;
  if (unattended_since_ == base::kNever) unattended_since_ = now;
  const base::Monotonic due = base::after(unattended_since_, kCommitEvery);
  if (now < due && unattended_ < kCommitAfter && !too_many_wait()) return due;
  next_commit_ = base::after(now, kCommitEvery);
  while (!try_commit()) {
    unattended_since_ = now;
    unattended_ = 1;
    if (rejections_waiting() < kMostWaiting || (stop_ != nullptr && stop_->stopped())) return base::after(now, kCommitEvery);
    lock.unlock();
    struct pollfd stopped = {stop_ != nullptr ? stop_->fd() : -1, POLLIN, 0};
    ::poll(&stopped, 1, static_cast<int>(kCommitEvery / base::kMillisecond));
    lock.lock();
  }
  return base::kNever;
}

void DeliveryLedger::waiting() { static_cast<void>(attend(clock_.monotonic())); }

base::Result<void> DeliveryLedger::close() {
  const std::lock_guard lock(mutex_);
  return store_ ? store_->close() : base::Result<void>();
}

base::Result<void> DeliveryLedger::commit() {
  if (!listens()) return {};
  const std::lock_guard lock(mutex_);
  return commit_locked();
}

}  // namespace weir::delivery
