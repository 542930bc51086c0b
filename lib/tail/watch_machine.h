// The machine inside of Watcher: which folders are watched, which logs are in them, which file each log has and had, and what is
// reported to the reader. One thread drives it, run() in watcher.cc; the reader's thread shares only `shared`, `forgotten` and
// `epoch` with it, under the mutex. Its decisions that need no file are values and functions of watch_rules.h.
//
// What it knows
//   A Folder has a path and two inotify watches: one of structure (names that come and go), one of writing, set with its first log.
//   Paths that lead to one inode share the watch, and are chained by same_structure and same_written.
//   A Log has a key (its live path), its latest file, `formers` (files that it had) and `aliases` (other names of its files). It is
//     here       its live name leads to its latest file
//     missing    its live name leads nowhere, or to another log's file; the latest file may be read on
//     finished   its reader is done with it; it is kept only while one of its files has another name (watcher_alias.cc)
//   and it is forgotten when it is finished and has no alias. `number` is never used again.
//   A pattern (what the user asked for, or where a link led) is anchored at the deepest folder that exists; `levels` of a Folder
//   say which level of which pattern names its entries.
//
// Events
//   a name came (IN_CREATE, IN_MOVED_TO)        consider(): a folder is entered, a file becomes a log or the next file of one
//   a name went (IN_DELETE, IN_MOVED_FROM)      check() of its log: missing, unless another file has the name by now
//   a live file was renamed (both, one cookie)  moved(): nobody may have opened it yet, so that it is opened under its new name
//   a folder went                               leave(): its logs are missing, its watches are gone
//   something was written (IN_MODIFY)           gathered (GatherPace), then changed(): reported once a round
//   many writes between two reports             the folder's events are switched off (disarm()); its logs are reported each
//                                               time (`busy`) until a reader finds nothing new: events cost the writer and us
//                                               more than a check
//   something was mounted or unmounted          check_mounts(): a folder that patterns begin at may be another one now, which
//   inotify
//                                               does not say
//   the event queue overflowed                  rescan(true), check_all(): everything is compared with what is known
//   30 s have passed                            rescan(false): the safety net for what inotify does not report
//   the reader is done with a log               forget(), by `forgotten`
//   the filter's answers may have changed       ask_filter(): see watcher_filter.cc
//   an inotify limit was reached                `blind`: a check a second, and a warning
//
// Invariants
//   1. A log's files are reported in the order in which they had the live name. Files that were opened ahead of the events of their
//      renames stand in `ahead`, and moved() puts a late one in front of them.
//   2. A file belongs to one log, however many names it has: owner_of() asks by inode and head before a log is reported.
//   3. Each file whose creation was reported is opened, or counted as lost in front of the next one that is (FileCount,
//      report_unopened()).
//   4. What is published in one round is consistent: publish() is called only when all events of structure were read (settle()) and
//      claims are settled.
//   5. A check compares the disk with what is known and reports the difference. It may be called too often, so an
//      event is only ever a reason to check, never a fact.
//   6. After an event is switched on again (arm()), the logs are reported once more, so that a write in between is not missed.
//
// Why one machine. A rename, a new file and an alias change the same three tables (by_key, by_inode, folders) at once, and an event
// that is taken for one of these may turn out to be another. Several owners would have to agree about every event, and each
// disagreement would be a lost or a doubled file. So there is one owner, and its rules are tested by themselves.
#pragma once

#include "base/unique_fd.h"
#include "base/wake.h"
#include "tail/watch_rules.h"
#include "tail/watcher.h"

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::tail {

struct WatchMachine {
  struct Folder {
    std::string path;
    int structure = -1, written = -1;  // watch descriptors: of an inode, so that two paths to one folder have the same
    Folder* same_structure = nullptr;  // the next folder with the same
    Folder* same_written = nullptr;
    std::vector<std::pair<const Pattern*, std::size_t>> levels;      // which levels of which patterns name its entries
    std::multimap<std::string, std::uint32_t, std::less<>> logs;     // by live name in it, or by the name of what a link leads to
    std::multimap<std::string, std::uint32_t, std::less<>> aliases;  // names of files that are another log's: watcher_alias.cc
    std::int64_t modified = -1;                                      // its mtime when it was last listed
    std::uint64_t inode = 0, device = 0;
    std::size_t events = 0;  // of writing, since such events were last read
    bool fresh = false;      // was not there when watching began, and no log in it was forgotten
  };
  struct Rotated {
    std::uint64_t inode = 0, size = 0;
    base::Timestamp modified = 0;
    friend bool operator==(const Rotated&, const Rotated&) = default;
  };
  // A file that was a generation of a log, and may have another name now.
  struct Former {
    std::uint64_t inode = 0, device = 0;
    std::uint32_t head_size = 0;
    std::uint64_t head_hash = 0;
    base::Timestamp born = 0;
    std::weak_ptr<InputFile> file;
    std::shared_ptr<const std::atomic<std::uint64_t>> place;  // null: unknown
    bool awaits_rename = false;  // it was opened under the live name, and the event of its rename has not been read yet
    std::int64_t at = 0;         // Log::generations when it became one of them
  };
  struct Alias {
    std::string folder, name;
    std::uint64_t inode = 0, device = 0;
    std::uint32_t head_size = 0;
    std::uint64_t head_hash = 0;
    base::Timestamp born = 0;
  };
  struct Log {
    std::string key, path, target;
    std::vector<Former> formers;   // oldest first: the last few, and those that have a name of a log
    std::vector<Alias> aliases;    // the other names of its files
    bool finished = false;         // the reader is done with it: forgotten with its last alias
    std::int64_t generations = 0;  // counts formers
    std::uint64_t inode = 0, device = 0, size = 0;
    base::Timestamp born = 0;
    std::weak_ptr<InputFile> file;  // the latest generation
    std::vector<Rotated> rotated;   // what stood beside the live file when it was first seen, or when it was last another one
    bool missing = false;
    bool renamed = false;         // the event of the latest file's rename was read
    FileCount files;              // of its name; the round is `drains`
    std::uint64_t place = 0;      // of the reader, at the last check
    std::uint64_t published = 0;  // the epoch in which `changed` was published; under the mutex
    std::uint64_t noticed = 0;    // the round in which a change was noticed
  };

  WatchMachine(std::vector<Pattern> wanted_patterns, Selection wanted, WatchTimes watch_times, const base::Clock& the_clock,
               HeldFiles& held_files, WatchOptions options)
      : asked(std::move(wanted_patterns)),
        selection(std::move(wanted)),
        times(watch_times),
        clock(the_clock),
        held(held_files),
        roots(options.roots),
        filter(options.filter),
        positioned(std::move(options.known)) {}

  const std::vector<Pattern> asked;
  const Selection selection;
  const WatchTimes times;
  const base::Clock& clock;
  HeldFiles& held;
  const LogRoots* const roots;
  PodFilter* const filter;  // may be null
  KnownFiles positioned;    // the thread's own; of logs that were not found yet
  base::UniqueFd structure, written, wake, ready;
  base::UniqueFd mounts;  // says when something is mounted or unmounted, of which inotify says nothing; or none
  std::thread thread;

  // Shared.
  std::mutex mutex;
  Changes shared;
  std::vector<std::uint32_t> forgotten;
  std::uint64_t epoch = 1;  // counts take()

  // The thread's own.
  Changes news;
  std::vector<std::unique_ptr<Pattern>> patterns;  // `asked`, from a folder that exists; and those that links added
  std::map<std::string, std::unique_ptr<Folder>, std::less<>> folders;
  std::unordered_map<int, Folder*> by_structure, by_written;
  std::unordered_map<std::uint32_t, Log> logs;
  std::map<std::string, std::uint32_t, std::less<>> by_key;
  std::set<std::string, std::less<>> linked;                       // keys that a link led to
  std::set<std::string, std::less<>> failed;                       // paths that could not be opened: tried again at each rescan
  std::unordered_multimap<std::uint64_t, std::uint32_t> by_inode;  // of the files that logs have and had
  struct Claim {
    std::string folder, name, log;  // a file that positions call one of `log`
    KnownFiles::Owner known;        // its `log` is empty: it is one by its name, and positions do not know it
  };
  std::vector<Claim> claims;  // to be settled when everything was checked
  struct Rotation {
    std::string path;
    bool to_be_read = false;
  };
  std::map<std::string, std::vector<Rotation>> rotations_read;  // until then
  std::vector<std::uint32_t> retiring;                          // finished logs that lost their last alias in this round
  std::vector<std::uint32_t> ageing;                            // logs with formers that positions may be about to forget
  std::unordered_map<std::uint32_t, std::uint32_t> moving;      // logs by the cookie of their live file's rename
  std::vector<Folder*> written_to;                              // with `events`
  // Watch descriptors of folders whose logs are checked each time, without events of writing.
  std::vector<int> busy;
  std::vector<std::uint32_t> created;  // logs with a count of created files
  std::vector<std::uint32_t> ahead;    // logs with files that await the event of their rename
  std::uint32_t last_log = 0;
  std::uint64_t round = 1;
  std::uint64_t drains = 0;  // how often all structural events were read
  bool initial = true;
  bool blind = false;
  bool root_lost = false;
  bool unsettled = false;  // a file was opened since all structural events were read
  bool deleted = false;    // something lost its name since deleted files were checked
  ListedFolder listed;     // in which rotated files were looked for last
  // Logs that the filter keeps from being read, by path.
  struct LeftAlone {
    std::string key;
    bool initial = false;   // found when watching began
    bool excluded = false;  // it was not to be read, at some time
    base::Monotonic ask_at = base::kNever;
  };
  std::map<std::string, LeftAlone, std::less<>> left_alone;
  std::set<std::string, std::less<>> from_end;  // keys of logs that are read from now on
  base::Wake filter_changed;
  bool listens = false;
  std::atomic<std::size_t> left_alone_count{0};  // for any thread

  // watcher_find.cc: finding
  void anchor(const Pattern& pattern);
  void enter(const std::string& path, const Pattern& pattern, std::size_t depth);
  // A folder that was found, not asked for: a link is entered where it may lead.
  bool leads_out(const std::string& path) const;
  void enter_found(const std::string& path, const Pattern& pattern, std::size_t depth);
  bool watch(Folder& folder);
  // True when the folder can be checked all the same.
  bool cannot_watch(const std::string& path, int cause);
  void list(Folder& folder);
  void check_name(Folder& folder, const std::string& name);
  void consider(Folder& folder, std::string_view name, bool is_folder);
  void add_file(Folder& folder, const std::string& path);
  // Says that changes of `name` in `folder` are changes of the log.
  void own(Folder& folder, std::string_view name, std::uint32_t number);
  void disown(const Log& log, std::uint32_t number);
  void watch_written(Folder& folder);
  // Asks inotify for events of writing in a folder, or for none. False when the path leads to another folder meanwhile.
  bool arm(Folder& folder);
  bool disarm(Folder& folder);
  bool ask(Folder& folder, std::uint32_t events);
  // Compares a log's live file with what is known of it.
  void check(std::uint32_t number);
  // For each creation that inotify reported, that file or a later one was opened. Of files that came and went unopened, as while
  // this process was stopped, only the number is known.
  void count_opened(Log& log, std::uint64_t count);
  // The event of an opened file's creation has arrived by now. It is read at once, so that it is not taken for a later file's.
  void settle();
  void count_created(const Folder& folder, std::string_view name);
  // All structural events were read. Files that were created and not opened are reported in front of the file that was opened
  // instead. While the live name is missing, they may still be among the rotated files.
  void report_unopened();
  // The live file is another one than before. Usually the former one stands beside it as the newest of its rotated siblings; what
  // stands between them was rotated before anybody looked.
  void catch_up(std::uint32_t number, Log& log, InputFile& live);
  std::vector<Rotated> rotated_files(const std::string& key);
  // Opens a file that becomes a generation, or that is checked for whether it does.
  base::Result<std::shared_ptr<InputFile>> open(const std::string& path);
  // The file is the log's latest.
  void take(std::uint32_t number, Log& log, const std::shared_ptr<InputFile>& file);
  void lose(std::uint32_t number);
  void changed(std::uint32_t number);
  void refuse(const std::string& path, int error_number) { refuse(path, Cause::of_system(error_number)); }
  void refuse(const std::string& path, const Cause& cause);

  // watcher_alias.cc: files that have several names
  // The log, other than `number`, that has or had the file; 0 for none.
  std::uint32_t owner_of(InputFile& file, std::uint32_t number);
  bool has_or_had(const Log& log, InputFile& file);
  // The log's file is another one's. A log that had no file is none.
  void become_alias(std::uint32_t number, std::uint32_t owner, InputFile& file);
  void add_alias(Folder& folder, std::string_view name, std::uint32_t owner, InputFile& file);
  bool is_alias(Folder& folder, std::string_view name);  // and still of the same file
  void drop_alias(Folder& folder, std::string_view name);
  void drop_retired();
  // The log's latest file is about to be another one.
  void remember(std::uint32_t number, Log& log, const std::shared_ptr<InputFile>& file);
  void unremember(std::uint64_t inode, std::uint32_t number);
  // The live file of `number` was renamed to `name`. When nobody opened it before that, it is a generation: it comes before those
  // that were opened already and whose own rename has not been reported yet.
  void moved(std::uint32_t number, Folder& folder, std::string_view name);
  void alias_written(Folder& folder, std::string_view name);
  void check_aliases(Folder& folder);
  // The file becomes one of the log of this name, read from `offset` on, with its other names. `owner`: the log whose alias it
  // is, 0 for none. False when it is not there, or the name is that of a log that has a file.
  bool set_free(std::uint32_t owner, const std::string& path, std::uint64_t inode, std::uint64_t offset);
  void set_old_ones_free();
  // True when the log, of which nothing was seen before, has a file that positions call another log's.
  bool claimed(const Log& log, InputFile& file);
  const std::vector<Rotation>& rotations_read_with(const std::string& live);
  void settle_claims();
  void settle(const Claim& claim);
  void remove_new(std::uint32_t number);  // a log that was not reported

  // watcher_filter.cc: logs that are left alone
  // Whether the filter keeps the log at `path` from being read; remembers it then.
  bool leaves_alone(const std::string& path, const std::string& key);
  void ask_filter();
  void set_aside(std::uint32_t number);
  void check_left_alone();  // forgets those that are not there any more
  [[nodiscard]] base::Monotonic ask_at() const;
  base::Result<void> listen();
  void unlisten();

  // losing
  void leave(Folder& folder);
  // Another folder has taken the path: what is watched is not there any more.
  void enter_again(Folder& folder);
  void forget(std::uint32_t number);

  // looking at everything again
  void rescan(bool everything);
  // Something was mounted or unmounted, perhaps over a folder from which patterns lead down.
  void check_mounts();
  // Whether what is watched is not the folder of this path any more, though it may have its inode: the event that said so may have
  // been one of those that were dropped.
  bool is_another(const Folder& folder) const;
  static bool is_at(const Folder& folder, const struct stat& status);
  // Links come and go with their pods, and so do the patterns that they added.
  void drop_idle_patterns();
  void check_all();
  void anchor_lost();

  // watcher.cc: events
  template <typename Use>
  void read_events(int fd, Use use);
  void take_structure(Folder& folder, std::uint32_t mask, std::uint32_t cookie, std::string_view name);
  void read_structure();
  void read_written();
  // Has the logs read of which inotify is not asked, and asks again where the last reading found nothing.
  void check_busy();

  // the thread
  void publish();
  void run();
};

}  // namespace weir::tail
