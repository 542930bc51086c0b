// Watches folders for log files and opens every new generation of a log the moment it appears, on a thread of its own, so that
// a blocked chain does not go blind: what it opened stays readable whatever happens to its name.
//
// inotify watches folders, never files. New, renamed and deleted names are acted on at once. Writes are gathered for a moment after
// the first event, and reported at intervals while more keep coming, because wake-ups are what following costs. A log that is
// written to many times in an interval is reported each time without events, until nothing new was read of it: events would cost
// more. A slow scan of folders and sizes is the safety net, and the answer to a queue that overflowed. When a log was rotated
// faster than it could be checked, its generations are found among the rotated files beside it.
//
// A file is one log's, however many names it has: a hard link, a link to its folder, a rotated file whose name is that of a log as
// well (server-2024-05-01.log). A name is compared by inode and head with the logs that are followed and with what they were
// before; after a restart, with the positions. A file that is written to under such a name after its log was done with it becomes a
// log of its own, and so does one that the positions of its log are about to forget.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "tail/held_files.h"
#include "tail/input_file.h"
#include "tail/known_files.h"
#include "tail/pattern.h"
#include "tail/pod_filter.h"
#include "tail/selection.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::tail {

struct WatchTimes {
  base::Duration gather = 100 * base::kMillisecond;   // from the first event after a quiet time until it is reported
  base::Duration spacing = 400 * base::kMillisecond;  // at least, from one such report to the next
  base::Duration rescan = 30 * base::kSecond;
  base::Duration hold = base::kSecond;  // between two checks of deleted files
};

// What happened since the former take(). Log numbers are the watcher's own.
struct Changes {
  struct Event {
    std::uint32_t log = 0;
    std::string key;
    // The log's next generation, or its latest one again, when a name that was gone leads to the same inode. Null: the live name is
    // gone (deleted, renamed, or its folder is).
    std::shared_ptr<InputFile> file;
    bool initial = false;  // was there when watching began
    // The log is new, in a folder that is, and was rotated before anybody looked: nothing of it was read.
    bool rotated = false;
    std::uint64_t lost = 0;    // `file` is null: so many files of this name came and went before they could be opened
    std::uint64_t offset = 0;  // what stands before was read as another log's
    std::vector<std::shared_ptr<InputFile>> moved;  // more that positions call the log's, under other names; from their places on
    bool from_end = false;   // it was left alone, and is read from now on: what stands in `file` was not to be read
    bool set_aside = false;  // `file` is null: the log is left alone from now on. Should it be read again, it has another number
    bool vanished = false;   // `file` is null, `log` is 0: a log that was left alone is not there any more
  };
  std::vector<Event> events;           // in the order in which they were seen
  std::vector<std::uint32_t> changed;  // something was written to one of the log's files
  std::vector<std::string> awaited;    // files that the user named and that are not there yet
  std::vector<std::string> warnings;
  Unreadable unreadable;
  bool complete = false;    // the first look at everything is over
  bool left_alone = false;  // then: the filter keeps some log from being read
  [[nodiscard]] bool empty() const {
    return events.empty() && changed.empty() && awaited.empty() && warnings.empty() && unreadable.causes.empty() && !complete;
  }
};

struct WatchOptions {
  const LogRoots* roots = nullptr;  // where links may lead; null: everywhere. Outlives the watcher and the files it opens
  KnownFiles known;                 // of the positions that reading starts from
  PodFilter* filter = nullptr;      // asked before a log is opened, and again when answers change; null: everything is read
};

struct WatchMachine;  // watch_machine.h

// start(), take() and forget() are for one thread, that of the reader.
class Watcher {
 public:
  // `held`: where the files are listed that it opens, and whose bound it keeps. Outlives the watcher.
  static base::Result<std::unique_ptr<Watcher>> start(std::vector<Pattern> patterns, Selection selection, WatchTimes times,
                                                      const base::Clock& clock, HeldFiles& held, WatchOptions options = {});
  ~Watcher();
  Watcher(const Watcher&) = delete;  // owns a thread
  Watcher& operator=(const Watcher&) = delete;

  // Readable while there is something to take.
  [[nodiscard]] int fd() const;
  [[nodiscard]] Changes take();
  // Ends the watching. What was seen until then can still be taken.
  void stop();
  // The reader has finished with a log whose name is missing. Should the name be there again, it comes back as found.
  void forget(std::uint32_t log);
  // How many logs the filter keeps from being read. From any thread.
  [[nodiscard]] std::size_t left_alone() const;

 private:
  explicit Watcher(std::unique_ptr<WatchMachine> machine);
  std::unique_ptr<WatchMachine> machine_;
};

}  // namespace weir::tail
