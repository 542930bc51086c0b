// What a PATH, DIR or GLOB argument of tail stands for, and which files it names now.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "tail/selection.h"
#include "tail/unreadable.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tail {

// A way down from a folder: one shell glob (or plain name) a level; the last names files.
struct Pattern {
  struct Level {
    std::string text;
    bool glob = false;
    [[nodiscard]] bool takes(std::string_view name) const;
  };
  std::string base;           // absolute
  std::vector<Level> levels;  // at least one
  bool named = false;         // a single file that the user named: it is missed when it is not there

  friend bool operator==(const Pattern& a, const Pattern& b);
};

// The patterns of one argument: of a folder its *.log files, and those of the pod and container folders in it.
[[nodiscard]] std::vector<Pattern> patterns_of(std::string_view argument);

// Whether `path` is one that the pattern names.
[[nodiscard]] bool names(const Pattern& pattern, std::string_view path);

struct Entry {
  std::string name;
  bool folder = false;   // of what a symbolic link leads to
  bool regular = false;  // a file, or a file system that does not say
  std::uint64_t inode = 0;
};
// Sorted by name; without names that begin with a dot.
[[nodiscard]] base::Result<std::vector<Entry>> list_folder(const std::string& path);

// Remembers the two folders that were listed last, for who looks beside each of many files, and beside what each of them leads to:
// whoever may write into a folder can put 20,000 logs there, and to list it for each of them would hold up all other logs for
// minutes. For one thread.
class ListedFolder {
 public:
  explicit ListedFolder(const base::Clock& clock = base::Clock::system()) : clock_(clock) {}

  // As list_folder(). It lists again unless this is the same folder, unchanged since; where the last change was not long before the
  // listing, another one may bear the same time, so that such a listing is not used again. The entries stay until the next call.
  // Errors: io.
  base::Result<std::span<const Entry>> list(const std::string& path);
  // The files in the folder that have this inode, also those whose names begin with a dot. None in a folder that cannot be listed.
  [[nodiscard]] std::vector<std::string> names_of(const std::string& path, std::uint64_t inode);
  [[nodiscard]] std::size_t listings() const { return listings_; }  // how often a folder was read

 private:
  struct Seen {
    std::uint64_t inode = 0, device = 0;
    base::Timestamp modified = 0, changed = 0;
    friend bool operator==(const Seen&, const Seen&) = default;
  };
  struct Listing {
    std::string path;
    std::vector<Entry> entries;           // sorted by name, behind them those that begin with a dot
    std::size_t visible = 0;              // without those
    std::vector<std::uint32_t> by_inode;  // places in `entries`
    Seen seen;
    bool reusable = false;
  };
  base::Result<const Listing*> look(const std::string& path);

  const base::Clock& clock_;
  std::array<Listing, 2> kept_;  // what was asked for last in front
  std::size_t listings_ = 0;
};

// Whether a folder, or a file, at `path` may hold wanted logs, by its name and the names above it.
[[nodiscard]] bool wants_folder(const Selection& selection, std::string_view path);
[[nodiscard]] bool wants_file(const Selection& selection, std::string_view path);

// Which log a file belongs to. A symbolic link that leads into a pod layout (/var/log/containers) is the file there.
struct LogFile {
  std::string key;     // what names the log: path of its live file
  std::string path;    // what to open
  std::string target;  // where `path` leads when it is a link: changes show up there; else ""
};
[[nodiscard]] LogFile resolve_log(const std::string& path);

// The files that `patterns` name now, by log, each log's oldest first. Rotated files come only by patterns that name them.
[[nodiscard]] std::map<std::string, std::vector<std::string>> find_files(const std::vector<Pattern>& patterns,
                                                                         const Selection& selection, Unreadable& unreadable);

// The rotated siblings of the live file `key`, oldest first: those in its folder and, where it is a link, beside what it leads to.
// Without what a compression has not finished (.tmp). `listed`: for who asks about one log after the other.
[[nodiscard]] std::vector<std::string> rotations_of(const std::string& key, ListedFolder& listed);
[[nodiscard]] std::vector<std::string> rotations_of(const std::string& key);
// Those whose names keep the extension (rotation.h), by the same order; none in a pod layout, where the kubelet names them.
[[nodiscard]] std::vector<std::string> inner_rotations_of(const std::string& key, ListedFolder& listed);

}  // namespace weir::tail
