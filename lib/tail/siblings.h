// The rotated files of a log, as they stand beside its live file: renamed, copied, compressed, about to be removed.
//
// The kubelet renames 0.log to 0.log.TIME, and at the next rotation compresses that through 0.log.TIME.tmp to 0.log.TIME.gz before
// it removes it; logrotate compresses straight into the final name. So a file and its compressed copy may be there at the same
// time, names change between looking and opening, and what is half written must not be read.
// https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/logs/container_log_manager.go
#pragma once

#include "tail/input_file.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tail {

class HeldFiles;
class ListedFolder;

struct Sibling {
  std::shared_ptr<InputFile> file;
  // Its name gives its place among the others: it goes on with a number or a time. What a person put there (app.log.bak) does not,
  // and is of use only as a copy.
  bool ordered = false;
  // Its name keeps the extension, so that the name alone does not make it a rotation: it is not `ordered` until something else
  // tells.
  bool inner = false;
};

struct Siblings {
  std::vector<Sibling> files;  // oldest first
  std::string trouble;         // why one that is there could not be opened, "cannot open …"; "" for none
};

// Opens them all, each once: of a file and its compressed copy the file. When a name changes meanwhile, it looks again. `held`
// makes room for each; null: there is enough. `listed`: for who asks about one log after the other.
[[nodiscard]] Siblings open_siblings(const std::string& key, const LogRoots* roots = nullptr, HeldFiles* held = nullptr,
                                     ListedFolder* listed = nullptr);

// One sibling was found to belong to the log: then those belong to it, too, whose names are of the same shape.
void order_alike(std::vector<Sibling>& siblings, std::size_t found);

// The file that `stored` describes, under any name in the folder of the live file `key` or of what that leads to: by inode, head
// and check. Null when it is not there.
[[nodiscard]] std::shared_ptr<InputFile> open_by_identity(const std::string& key, const record::FileIdentity& stored,
                                                          const LogRoots* roots, ListedFolder& listed);

// Where among `siblings` the file itself is, or a compressed copy of it; siblings.size() when it is not there.
[[nodiscard]] std::size_t find_file(const std::vector<Sibling>& siblings, InputFile& file);

// How the text of a file begins and what stands before a place in it: tells its copy among its siblings.
struct Trace {
  std::uint32_t head_size = 0;
  std::uint64_t head_hash = 0;  // of the first head_size bytes; 0 bytes match nothing
  std::uint64_t offset = 0;
  std::string_view before;  // what stands before `offset`
};

// Where among `siblings` the copy of a file is that was truncated after it had been read up to trace.offset: the newest that begins
// alike and has the same before that place. siblings.size() when there is none.
[[nodiscard]] std::size_t find_copy(const std::vector<Sibling>& siblings, const Trace& trace);

// The compressed copy of a file that lost its name; null when there is none.
[[nodiscard]] std::shared_ptr<InputFile> open_compressed_copy(InputFile& file, const LogRoots* roots = nullptr);

}  // namespace weir::tail
