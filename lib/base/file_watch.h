// Notices that files of configuration changed: replaced by a rename, written in place, removed, made, or exchanged by a symbolic
// link above them, as the kubelet does in the folder of a ConfigMap.
//
//   FileWatch watch(paths);
//   watch.remember();                       // before the files are read
//   … read the files …
//   watch.attach(wake);                     // on the thread that drives the chain
//   in nudge():  if (watch.changed(now)) … read the files again …;  come again at watch.due()
//
// States:
//   quiet     nothing happened since the last remember() or changed()
//   settling  something happened. A rename counts at once, because a renamed file is complete. Any other change may leave half a
//             text, so it counts when nothing more has happened for kSettle. All files are read together: while one of them is
//             being written, a rename of another one and a reload that somebody asked for wait
//
// Events: what inotify says of the files, and of every folder that holds a part of their paths (a file, a link, or what one leads
// to). A change between remember() and attach() is seen, too. A file that was written to and looks the same as before (device,
// inode, size, times) counts as unchanged.
//
// Not thread safe. Costs nothing before attach().
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "base/wake.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::base {

class FileWatch {
 public:
  static constexpr Duration kSettle = 500 * kMillisecond;

  explicit FileWatch(std::vector<std::string> paths);

  // Remembers the present state of the files.
  void remember();

  // How long whoever reads the files for the first time should wait, because one of them, as remember() saw it, was written less
  // than kSettle before `now`, and may be half a text. 0: they can be read. A time ahead of `now` says nothing.
  [[nodiscard]] Duration unsettled(Timestamp now) const;

  // Registers with `wake`, which must outlive the watch. Errors: io (no inotify instance is left, …).
  Result<void> attach(Wake& wake);

  // True when the files have changed since the last remember(), or since the last changed() that was true, and have settled. Never
  // waits.
  bool changed(Monotonic now);
  // Makes the next changed() true, whatever has happened, once no file is being written: for a reload that somebody asked for.
  void expect() { asked_ = true; }

  // When changed() wants to be asked again; kNever while it is quiet.
  [[nodiscard]] Monotonic due() const { return due_ == kNever ? kNever : std::max(due_, whole_at_); }

 private:
  struct State {  // of one file
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t modified = 0;  // nanoseconds
    int error = 0;              // errno; 0: it is there
    std::int64_t changed = 0;   // nanoseconds; a program that sets the time of modification back does not set this one
    friend bool operator==(const State&, const State&) = default;
  };
  [[nodiscard]] std::vector<State> states() const;
  void watch_all();
  void watch_path(const std::string& path);
  void watch_folder(const std::string& folder, std::string_view name);
  // Reads what inotify has to say; notes when the change counts.
  void read_events(Monotonic now);

  const std::vector<std::string> paths_;
  std::vector<State> known_;
  UniqueFd inotify_;
  std::map<int, std::set<std::string, std::less<>>> folders_;  // by watch: the names in it that matter
  std::set<int> files_;                                        // watches of the files themselves
  Monotonic due_ = kNever;
  Monotonic whole_at_ = 0;          // before that, a file may be half a text
  bool written_unwatched_ = false;  // between remember() and attach(), nobody knows when
  bool asked_ = false;
};

}  // namespace weir::base
