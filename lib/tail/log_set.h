// The logs that are read: a reader for each, from the moment its files are found until it has ended.
//
// A tail that reads once finds the logs first and opens a few hundred at a time. One that follows has a watcher that reports logs
// and changes of their files. Either way a reader is in the queue when there may be something to read. It begins at its stored
// position, or else where the user asked for.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "record/positions.h"
#include "tail/handover.h"
#include "tail/held_files.h"
#include "tail/log_reader.h"
#include "tail/reader_queue.h"
#include "tail/restarts.h"
#include "tail/selection.h"
#include "tail/start.h"
#include "tail/stored_logs.h"
#include "tail/trouble_report.h"
#include "tail/watcher.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::tail {

// What a LogSet works with; all of it outlives it.
struct LogSetParts {
  const std::vector<std::string>& inputs;  // paths, folders and globs
  const Selection& selection;
  const Start& start;  // of files that were there at the start and have no position
  const ReadOptions& read;
  const LogRoots& roots;
  ReadStats& stats;
  TroubleReport& troubles;
  HeldFiles& held;
  ReaderQueue& queue;
  base::Diagnostics& diagnostics;
  const base::Clock& clock;
  bool alone = true;            // nothing else is read: then it is reported that there is no log
  PodFilter* filter = nullptr;  // which pods' logs are read; null: all
};

// For one thread.
class LogSet {
 public:
  explicit LogSet(const LogSetParts& parts);

  // Before anything is opened: where reading goes on.
  void load(record::Positions positions) { stored_.load(std::move(positions)); }

  // In front of that: where somebody else stopped reading.
  void load_foreign(ForeignPositions positions) { stored_.load_foreign(std::move(positions)); }

  // Before anything is opened, behind load(): what a tail before this one had open.
  void take_over(std::map<std::string, OpenFiles> left) { stored_.take_over(std::move(left)); }
  // Reading is over: gives away what the next tail may not find by name. Nothing can be read afterwards.
  void hand_over(Handover& handover);

  // Reading once: finds the logs, then opens some of them whenever few are open. False when there is nothing more to read; true may
  // leave the queue empty.
  bool open_some();
  // Before that, for who asks for unread(): also looks up the sizes of files that are not open yet.
  void measure() { measures_ = true; }
  // About how many bytes of files are still to be read. Costs a system call for each open file.
  [[nodiscard]] std::uint64_t unread() const { return unopened_ + parts_.held.unread(); }
  // Reading once, before anything is opened: until when the filter may want to be waited for; 0 for not at all.
  [[nodiscard]] base::Monotonic undecided(base::Monotonic now);
  // After that: no log was found, and none is known from a position.
  [[nodiscard]] bool nothing_matches() const { return nothing_matches_; }

  // Following: from now on fd() is readable when take_changes() has something to do.
  base::Result<void> watch(const WatchTimes& times);
  [[nodiscard]] int fd() const { return watcher_ != nullptr ? watcher_->fd() : -1; }  // -1: nothing is watched
  [[nodiscard]] bool changes_waiting() const;
  // An error: nothing that was there at the start can be read. `shortens`: the user did not ask for `start`, so what it leaves out
  // is said.
  base::Result<void> take_changes(bool shortens);

  // The reader, which read() of the queue gave, has finished: it is taken out of the queue and destroyed.
  void remove(Reader& reader);
  // Reading ends: those that may still hold an open line are to be read once more.
  std::vector<Reader*> end();

  [[nodiscard]] std::uint64_t opened() const { return opened_; }  // files
  // Logs that the filter keeps from being read; while following.
  [[nodiscard]] std::size_t left_alone() const { return watcher_ == nullptr ? 0 : watcher_->left_alone(); }
  // Calls visit(const LogReader&) for each log that is read.
  template <typename Visit>
  void each(Visit&& visit) const {
    for (const auto& [number, reader] : readers_) visit(std::as_const(*reader));
    for (const auto& [key, reader] : absent_) visit(std::as_const(*reader));
  }

 private:
  std::unique_ptr<LogReader> new_reader(std::string key);
  std::unique_ptr<LogReader> adopt(const std::string& key);
  void add_initial(LogReader& reader, std::shared_ptr<InputFile> file);
  void queue_absent();
  void find();
  void open(const std::string& key, const std::vector<std::string>& paths);
  void apply(Changes::Event& event);
  void set_aside(std::uint32_t log);
  void end_left_alone(const std::string& key);
  void add_at_end(LogReader& reader, std::shared_ptr<InputFile> file);
  [[nodiscard]] PodFilter::Answer answer(const std::string& key) const;
  base::Result<void> settle(bool awaits, bool shortens);

  const LogSetParts parts_;
  StoredLogs stored_;
  std::unique_ptr<Watcher> watcher_;
  std::uint32_t last_log_ = 0;
  std::unordered_map<std::uint32_t, std::unique_ptr<LogReader>> readers_;  // by the watcher's number; reading once: by their own
  std::unordered_map<const Reader*, std::uint32_t> numbers_;               // of these readers, as above
  std::map<std::string, std::unique_ptr<LogReader>, std::less<>> absent_;  // logs that are known from positions alone, by key
  std::map<std::string, std::unique_ptr<LogReader>, std::less<>> left_alone_;  // that were read before, by key
  Restarts restarts_;                                                          // of the logs that are followed

  // Reading once.
  bool found_ = false, nothing_matches_ = false, measures_ = false;
  std::uint64_t unopened_ = 0;  // bytes of files that are not open yet; 0 where nobody measures
  LogFiles files_;
  LogFiles::const_iterator next_ = files_.cend();           // the first that was not opened yet
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen_;  // a file that two names lead to is read once

  std::uint64_t opened_ = 0;
  // Files that were there at the start, and those that are not read from their beginning.
  std::uint64_t initial_ = 0, shortened_ = 0;
  std::string latest_initial_;
};

}  // namespace weir::tail
