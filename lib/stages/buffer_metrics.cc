#include "stages/buffer_metrics.h"

#include "base/count.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir::stages {
namespace {

using metrics::Account;

constexpr auto kRecordsIn = metrics::counter("weir_buffer_input_records_total", "records", "Records that buffer got.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_buffer_input_bytes_total", "bytes", "Bytes of the lines that buffer got.", Account::in);
constexpr auto kInvalid = metrics::counter("weir_buffer_invalid_records_total", "records",
                                           "Records made from input that was not a record.", Account::invalid);
constexpr auto kDropped = metrics::counter("weir_buffer_dropped_records_total", "records",
                                           "Records that buffer did not take, by reason.", Account::dropped, "reason");
constexpr auto kHeld = metrics::counter("weir_buffer_held_records_total", "records",
                                        "Records that are held in the spool and not passed on.", Account::held);
constexpr auto kHeldBytes =
    metrics::counter("weir_buffer_held_bytes_total", "bytes", "Bytes of the lines that are held in the spool and not passed on.");
constexpr auto kGroup =
    metrics::gauge("weir_buffer_open_records", "records", "Records of the blocks that are not full yet.", Account::in_flight);
constexpr auto kStored = metrics::counter("weir_buffer_stored_records_total", "records", "Records that were stored in the spool.");
constexpr auto kStoredBytes =
    metrics::counter("weir_buffer_stored_bytes_total", "bytes", "Bytes of the lines that were stored in the spool.");
constexpr auto kKept = metrics::counter("weir_buffer_kept_records_total", "records",
                                        "Records that were only stored and not passed on (--store).", Account::out);
constexpr auto kKeptBytes = metrics::counter("weir_buffer_kept_bytes_total", "bytes",
                                             "Bytes of the lines that were only stored and not passed on (--store).", Account::out);
constexpr auto kPassed = metrics::counter("weir_buffer_spilled_records_total", "records",
                                          "Records that were passed on before they were stored (--spill).");
constexpr auto kReleased = metrics::counter("weir_buffer_released_records_total", "records",
                                            "Held records that a release made undelivered.", Account::added);
constexpr auto kGapRecords = metrics::counter("weir_buffer_gap_records_total", "records",
                                              "Records that buffer made to tell of evicted undelivered records.", Account::added);
constexpr auto kEvicted =
    metrics::counter("weir_buffer_evicted_records_total", "records", "Undelivered records that were evicted to make room.");
constexpr auto kEvictedHeld = metrics::counter("weir_buffer_evicted_held_records_total", "records",
                                               "Held records that were evicted to make room, before --hold.");
constexpr auto kEvictedRejected =
    metrics::counter("weir_buffer_evicted_rejected_records_total", "records", "Rejected records that the spool no longer keeps.");
constexpr auto kLost =
    metrics::counter("weir_buffer_lost_records_total", "records", "Records that nobody will deliver any more.", Account::lost);
constexpr auto kFailures =
    metrics::counter("weir_buffer_store_failures_total", "failures", "Times that records or positions could not be stored.");

constexpr auto kSize = metrics::gauge("weir_buffer_size_bytes", "bytes", "Size of the spool's file and its write-ahead log.");
constexpr auto kLimit =
    metrics::gauge("weir_buffer_limit_bytes", "bytes",
                   "Size that the spool's file can have now: --max-size, or less, by --min-free and the free space of the disk.");
constexpr auto kFull = metrics::smallest(metrics::gauge(
    "weir_buffer_full_seconds", "seconds", "Time until undelivered records fill the spool, at the rate of the last minutes."));
constexpr auto kUndelivered =
    metrics::gauge("weir_buffer_undelivered_records", "records", "Records of blocks in the spool that are not delivered whole.");
constexpr auto kUndeliveredBytes =
    metrics::gauge("weir_buffer_undelivered_bytes", "bytes", "Bytes that blocks take in the spool which are not delivered whole.");
constexpr auto kOldestUndelivered = metrics::gauge(
    "weir_buffer_oldest_undelivered_seconds", "seconds",
    "How late delivery is: the time since the oldest block that is not delivered whole was stored. weir-spool(1), under status, "
    "compares it with `behind`.");
constexpr auto kHeldStored =
    metrics::gauge("weir_buffer_held_stored_bytes", "bytes", "Bytes that blocks of held records take in the spool.");
constexpr auto kOldestHeld =
    metrics::gauge("weir_buffer_held_oldest_seconds", "seconds", "Time since the oldest block of held records was stored.");
constexpr auto kLastCommit = metrics::gauge("weir_buffer_last_commit_timestamp_seconds", "seconds",
                                            "When buffer last stored something, in seconds since 1970.");
constexpr std::uint64_t ms(std::uint64_t count) { return count * base::kMillisecond; }
constexpr std::array<std::uint64_t, 10> kCommitTimes = {ms(5),   ms(10),   ms(25),   ms(50),    ms(100),
                                                        ms(250), ms(1000), ms(5000), ms(15000), ms(60000)};
constexpr auto kCommits = metrics::histogram("weir_buffer_commit_duration_seconds", "seconds",
                                             "Time that it took to store a block, with packing it.", kCommitTimes);

constexpr std::uint64_t kNearlyFull = 80;  // percent

}  // namespace

BufferMetrics::BufferMetrics(const pipeline::Context& context)
    : positions(context.metrics, metrics::Trouble::positions),
      block_(context.metrics, context.driver),
      records_in_(block_.counter(kRecordsIn)),
      bytes_in_(block_.counter(kBytesIn)),
      invalid_(block_.counter(kInvalid)),
      repeats_(block_.family(kDropped).at("repeat")),
      shed_(block_.family(kDropped).at("held_shed")),
      held_(block_.counter(kHeld)),
      held_bytes_(block_.counter(kHeldBytes)),
      open_(block_.gauge(kGroup)),
      stored_(block_.counter(kStored)),
      stored_bytes_(block_.counter(kStoredBytes)),
      kept_(block_.counter(kKept)),
      kept_bytes_(block_.counter(kKeptBytes)),
      passed_(block_.counter(kPassed)),
      released_(block_.counter(kReleased)),
      told_(block_.counter(kGapRecords)),
      evicted_(block_.counter(kEvicted)),
      evicted_held_(block_.counter(kEvictedHeld)),
      evicted_rejected_(block_.counter(kEvictedRejected)),
      lost_(block_.counter(kLost)),
      failures_(block_.counter(kFailures)),
      size_(block_.gauge(kSize)),
      limit_(block_.gauge(kLimit)),
      full_(block_.gauge(kFull)),
      undelivered_records_(block_.gauge(kUndelivered)),
      undelivered_bytes_(block_.gauge(kUndeliveredBytes)),
      oldest_undelivered_(block_.gauge(kOldestUndelivered)),
      held_stored_(block_.gauge(kHeldStored)),
      oldest_held_(block_.gauge(kOldestHeld)),
      last_commit_(block_.gauge(kLastCommit)),
      commits_(block_.histogram(kCommits)),
      room_(context.metrics, metrics::Trouble::room) {}

void BufferMetrics::committed(base::Duration took, base::Timestamp now) {
  commits_.add(static_cast<std::uint64_t>(std::max<base::Duration>(0, took)));
  last_commit_.set(static_cast<std::uint64_t>(std::max<base::Timestamp>(0, now)));
}

void BufferMetrics::note(const spool::Stock& stock, const std::string& spool_path, base::Monotonic now, base::Timestamp wall) {
  const auto age = [&](base::Timestamp stored) -> std::uint64_t {
    return stored == 0 || stored >= wall ? 0 : static_cast<std::uint64_t>(wall - stored);
  };
  size_.set(stock.file_bytes);
  limit_.set(stock.limit);
  undelivered_records_.set(stock.undelivered_records);
  undelivered_bytes_.set(stock.undelivered_bytes);
  oldest_undelivered_.set(age(stock.oldest_undelivered));
  held_stored_.set(stock.held_bytes);
  oldest_held_.set(age(stock.oldest_held));
  until_full_.add(now, stock.undelivered_bytes);
  // What is there need not be as much as the limit: the next block does not fit.
  full_.set(stock.full ? 0 : until_full_.until(stock.limit));
  // A disk that others fill up is another trouble.
  const std::uint64_t percent = stock.allowed == 0 ? 100 : stock.undelivered_bytes * 100 / stock.allowed;
  nearly_full_ = percent >= kNearlyFull;
  if (nearly_full_) {
    room_.raise(fmt::format("{} % of the spool '{}' are records that wait for delivery", std::min<std::uint64_t>(percent, 100),
                            spool_path));
  } else {
    room_.clear();
  }
}

void BufferMetrics::stored(const pipeline::Tally& block) {
  stored_.add(block.records);
  stored_bytes_.add(block.bytes);
}

void BufferMetrics::held(const pipeline::Tally& block) {
  held_.add(block.records);
  held_bytes_.add(block.bytes);
  stored(block);
}

void BufferMetrics::not_held(std::uint64_t records) {
  shed += records;
  shed_.reach(shed);
}

void BufferMetrics::kept(const pipeline::Tally& block) {
  kept_.add(block.records);
  kept_bytes_.add(block.bytes);
}

std::uint64_t BufferMetrics::note_evicted(const spool::Appended& appended) {
  evicted_held_.add(appended.evicted_held_early);
  evicted_rejected_.add(appended.evicted_rejected);
  if (appended.ring) {
    evicted_from_ring_ += appended.evicted_delivered + appended.evicted_held;
    evicted_backlog_ += appended.evicted_backlog;
    return appended.evicted_backlog;
  }
  evicted_by_writer_ += appended.evicted_undelivered;
  return appended.evicted_undelivered;
}

std::uint64_t BufferMetrics::note_missed(std::uint64_t records) {
  const std::uint64_t fresh = records > std::max(evicted_by_writer_, missed_) ? records - missed_ : 0;
  missed_ = records;
  return fresh;
}

void BufferMetrics::publish(std::uint64_t repeats, std::uint64_t open) {
  records_in_.reach(in.records);
  bytes_in_.reach(in.bytes);
  invalid_.reach(invalid);
  repeats_.reach(repeats);
  shed_.reach(shed);
  open_.set(open);
  const std::uint64_t evicted = std::max(evicted_by_writer_, missed_) + evicted_backlog_;
  lost_.add(evicted - evicted_.value());
  evicted_.reach(evicted);
}

std::string BufferMetrics::summary(bool spills, const std::string& spool_path) const {
  // Held records are never passed on, so they are not among those that were.
  const std::uint64_t held = spills ? held_.value() : 0, held_bytes = spills ? held_bytes_.value() : 0;
  const std::string stored = base::grouped(stored_.value() - held);
  const std::string bytes = record::print_size(stored_bytes_.value() - held_bytes);
  std::string text =
      spills ? fmt::format("passed on {}, and stored {} of them, {}", base::count_of(passed_.value(), "record"), stored, bytes)
             : fmt::format("stored {}, {}", base::count_of(stored_.value(), "record"), bytes);
  if (repeats_.value() > 0) text += fmt::format("; {} stored before", base::count_of(repeats_.value(), "was", "were"));
  if (released_.value() > 0) text += fmt::format("; released {}", base::count_of(released_.value(), "held record"));
  if (evicted_.value() > 0)
    text += fmt::format("; {} lost", base::count_of(evicted_.value(), "undelivered record was evicted to make room and is",
                                                    "undelivered records were evicted to make room and are"));
  if (evicted_held_.value() > 0)
    text += fmt::format("; {} evicted to make room", base::count_of(evicted_held_.value(), "held record was", "held records were"));
  if (evicted_from_ring_ > 0) {
    text += fmt::format("; {} evicted: without a consumer, the spool is a ring of recent records",
                        base::count_of(evicted_from_ring_, "older record was", "older records were"));
  }
  if (const std::uint64_t stay = held_.value() - std::min(held_.value(), released_.value()); stay > 0)
    text += fmt::format("; {} in the spool, `weir replay {} --held` reads them",
                        base::count_of(stay, "held record stays", "held records stay"), spool_path);
  if (shed_.value() > 0)
    text += fmt::format("; {} not stored", base::count_of(shed_.value(), "held record was", "held records were"));
  return text;
}

}  // namespace weir::stages
