#include "stages/buffer_drain.h"

#include "base/thread.h"
#include "delivery/spool_stream.h"

#include <poll.h>

#include <algorithm>

namespace weir::stages {
namespace {

using metrics::Account;

constexpr auto kRecordsOut =
    metrics::counter("weir_buffer_output_records_total", "records", "Records that buffer passed on.", Account::out);
constexpr auto kBytesOut =
    metrics::counter("weir_buffer_output_bytes_total", "bytes", "Bytes of the lines that buffer passed on.", Account::out);
constexpr auto kBacklog = metrics::counter("weir_buffer_backlog_records_total", "records",
                                           "Records from before the start that were passed on.", Account::added);
constexpr auto kGone = metrics::counter("weir_buffer_gone_records_total", "records",
                                        "Records that left the spool before they were passed on.", Account::dropped, "reason");
constexpr auto kLost =
    metrics::counter("weir_buffer_unreadable_records_total", "records", "Records of blocks that could not be read.", Account::lost);
constexpr auto kWaiting = metrics::gauge("weir_buffer_waiting_records", "records",
                                         "Records that buffer took since its start and has not passed on.", Account::in_flight);

constexpr std::size_t kSpare = 1;  // batches whose memory is kept for the next block

}  // namespace

BufferDrain::BufferDrain(DrainSpec spec, pipeline::Outlet& out, const pipeline::Context& context)
    : spec_(std::move(spec)),
      out_(out),
      context_(context),
      newest_(spec_.stored),
      emitted_(spec_.acknowledged.before().block - 1),
      passed_(emitted_),
      block_(context.metrics, context.driver, &mutex_),
      records_out_(block_.counter(kRecordsOut)),
      bytes_out_(block_.counter(kBytesOut)),
      backlog_(block_.counter(kBacklog)),
      evicted_(block_.family(kGone).at("evicted")),
      damaged_(block_.family(kGone).at("damaged")),
      lost_(block_.counter(kLost)),
      waiting_records_(block_.gauge(kWaiting)) {}

void BufferDrain::Awaited::add(std::uint64_t block, std::uint64_t count) {
  if (records.empty()) first = block;
  records.resize(block - first, 0);
  records.push_back(static_cast<std::uint32_t>(count));
}

BufferDrain::Awaited::Taken BufferDrain::Awaited::take(std::uint64_t block) {
  Taken taken;
  for (; !records.empty() && first <= block; ++first) {
    (first == block ? taken.records : taken.skipped) += records.front();
    records.pop_front();
  }
  return taken;
}

void BufferDrain::await(std::uint64_t block, std::uint64_t records) {
  awaited_.add(block, records);
  waiting_records_.set(waiting_records_.value() + records);
}

// The block is emitted next. The blocks between it and the one before have left the spool.
void BufferDrain::passes(std::uint64_t block, std::uint64_t records, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  emitted_ = block;
  const Awaited::Taken taken = awaited_.take(block);
  waiting_records_.set(waiting_records_.value() - taken.records - taken.skipped);
  evicted_.add(taken.skipped);
  if (block <= spec_.stored) backlog_.add(records);
  records_out_.add(records);
  bytes_out_.add(bytes);
}

// The same for a block that cannot be emitted either.
void BufferDrain::passes_nothing(std::uint64_t block, metrics::Counter& why) {
  const std::lock_guard lock(mutex_);
  emitted_ = block;
  const Awaited::Taken taken = awaited_.take(block);
  waiting_records_.set(waiting_records_.value() - taken.records - taken.skipped);
  evicted_.add(taken.skipped);
  why.add(taken.records);
}

base::Result<std::unique_ptr<BufferDrain>> BufferDrain::start(DrainSpec spec, pipeline::Outlet& out,
                                                              const pipeline::Context& context) {
  std::unique_ptr<BufferDrain> drain(new BufferDrain(std::move(spec), out, context));
  if (auto opened = drain->wake_.open(); !opened) return std::move(opened).error();
  auto thread = base::start_thread("read the spool", [raw = drain.get()] { raw->run(); });
  if (!thread) return std::move(thread).error();
  drain->thread_ = *std::move(thread);
  return drain;
}

BufferDrain::~BufferDrain() {
  if (thread_.joinable()) static_cast<void>(finish(context_.clock->monotonic()));
}

record::Batch BufferDrain::stored(std::uint64_t block, record::Batch records) {
  const std::uint64_t bytes = records.bytes() + records.records.size() * sizeof(record::Record);
  const std::lock_guard lock(mutex_);
  await(block, records.records.size());
  const std::uint64_t previous = std::exchange(newest_, block);
  if (!ended_ && (waiting_.empty() || waiting_bytes_ + bytes <= spec_.memory)) {
    waiting_.push_back({block, previous, std::move(records), nullptr, bytes});
    waiting_bytes_ += bytes;
    records = record::Batch();
    if (!spare_.empty()) {
      records = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  wake_thread();
  return records;
}

void BufferDrain::pass(std::uint64_t block, std::shared_ptr<const record::Batch> records) {
  const std::lock_guard lock(mutex_);
  await(block, records->records.size());
  const std::uint64_t previous = std::exchange(newest_, block);
  if (!ended_) waiting_.push_back({block, previous, {}, std::move(records), 0});
  wake_thread();
}

void BufferDrain::stored(std::uint64_t block) {
  const std::lock_guard lock(mutex_);
  std::erase_if(waiting_, [&](const Waiting& one) { return one.block == block; });
}

bool BufferDrain::done() {
  const std::lock_guard lock(mutex_);
  return done_;
}

std::optional<base::Error> BufferDrain::error() {
  const std::lock_guard lock(mutex_);
  return error_;
}

base::Result<pipeline::Flushed> BufferDrain::flush(base::Monotonic deadline) {
  std::unique_lock lock(mutex_);
  flush_by_ = deadline;
  flushed_.reset();
  wake_thread();
  {
    const metrics::Wait wait(context_.driver, metrics::On::drain);
    changed_.wait(lock, [this] { return flushed_.has_value() || ended_; });
  }
  flush_by_.reset();
  if (flushed_) return std::move(*flushed_);
  if (error_) return *error_;
  return pipeline::Flushed::timed_out;
}

base::Result<void> BufferDrain::finish(base::Monotonic deadline) {
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    finish_by_ = deadline;
    wake_thread();
  }
  if (thread_.joinable()) {
    const metrics::Wait wait(context_.driver, metrics::On::drain);
    thread_.join();
  }
  if (error_) return *error_;
  return {};
}

void BufferDrain::run() {
  if (driver_ != nullptr) driver_->begin(wake_);
  auto result = drain();
  if (driver_ != nullptr) driver_->end();
  const std::lock_guard lock(mutex_);
  if (!result) error_ = std::move(result).error();
  ended_ = true;
  waiting_.clear();
  changed_.notify_all();
}

base::Result<bool> BufferDrain::emit(record::Batch& batch) {
  if (driver_ != nullptr) driver_->turn(context_.clock->monotonic());
  auto flow = out_.emit(batch);
  if (!flow) return std::move(flow).error();
  if (*flow == pipeline::Flow::more) return true;
  const std::lock_guard lock(mutex_);
  done_ = true;
  return false;
}

base::Result<bool> BufferDrain::emit_from_file(std::uint64_t target) {
  std::optional<metrics::Wait> reading(std::in_place, driver_, metrics::On::disk, metrics::kLongRead);
  if (!reader_) {
    auto reader = spool::Reader::open(spec_.spool_path);
    if (!reader) return std::move(reader).error();
    if ((*reader)->spool() != spec_.spool) {
      return base::fail(base::Code::io, "cannot read on in spool '{}': another spool was put in its place", spec_.spool_path)
          .with_hint("start again; never replace a spool while it is in use");
    }
    reader_ = std::move(*reader);
  }
  auto blocks = reader_->list({.time = {}, .after = emitted_, .limit = 1, .deliverable = true});
  if (!blocks) return std::move(blocks).error();
  if (blocks->empty() || blocks->front().id > target) {
    // Evicted before it was passed on. The writer has counted and reported it.
    passes_nothing(target, evicted_);
    return true;
  }
  const std::uint64_t block = blocks->front().id;
  record::Batch records = spare();
  auto loaded = reader_->load(block, {}, records);
  if (!loaded && loaded.error().code == base::Code::corrupt) {
    lost_.add(delivery::leave_out_block(spec_.spool_path, blocks->front(), loaded.error(), *context_.clock, *context_.diagnostics));
    passes_nothing(block, damaged_);
    return true;
  }
  if (!loaded) return std::move(loaded).error();
  if (!*loaded) {
    passes_nothing(block, evicted_);
    return true;
  }
  reading.reset();
  const std::uint64_t bytes = delivery::finish_block(records, spec_.spool, block, &spec_.acknowledged);
  passes(block, records.records.size() - 1, bytes);
  auto more = emit(records);
  const std::lock_guard lock(mutex_);
  keep_spare(std::move(records));
  return more;
}

// The memory of a block that was passed on, if one is kept.
record::Batch BufferDrain::spare() {
  const std::lock_guard lock(mutex_);
  if (spare_.empty()) return {};
  record::Batch batch = std::move(spare_.back());
  spare_.pop_back();
  return batch;
}

// With the lock held.
void BufferDrain::keep_spare(record::Batch batch) {
  // A batch that waits comes back next, so a spare one is not needed.
  if (spare_.size() >= kSpare || !waiting_.empty()) return;
  batch.records.clear();
  batch.clear();
  spare_.push_back(std::move(batch));
}

// Emits one block, from memory if it is the next one there, else from the file. True: go on.
base::Result<bool> BufferDrain::emit_next(std::unique_lock<std::mutex>& lock) {
  while (!waiting_.empty() && waiting_.front().block <= emitted_) {
    waiting_bytes_ -= waiting_.front().bytes;
    waiting_.pop_front();
  }
  if (waiting_.empty() || waiting_.front().previous > emitted_) {
    const std::uint64_t target = waiting_.empty() ? newest_ : waiting_.front().previous;
    lock.unlock();
    auto more = emit_from_file(target);
    lock.lock();
    return more;
  }
  Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  lock.unlock();
  record::Batch& batch = next.shared != nullptr ? views_ : next.own;
  if (next.shared != nullptr) batch.records = next.shared->records;
  const std::uint64_t bytes = delivery::finish_block(batch, spec_.spool, next.block, nullptr);
  passes(next.block, batch.records.size() - 1, bytes);
  auto more = emit(batch);
  batch.records.clear();
  batch.clear();
  lock.lock();
  waiting_bytes_ -= next.bytes;
  if (next.shared != nullptr) {
    next.shared.reset();
  } else {
    keep_spare(std::move(next.own));
  }
  return more;
}

base::Result<void> BufferDrain::drain() {
  if (auto attached = out_.attach(wake_); !attached) return attached;
  record::Batch markers;
  delivery::append_begin(markers, spec_.spool_path, spec_.spool, spec_.acknowledged.before());
  if (auto more = emit(markers); !more) return std::move(more).error();

  const base::Clock& clock = *context_.clock;
  std::unique_lock lock(mutex_);
  while (!done_) {
    const base::Monotonic now = clock.monotonic();
    if (context_.stop != nullptr && context_.stop->level() == base::Stop::leave) return {};
    if (finishing_ && now >= finish_by_) break;
    if (emitted_ < newest_) {
      auto more = emit_next(lock);
      if (!more) return std::move(more).error();
      if (*more) passed_ = emitted_;
      continue;
    }
    if (flush_by_ && !flushed_) {
      const base::Monotonic deadline = *flush_by_;
      lock.unlock();
      auto flushed = out_.flush(deadline);
      if (driver_ != nullptr) driver_->turn(clock.monotonic());
      lock.lock();
      flushed_ = std::move(flushed);
      changed_.notify_all();
      continue;
    }
    if (finishing_) break;
    lock.unlock();
    if (driver_ != nullptr) driver_->keep(now);
    auto next = out_.nudge(clock.monotonic());
    if (driver_ != nullptr) driver_->turn(clock.monotonic());
    lock.lock();
    if (!next) return std::move(next).error();
    if (emitted_ < newest_ || finishing_ || (flush_by_ && !flushed_)) continue;
    idle_ = true;
    lock.unlock();
    pollfd woken = {wake_.fd(), POLLIN, 0};
    const base::Monotonic from = clock.monotonic();
    {
      const metrics::Wait wait(driver_, metrics::On::input);
      ::poll(&woken, 1, base::poll_timeout(from, std::min(*next, base::after(from, base::kMinute))));
    }
    wake_.hear();
    lock.lock();
    idle_ = false;
  }
  // When the process in front died, the stream has no end marker. The stages behind must not get one either.
  if (done_ || (context_.stop != nullptr && context_.stop->feed_has_died())) return {};
  lock.unlock();
  markers.records.clear();
  markers.clear();
  delivery::append_end(markers);
  auto more = emit(markers);
  if (!more) return std::move(more).error();
  return {};
}

}  // namespace weir::stages
