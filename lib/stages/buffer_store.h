// The spool that buffer writes to: it waits while the spool is full, and reports and counts what the writer evicted.
#pragma once

#include "pipeline/stage.h"
#include "spool/status_file.h"
#include "spool/writer.h"
#include "stages/buffer_drain.h"
#include "stages/buffer_metrics.h"
#include "stages/evicted_streams.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace weir::stages {

// Opens the spool. Waits while the disk is full at the start, as for a disk that becomes full later. Errors: those of
// spool::Writer::open.
base::Result<std::unique_ptr<spool::Writer>> open_writer(const spool::WriterOptions& options, const pipeline::Context& context);

// For the thread that drives the chain above buffer. `metrics` and `open` outlive it. `open`: the block that is not stored yet. An
// error for lack of room says how many records of it were not taken.
class BufferStore {
 public:
  BufferStore(std::string path, std::unique_ptr<spool::Writer> writer, const spool::BlockBuilder& open, BufferMetrics& metrics,
              const pipeline::Context& context);

  // From the first call of the stage on, unless records are only stored. It is used until the stage ends.
  void forwards_to(BufferDrain& drain) { drain_ = &drain; }
  [[nodiscard]] BufferDrain* drain() const { return drain_; }

  // `work` is called again and again while the spool has no room, for who watches the chain. Without a driver it is not needed.
  void meanwhile(std::function<void()> work) { meanwhile_ = std::move(work); }
  void while_waiting() const {
    if (meanwhile_) meanwhile_();
  }

  // The writer, which knows how far the drain has come. Use it for whatever may evict.
  spool::Writer& writer() {
    if (drain_ != nullptr) writer_->keep_from(drain_->next_to_pass());
    return *writer_;
  }
  // The writer, without asking the drain.
  spool::Writer& plain_writer() { return *writer_; }

  // Calls `store` again until the spool has room, or until `spared` says that the records need not be stored any more. Errors:
  // those of `store`. Those for lack of room only when nobody makes room any more, or when the stop's deadline has come.
  template <typename Store, typename Spared>
  auto patiently(const Store& store, const Spared& spared) -> decltype(store()) {
    Patience patience;
    while (true) {
      auto stored = [&] {
        const metrics::Wait writing(context_.driver, metrics::On::disk, metrics::kLongRead);
        return store();
      }();
      if (stored) {
        if (patience.waited) has_room_again();
        return stored;
      }
      metrics_.not_committed();
      if (stored.error().code != base::Code::full && stored.error().code != base::Code::busy) return stored;
      if (spared()) {
        if (patience.waited) unblocked();
        return typename std::remove_cvref_t<decltype(*stored)>{};
      }
      if (auto trouble = wait_for_room(stored.error(), patience)) return *std::move(trouble);
    }
  }
  template <typename Store>
  auto patiently(const Store& store) -> decltype(store()) {
    return patiently(store, [] { return false; });
  }

  // Reports and counts what the writer did in a transaction, and what it found besides. Evicted records are noted in evicted().
  void note(const spool::Appended& appended);
  // A record reports that a part of its log was lost.
  void note_gap(const record::Record& record);
  // What was evicted and has no gap record yet.
  [[nodiscard]] EvictedStreams& evicted() { return evicted_; }
  // Says how it goes, for `weir spool status`. Returns when to come again.
  base::Monotonic report(base::Monotonic now) { return status_.due(now); }
  // Reports and counts the records that were evicted before the drain passed them on. Once a batch.
  void note_missed();

 private:
  struct Patience {
    bool waited = false;
    base::Monotonic since = 0;
    base::Duration wait = 100 * base::kMillisecond;  // at first; each try packs the block again
    std::optional<metrics::Wait> named = {};
  };
  // Returns the error to end with; nullopt after a while: try again.
  std::optional<base::Error> wait_for_room(const base::Error& error, Patience& patience);
  void has_room_again();
  // Nothing stands in the way of storing any more.
  void unblocked();
  [[nodiscard]] base::Error not_taken(const base::Error& error) const;

  const std::string path_;
  std::unique_ptr<spool::Writer> writer_;
  spool::StatusFile status_;  // ends before the writer gives its lock back
  const spool::BlockBuilder& open_;
  BufferMetrics& metrics_;
  const pipeline::Context context_;
  EvictedStreams evicted_;
  BufferDrain* drain_ = nullptr;
  std::function<void()> meanwhile_;
};

}  // namespace weir::stages
