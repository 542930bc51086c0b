// Where reading goes on after a restart: what a keeper (buffer, push --checkpoint) stores and tail starts from.
//
// A log is one container's log over all its rotations, named by the path of its live file; a generation is one file of it.
// A position never runs ahead of safety: everything before it is stored or acknowledged, or was dropped on purpose.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir::record {

// What file a generation is. The same file: the same inode and the same hash of its first head_size bytes, and, where
// check_end is not 0, the same hash of the (up to) 256 bytes before check_end. The device only breaks ties.
struct FileIdentity {
  std::string path;             // when it was opened
  std::uint64_t inode = 0;
  std::uint64_t device = 0;
  std::uint32_t head_size = 0;  // min(1024, size when announced)
  std::uint64_t head_hash = 0;
  std::uint64_t check_end = 0;
  std::uint64_t check_hash = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

struct Generation {
  std::uint32_t number = 0;     // counts up within the log
  FileIdentity file;
  bool done = false;            // read to its end and finished
  std::uint64_t end = 0;        // up to where it is safe; of a finished one at least its size when it was finished
  friend bool operator==(const Generation&, const Generation&) = default;
};

struct Place {
  std::uint32_t generation = 0;
  std::uint64_t offset = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct LogPosition {
  std::vector<Generation> generations;  // oldest first; from the one of `resume` on, without those finished since
  Place resume;                         // reading starts here
  Place end[2];                         // stdout, stderr: a record that ends at or before it is safe already
  std::vector<Generation> finished;     // oldest first; the last few besides: nothing of them is new
  bool gone = false;                    // the log ended: kept for the other names that its files may have
  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

// By log key.
using Positions = std::map<std::string, LogPosition, std::less<>>;

// FNV-1a, 64 bits: the hash of FileIdentity. http://www.isthe.com/chongo/tech/comp/fnv/
// A hash goes on with more bytes where the hash of those before is given.
inline constexpr std::uint64_t kEmptyHash = 0xcbf29ce484222325;
[[nodiscard]] std::uint64_t fnv1a(std::string_view bytes, std::uint64_t before = kEmptyHash);

inline constexpr std::uint32_t kHeadBytes = 1024;
inline constexpr std::uint32_t kCheckBytes = 256;

}  // namespace weir::record
