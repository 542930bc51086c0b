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
  ~BufferDrain();  // what is left is not emitted

  // The block has been stored; nobody below gets `held` of its records. Takes its records when there is room for them. Returns
  // memory to fill again.
  record::Batch stored(std::uint64_t block, record::Batch records, std::uint64_t held);
  // The block is not stored. It is emitted from memory, in its turn. Its records are not changed.
  void pass(std::uint64_t block, std::shared_ptr<const record::Batch> records, std::uint64_t held);
  // A block that was passed is in the file, so this drain need not keep it in memory.
  void stored(std::uint64_t block);
  // When this returns, the drain's thread has finished all use of the records that it has released.
  void synchronize() { const std::lock_guard lock(mutex_); }

  // The outlet returned done: it wants no more.
  [[nodiscard]] bool done();
  // The outlet's final error.
  [[nodiscard]] std::optional<base::Error> error();

  base::Result<pipeline::Flushed> flush(base::Monotonic deadline);
  // Emits what is left until `deadline`, then the end marker. Joins the thread.
  base::Result<void> finish(base::Monotonic deadline);

  // Records that were evicted from the spool before their turn: taken by this process, and passed on to nobody.
  [[nodiscard]] std::uint64_t evicted() const { return evicted_.value(); }
  // What became of what stored() and pass() were given; of records from before, that they were passed on. After finish().
  [[nodiscard]] const metrics::Block& metrics() const { return block_; }

 private:
  BufferDrain(DrainSpec spec, pipeline::Outlet& out, const pipeline::Context& context);

  struct Waiting {
    std::uint64_t block, previous;
    record::Batch own;                            // may be changed
    std::shared_ptr<const record::Batch> shared;  // may not be changed
    std::uint64_t bytes;                          // bytes of `own`
  };

  // How many records of the blocks from `first` on, one after the other, have not been passed on. Blocks that this process has
  // stored or passed.
  struct Awaited {
    std::uint64_t first = 0;
    std::deque<std::uint32_t> records;
    void add(std::uint64_t block, std::uint64_t count);
    // Of this block, and of those before it, which come no more.
    struct Taken {
      std::uint64_t records = 0, skipped = 0;
    };
    Taken take(std::uint64_t block);
  };

  void run();
  void await(std::uint64_t block, std::uint64_t records, std::uint64_t held);
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

  // With the lock held: there is something for the thread to do.
  void tell_thread() {
    if (idle_) wake_.ring();
    idle_ = false;
  }

  std::mutex mutex_;
  base::Wake wake_;                  // what the thread waits on
  bool idle_ = false;                // it waits, and nobody has rung since it began to
  std::condition_variable changed_;  // what waits for the thread
  std::deque<Waiting> waiting_;
  std::deque<record::Batch> spare_;
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t newest_;   // the newest block that was stored or passed
  std::uint64_t emitted_;  // the newest block that was emitted
  bool finishing_ = false, ended_ = false, done_ = false;
  base::Monotonic finish_by_ = base::kNever;
  std::optional<base::Monotonic> flush_by_;
  std::optional<base::Result<pipeline::Flushed>> flushed_;
  std::optional<base::Error> error_;

  // Only for the drain's thread.
  std::unique_ptr<spool::Reader> reader_;
  record::Batch views_;  // views of a shared batch

  // Written with the lock held.
  Awaited awaited_;
  metrics::Block block_;
  metrics::Counter records_out_, bytes_out_, backlog_, held_, evicted_, damaged_, lost_;
  metrics::Gauge waiting_records_;
  std::thread thread_;
};

}  // namespace weir::stages
