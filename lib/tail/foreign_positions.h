// Positions that Promtail or Alloy kept: where reading of a file begins that weir has no position of.
//
// Promtail (3.6, clients/pkg/promtail/positions) writes YAML with the next byte to be read of each path, as text:
//
//   positions:
//     /var/log/pods/shop_web-1_UID/app/0.log: "1234"
//     cursor-journal: s=96c0…;i=25557;b=…;m=…;t=…;x=…            a journal's cursor, by the name of its job
//     ? /var/log/pods/…                                          a path of more than 128 bytes
//     : "99"
//
// Alloy (internal/component/common/loki/positions) writes one such file for each component
// (data/loki.source.file.NAME/positions.yml), with an offset for each path and set of labels:
//
//   positions:
//     ? path: /var/log/pods/shop_web-1_UID/app/0.log
//       labels: '{container="app", pod="web-1"}'
//     : "1234"
//
// Neither says which file had the path. Both take the path of what they found, which may be a link. Both write a new file and
// rename it, every 10 s and when they end, so that its time of change says when the positions held.
//
// This reads YAML as far as those two write it: a block mapping whose keys and values are scalars (plain, quoted, folded over
// lines, literal), and mappings of scalars as keys. Anything else is an error that names file and line. A library for all of YAML
// would be loaded, or linked into every process, for what a node needs once.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::tail {

struct ForeignPosition {
  std::uint64_t offset = 0;     // bytes of the file that was live under the path; everything before is delivered
  base::Timestamp written = 0;  // when the file with the positions was written
  friend bool operator==(const ForeignPosition&, const ForeignPosition&) = default;
};

class ForeignPositions {
 public:
  // Adds what `text` says, which was written at `written`; `name` is what errors call the file. Of several positions of one path
  // the smallest counts. Paths are taken as they are, links are followed where they lead somewhere now. Left out are paths that are
  // not absolute, patterns, and compressed files, of which both count lines. Errors: config.
  base::Result<void> add(std::string_view text, std::string_view name, base::Timestamp written);
  // The same of a file. Nothing is added when it does not exist: false. Errors: config, io.
  base::Result<bool> add_file(const std::string& path);

  // Takes out the position of the log `key` (LogFile::key), whatever path leads to the same file.
  [[nodiscard]] std::optional<ForeignPosition> take(const std::string& key);

  [[nodiscard]] bool empty() const { return logs_.empty(); }
  // By path, without links.
  [[nodiscard]] const std::map<std::string, ForeignPosition, std::less<>>& logs() const { return logs_; }
  // Of journals: the name of the job or component, and what sd_journal_seek_cursor takes.
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& cursors() const { return cursors_; }
  // The one of them that is least far, by its realtime (`t=`); "" for none. For JournalOptions::cursor.
  [[nodiscard]] std::string journal_cursor() const;
  // Entries that were left out because they name no file by its absolute path, and the first of them.
  struct Nameless {
    std::uint64_t entries = 0;
    std::string first;
  };
  [[nodiscard]] const Nameless& nameless() const { return nameless_; }
  // Paths with several positions.
  [[nodiscard]] const std::set<std::string, std::less<>>& doubled() const { return doubled_; }

 private:
  base::Result<void> put(std::string path, std::string_view value, base::Timestamp written);

  std::map<std::string, ForeignPosition, std::less<>> logs_;
  std::map<std::string, std::string, std::less<>> cursors_;
  std::set<std::string, std::less<>> doubled_;
  Nameless nameless_;
};

// The entries of such a file, in order: path and value, and the line on which each begins. For add(), and for tests.
struct ForeignEntry {
  std::string path, value;
  std::size_t line = 0;  // from 1
  friend bool operator==(const ForeignEntry&, const ForeignEntry&) = default;
};
base::Result<std::vector<ForeignEntry>> parse_foreign_positions(std::string_view text, std::string_view name);

}  // namespace weir::tail
