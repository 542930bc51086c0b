// Positions as they lie in a spool file (weir-spool.5), and when two descriptions mean the same file.
//
// A snapshot or a delta is a byte with the form (1: plain; 2: a varint with the size, then a zstd frame of the plain form), then
// entries to the end. An entry is of one log: its number, flags, and what the flags say follows. A delta leaves out what the file
// says already: the key, once it is stored; the generations, unless one was added or has changed; the ends of those that did not
// move.
#pragma once

#include "base/result.h"
#include "record/positions.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

// Of a file's bytes. Two prints fit when their heads are equal, and their checks where both have one.
struct Print {
  std::uint32_t head_size = 0;
  std::uint64_t head_hash = 0, check_end = 0, check_hash = 0;
  [[nodiscard]] bool fits(const Print& other) const;
  // It is of a larger part of the file.
  [[nodiscard]] bool says_more_than(const Print& other) const;
  friend bool operator==(const Print&, const Print&) = default;
};

inline constexpr std::size_t kIdentitiesKept = 8;  // of a growing file

struct StoredGeneration {
  record::Generation facts;       // but for facts.end
  std::uint64_t end[2] = {0, 0};  // safe
  std::vector<Print> earlier;     // prints it had while it grew, oldest first

  [[nodiscard]] Print print() const {
    return {facts.file.head_size, facts.file.head_hash, facts.file.check_end, facts.file.check_hash};
  }
  // The same inode, and the print or one before it fits.
  [[nodiscard]] bool is(const record::FileIdentity& announced) const;
  // It is announced again: a longer head, a later check, another path after a rename, another device after a boot. A reader that
  // started early announces a print that was outgrown; the one that says more stays. False: nothing has changed.
  bool announce(const record::FileIdentity& announced);
  friend bool operator==(const StoredGeneration&, const StoredGeneration&) = default;
};

[[nodiscard]] Print print_of(const record::FileIdentity& file);

struct EntryHead {
  std::uint32_t number = 0;  // of the log in the file
  bool gone = false;         // the log ended
  bool started = false;      // something of it is safe
  bool has_key = false, has_generations = false;
  std::string_view key = {};  // when it is written also where the entry leaves it out
  record::Place resume = {};
};

struct GenerationEnd {
  std::uint32_t generation = 0;
  std::uint64_t end[2] = {0, 0};
  friend bool operator==(const GenerationEnd&, const GenerationEnd&) = default;
};

struct PositionEntry : EntryHead {
  std::vector<StoredGeneration> generations = {};  // their ends are in `ends`
  std::vector<GenerationEnd> ends = {};
};

// Appends an entry to `out`: all `generations` where the head has them, and the ends of `moved`.
void put_entry(std::string& out, const EntryHead& head, std::span<const StoredGeneration* const> generations,
               std::span<const StoredGeneration* const> moved);
// What put_entry() has made into the form that is stored.
[[nodiscard]] std::string pack_entries(std::string plain);

// Takes a snapshot or a delta apart ("" has no entries). Calls `each` in the order of the entries; views live during the call, and
// an error of it ends that. `key_of` tells the key of a log that an entry does not name, "" for an unknown one. Error: corrupt.
base::Result<void> for_each_entry(std::string_view packed, const std::function<std::string_view(std::uint32_t)>& key_of,
                                  const std::function<base::Result<void>(const PositionEntry&)>& each);

[[nodiscard]] base::Error damaged_positions();

}  // namespace weir::spool
