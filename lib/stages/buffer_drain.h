// The downstream side of `buffer`: a thread that emits stored blocks in order.
#pragma once

#include "base/wake.h"
#include "pipeline/stage.h"
#include "record/record.h"
#include "spool/place.h"
#include "spool/reader.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace weir::stages {

struct DrainSpec {
  std::string spool_path;
  std::uint64_t spool = 0;       // the spool's identity
  spool::PlaceSet acknowledged;  // not forwarded again
  std::uint64_t stored = 0;      // the newest block that was stored before the start
  std::uint64_t memory = 4 << 20;
};

// The methods belong to one thread, the one that drives the chain above. Only the drain's own thread uses the outlet.
class BufferDrain {
 public:
  // Fails when no thread can be started, or no descriptors are left for it. `out` must outlive the drain.
  static base::Result<std::unique_ptr<BufferDrain>> start(DrainSpec spec, pipeline::Outlet& out, const pipeline::Context& context);
  ~BufferDrain();  // emits nothing more

  // The block is stored. None of its records is held. Keeps `records` when there is room for them in memory. Returns a batch to
  // fill again.
  record::Batch stored(std::uint64_t block, record::Batch records);
  // The block is not stored. The drain emits it from memory, after the blocks before it. Its records are not changed.
  void pass(std::uint64_t block, std::shared_ptr<const record::Batch> records);
  // A block that was given to pass() is stored now, so the drain need not keep it in memory.
  void stored(std::uint64_t block);
  // When this returns, the drain's thread no longer uses any records that it has released.
  void synchronize() { const std::lock_guard lock(mutex_); }

  // All that was stored and passed has been emitted, but for what is being emitted now.
  [[nodiscard]] bool caught_up() {
    const std::lock_guard lock(mutex_);
    return emitted_ >= newest_ && waiting_.empty();
  }
  // The first block that may not have been passed on. All blocks before it were passed on, or had left the spool.
  [[nodiscard]] std::uint64_t next_to_pass() {
    const std::lock_guard lock(mutex_);
    return passed_ + 1;
  }
  // The thread has ended: it passes on nothing more.
  [[nodiscard]] bool ended() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  // The outlet returned done: it wants no more.
  [[nodiscard]] bool done();
  // The outlet's final error.
  [[nodiscard]] std::optional<base::Error> error();

  base::Result<pipeline::Flushed> flush(base::Monotonic deadline);
  // Emits the remaining blocks until `deadline`, then the end marker. Joins the thread.
  base::Result<void> finish(base::Monotonic deadline);

  // Records that this process stored and that were evicted before the drain passed them on.
  [[nodiscard]] std::uint64_t evicted() const { return evicted_.value(); }
  // Records of blocks that could not be read.
  [[nodiscard]] std::uint64_t unreadable() const { return lost_.value(); }
  // Counts what became of the records given to stored() and pass(), and of records from before the start that were passed on. Read
  // it after finish().
  [[nodiscard]] const metrics::Block& metrics() const { return block_; }

 private:
  BufferDrain(DrainSpec spec, pipeline::Outlet& out, const pipeline::Context& context);

  struct Waiting {
    std::uint64_t block, previous;
    record::Batch own;                            // may be changed
    std::shared_ptr<const record::Batch> shared;  // may not be changed
    std::uint64_t bytes;                          // bytes of `own`
  };

  // How many records of each block from `first` on have not been passed on, for blocks that this process stored or passed.
  struct Awaited {
    std::uint64_t first = 0;
    std::deque<std::uint32_t> records;
    void add(std::uint64_t block, std::uint64_t count);
    // Records of this block, and records of earlier blocks, which will not come.
    struct Taken {
      std::uint64_t records = 0, skipped = 0;
    };
    Taken take(std::uint64_t block);
  };

  void run();
  void await(std::uint64_t block, std::uint64_t records);
  void passes(std::uint64_t block, std::uint64_t records, std::uint64_t bytes);
  void passes_nothing(std::uint64_t block, metrics::Counter& why);
  base::Result<void> drain();
  base::Result<bool> emit(record::Batch& batch);  // false: done
  base::Result<bool> emit_next(std::unique_lock<std::mutex>& lock);
  base::Result<bool> emit_from_file(std::uint64_t target);
  record::Batch spare();
  void keep_spare(record::Batch batch);

  const DrainSpec spec_;
  pipeline::Outlet& out_;
  const pipeline::Context context_;
  metrics::Driver* const driver_ = context_.driver_below;  // of the drain's thread; may be null

  // Call it with the lock held, when there is work for the thread.
  void wake_thread() {
    if (idle_) wake_.ring();
    idle_ = false;
  }

  std::mutex mutex_;
  base::Wake wake_;                  // the thread waits on it
  bool idle_ = false;                // the thread waits, and wake_ has not rung since
  std::condition_variable changed_;  // flush() waits on it for the thread
  std::deque<Waiting> waiting_;
  std::deque<record::Batch> spare_;
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t newest_;   // the newest block that was stored or passed
  std::uint64_t emitted_;  // the newest block that was emitted, or is being emitted
  std::uint64_t passed_;   // the newest block that the outlet has taken whole; it follows emitted_
  bool finishing_ = false, ended_ = false, done_ = false;
  base::Monotonic finish_by_ = base::kNever;
  std::optional<base::Monotonic> flush_by_;
  std::optional<base::Result<pipeline::Flushed>> flushed_;
  std::optional<base::Error> error_;

  // Only for the drain's thread.
  std::unique_ptr<spool::Reader> reader_;
  record::Batch views_;  // views of a shared batch

  // Written with the lock held, by both threads: the books of buffer balance only together with what the feeding thread counts, so
  // its driver copies them.
  Awaited awaited_;
  metrics::Block block_;
  metrics::Counter records_out_, bytes_out_, backlog_, evicted_, damaged_, lost_;
  metrics::Gauge waiting_records_;
  std::thread thread_;
};

}  // namespace weir::stages
