// The files of a journal: which there are, which numbers of entries each holds, and when one changes. It reads their heads only;
// libsystemd reads the entries.
//
// A journal is a row of entries with rising numbers under one id (the seqnum id). Its files are the one that is written
// (system.journal) and older ones (system@….journal; system@….journal~ after a crash). In one folder there may be journals of
// several ids: those of users and of other machines, and a new one after each crash. Numbers of one id may have holes: journald
// counts all journals that it writes with one counter.
//
// Layout of the head: https://systemd.io/JOURNAL_FILE_FORMAT/
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "tail/journal_options.h"
#include "tail/unreadable.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tail {

struct JournalFile {
  std::string path;  // the latest
  std::uint64_t device = 0, inode = 0;
  base::UniqueFd fd;                 // until nobody reads it any more
  std::string file_id;               // of this file alone, also behind the same inode
  std::string id;                    // 32 hexadecimal digits
  std::uint64_t head = 0, tail = 0;  // numbers of its first and last entry; 0: it has none
  bool closed = false;               // its writer has finished it
  bool writing = true;               // its writer may be adding an entry; false: up to the tail, every one is whole
  bool crashed = false;              // its writer has died, and another one put it aside
  bool there = true;                 // it has a name

  // Nothing will be added to it.
  [[nodiscard]] bool is_final() const { return closed || crashed || !there; }
  // The number up to which every entry is in the file whole: its writer sets the tail first and then adds the entry.
  [[nodiscard]] std::uint64_t whole() const { return closed || tail == 0 ? tail : tail - 1; }
};

// What the first bytes of a file say of it. Nothing: it is no journal file, or its head was not written yet.
struct JournalHead {
  static constexpr std::size_t kSize = 208;
  std::string file_id, id;
  std::uint64_t head = 0, tail = 0;
  bool closed = false;
  bool online = false;  // its writer has it open, and has written something since it last wrote all to the disk
};
[[nodiscard]] std::optional<JournalHead> parse_journal_head(std::string_view bytes);

// For one thread.
class JournalFiles {
 public:
  // `options` outlives it. `system` is in front of /etc/machine-id and of the folders of this machine's journal: for tests.
  explicit JournalFiles(const JournalOptions& options, const std::string& system = "");

  // From now on fd() is readable when something changes. Error: io.
  base::Result<void> watch();
  [[nodiscard]] int fd() const { return watch_.get(); }  // -1: nothing is watched
  // Takes the changes. True: files came or went, so that scan() has something to do.
  bool take_changes();

  // Finds the files. One that is open stays known when it was deleted.
  void scan();
  // Reads the head of a file again that is open. False: it is damaged.
  static bool refresh(JournalFile& file);

  [[nodiscard]] const std::vector<std::shared_ptr<JournalFile>>& files() const { return files_; }
  // Of a journal that another one has taken the place of: no file that is written has its id, and for each of its files, the file
  // that is written in its place is there. Nothing will be added to it.
  [[nodiscard]] bool has_ended(std::string_view id) const;
  // Whether scan() could open all that it found. Otherwise nobody can say that a journal is gone.
  [[nodiscard]] bool is_complete() const { return complete_; }
  // Whether the journal in this folder would have been found: files in it are looked for, and it can be read, or it is the folder
  // of a machine that is not there. Never where no file at all was found: a disk may not be mounted yet.
  [[nodiscard]] bool looks_into(std::string_view folder) const;
  // The folders that were given, for messages.
  [[nodiscard]] std::string places() const;
  // What could not be read and was not taken yet.
  [[nodiscard]] Unreadable take_unreadable();

 private:
  void scan_folder(const std::string& folder, bool machines);
  void add(const std::string& path);
  void watch_folder(const std::string& folder);

  const JournalOptions* options_;
  std::vector<std::string> roots_;
  std::string machine_;               // only this machine's folder; "": every one
  std::vector<std::string> folders_;  // that were read
  std::vector<std::string> above_;    // of these, those that have the folders of machines
  std::vector<std::shared_ptr<JournalFile>> files_;
  std::map<std::string, std::string> trouble_;  // by path: the cause that was reported
  Unreadable unreadable_;
  bool complete_ = true;
  bool incomplete_ = false;  // the head of some file was not written yet
  base::UniqueFd watch_;
};

}  // namespace weir::tail
