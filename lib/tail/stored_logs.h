// Where reading of each log goes on, by stored positions: which logs were not found yet, which files are theirs under other names,
// and which logs have no file any more.
#pragma once

#include "record/positions.h"
#include "tail/foreign_positions.h"
#include "tail/held_files.h"
#include "tail/input_file.h"
#include "tail/known_files.h"
#include "tail/log_reader.h"
#include "tail/log_roots.h"
#include "tail/pattern.h"
#include "tail/pod_filter.h"
#include "tail/resume.h"
#include "tail/selection.h"
#include "tail/start.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::tail {

// The files of each log, by its key, the oldest first: what find_files() gives.
using LogFiles = std::map<std::string, std::vector<std::string>>;

// For one thread. Without positions every log is new.
class StoredLogs {
 public:
  // `patterns`: what is read, as far as `selection` wants it. `start`: where logs without a position begin. `held` makes room for
  // the files that this opens, `roots` says where links may lead. All outlive it.
  StoredLogs(std::vector<Pattern> patterns, const Selection& selection, const Start& start, HeldFiles& held, const LogRoots& roots,
             const base::Clock& clock)
      : patterns_(std::move(patterns)), selection_(selection), start_(start), held_(held), roots_(roots), listed_(clock) {}

  // Before anything is read.
  void load(record::Positions positions);

  // In front of that: where somebody else stopped reading. It counts where no position is stored of a log.
  void load_foreign(ForeignPositions positions);
  // How many logs began at such a position, and how many of these positions are of wanted logs that are not there. Once: nothing
  // afterwards.
  struct ForeignUse {
    std::uint64_t logs = 0, absent = 0;
  };
  [[nodiscard]] ForeignUse take_foreign_use();

  // Behind load(): what the tail before this one had open, by log: read where it is a log's that is wanted. What that tail had read
  // to its end is used only where a position says that it is not done with, or where none ever became known.
  void take_over(std::map<std::string, OpenFiles> left);
  // What of that no reader was given yet.
  [[nodiscard]] std::map<std::string, OpenFiles> take_left() { return std::exchange(left_, {}); }

  [[nodiscard]] const std::vector<Pattern>& patterns() const { return patterns_; }
  // Whether a path is read as a log of its own.
  [[nodiscard]] bool wanted(std::string_view key) const;

  // What else resume() knows of a log.
  struct Circumstances {
    bool was_there = false;  // when this process started
    bool rotated = false;    // it came since then, and was rotated before it was seen
    OtherFiles others = {};
  };
  // Gives `reader` the files of its log from its position on, which is forgotten then. A position that is stored under another key
  // is the log's where its file is the same, its name is the same, and nothing else is under that key: the folder was renamed, or
  // is reached by another path. False when the log has no position and is to be read from its live file on; `live` is untouched
  // then.
  bool resume(LogReader& reader, std::shared_ptr<InputFile>& live, Circumstances circumstances);

  // The log's position is not where reading goes on.
  void forget(const std::string& key);
  // A reader that ends the log's position without a report; null where there is none.
  std::unique_ptr<LogReader> take_ended(const std::string& key,
                                        const std::function<std::unique_ptr<LogReader>(std::string)>& new_reader);
  // The readers of logs of which there are positions, or open files of a former tail, and no live file: their rotated files are
  // read, and those of which nothing is left are ended. Not those that may come: that are there and could not be opened, or whose
  // folder is not there (a disk that is not mounted yet). `new_reader` makes one for a key. Of what `ask` leaves alone, the
  // position ends, and nothing is read or reported; what comes later, and is there, is not absent.
  std::vector<std::unique_ptr<LogReader>> take_absent(const std::function<std::unique_ptr<LogReader>(std::string)>& new_reader,
                                                      const std::function<PodFilter::Answer(const std::string&)>& ask);

  // Reading once. Finds files that positions call another log's; what was added to one that was finished is a log of its own.
  void find_moved(const LogFiles& logs);
  [[nodiscard]] bool is_of_another(InputFile& file, std::string_view key) const;
  [[nodiscard]] std::vector<std::shared_ptr<InputFile>> moved_of(const std::string& key) const;
  // From where on the file is its own log's, where what stands before is another one's.
  [[nodiscard]] std::optional<std::uint64_t> own_from(const std::string& path) const;

  // How often a folder was read for that.
  [[nodiscard]] std::size_t listings() const { return listed_.listings(); }

  // Following: the watcher has them from now on.
  [[nodiscard]] KnownFiles take_known() { return std::move(known_); }

 private:
  [[nodiscard]] std::string known_as(const std::string& key, InputFile* live);
  [[nodiscard]] bool is_absent(const std::string& key) const;
  [[nodiscard]] bool is_left(const std::string& key) const;
  void add_left(LogReader& reader, const OpenFiles& left, const InputFile* live);
  [[nodiscard]] OpenFiles take_left_of(const std::string& key);
  bool start_at_foreign(LogReader& reader, std::shared_ptr<InputFile>& live, Circumstances& circumstances);

  const std::vector<Pattern> patterns_;
  const Selection& selection_;
  const Start& start_;
  HeldFiles& held_;
  const LogRoots& roots_;
  record::Positions positions_;              // of logs that were not found yet
  std::set<std::string, std::less<>> gone_;  // keys of logs whose positions have ended
  bool resumed_ = false;                     // there were positions at the start
  ForeignPositions foreign_;                 // of logs that were not found yet
  std::uint64_t foreign_used_ = 0;
  bool foreign_told_ = false;
  bool tracked_ = false;
  std::map<std::string, OpenFiles> left_;
  ListedFolder listed_;  // beside the logs that were resumed last
  KnownFiles known_;
  KnownFiles unnamed_;                                     // of logs that nothing leads to by the key that they are stored under
  std::map<std::string, std::vector<std::string>> moved_;  // paths of files to be read as another log's, by its key
  std::map<std::string, std::uint64_t> set_free_;          // paths of files that are not another log's any more, from this place on
  const std::function<bool(std::string_view)> followed_ = [this](std::string_view path) { return wanted(path); };
};

}  // namespace weir::tail
