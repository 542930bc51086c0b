// Where reading continues after a restart. A keeper (buffer, push --checkpoint) stores positions, and tail starts from them.
//
// A log is one container's log over all its rotations, named by the path of its live file. A generation is one file of it. A
// position never runs ahead of safety: everything before it is stored, acknowledged, or was dropped on purpose.
#pragma once

#include "record/file_identity.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir::record {

struct Generation {
  std::uint32_t number = 0;  // ascending within the log
  FileIdentity file;
  bool done = false;      // read to its end, and finished
  std::uint64_t end = 0;  // everything before it is safe; when finished, at least the size at that time
  friend bool operator==(const Generation&, const Generation&) = default;
};

struct Place {
  std::uint32_t generation = 0;
  std::uint64_t offset = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct LogPosition {
  std::vector<Generation> generations;  // oldest first, from the one of `resume` on, without those finished since
  Place resume;                         // reading starts here
  Place end[2];                         // stdout, stderr: a record that ends at or before it is already safe
  std::vector<Generation> finished;     // oldest first: the last few finished ones, which have nothing new
  bool gone = false;                    // the log ended; kept for other names of its files
  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

// By log key.
using Positions = std::map<std::string, LogPosition, std::less<>>;

// FNV-1a, 64 bits: the hash of FileIdentity. http://www.isthe.com/chongo/tech/comp/fnv/ Pass the hash of the earlier bytes to
// continue it with more bytes.
inline constexpr std::uint64_t kEmptyHash = 0xcbf29ce484222325;
[[nodiscard]] std::uint64_t fnv1a(std::string_view bytes, std::uint64_t before = kEmptyHash);

inline constexpr std::uint32_t kHeadBytes = 1024;
inline constexpr std::uint32_t kCheckBytes = 256;

}  // namespace weir::record
