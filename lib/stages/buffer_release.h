// The releases that buffer has to do with (spool/release.h): it finds requests that other processes left in the spool, selects
// what `release` markers ask for, and says when the next held block is to be copied. Buffer itself copies.
//
//   marker `release` -> waits a random time, since all nodes got the rule at once -> due -> a thread selects and asks (one release
//                       at a time; the chain goes on meanwhile) -> the spool has requests, or the id was known
//   marker `release_ended` -> whatever of that is still to come is cancelled
//   bell, start, every maintenance of the writer, end of a selection -> the spool may have requests: waits() until none is
//   left
//
// While nothing is held, nothing of this exists: no watch, no thread, no descriptor.
#pragma once

#include "base/stop.h"
#include "base/wake.h"
#include "pipeline/stage.h"
#include "spool/bell.h"
#include "spool/release.h"
#include "stages/release_pace.h"

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace weir::stages {

// For the thread that drives the chain above buffer.
class BufferReleases {
 public:
  // `jitter`: the longest wait before a marker is acted on. `rate`: bytes a second that are copied; 0: no limit.
  BufferReleases(std::string spool, base::Duration jitter, std::uint64_t rate, const pipeline::Context& context)
      : spool_(std::move(spool)), context_(context), jitter_(jitter), pace(rate) {}
  ~BufferReleases() { end(); }
  // Ends a selection. What it selected is not asked for; a marker that comes again at the next start begins it again.
  void end();

  void attach(base::Wake& wake) { wake_ = &wake; }
  // The spool has held records, or gets some: from now on it listens to the bell. A second call does nothing.
  void listen();

  void asked(const record::Marker& marker, base::Monotonic now);
  void ended(const record::Marker& marker);

  // A marker is due, and nothing else is selected: what is held and came before must be stored now, and then select() be called.
  [[nodiscard]] bool must_select(base::Monotonic now) const;
  void select(base::Monotonic now);

  // Somebody may have left requests in the spool.
  void check_again() { waits_ = true; }
  // Reads the bell, and whether a selection has ended. True: the spool may have requests.
  bool waits();
  void nothing_waits() { waits_ = false; }

  // When to come again.
  [[nodiscard]] base::Monotonic due(base::Monotonic now) const;

 private:
  struct Asked {
    spool::ReleaseOrder order;
    base::Monotonic due = 0;
  };
  // A selection in progress.
  struct Selection {
    std::string id;
    std::unique_ptr<base::Stop> stop;
    std::atomic<bool> ended = false;
    std::thread thread;
  };
  void run(Selection& selection, const spool::ReleaseOrder& order) const;
  void join();

  const std::string spool_;
  const pipeline::Context context_;
  const base::Duration jitter_;
  base::Wake* wake_ = nullptr;
  bool listens_ = false;
  bool waits_ = true;  // what an earlier process left
  spool::Bell bell_;
  std::deque<Asked> asked_;
  std::unique_ptr<Selection> selection_;

 public:
  ReleasePace pace;
};

}  // namespace weir::stages
