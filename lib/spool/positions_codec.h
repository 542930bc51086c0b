// The stored form of positions (weir-spool.5), and when two identities mean the same file.
//
// A snapshot or a delta is a byte with the form (1: plain; 2: a varint with the size, then a zstd frame of the plain form), then
// entries to the end. An entry belongs to one log: its number, flags, and the parts that the flags name. A delta leaves out what
// the file already has: a key that is stored, generations when none was added or changed, and ends that did not move.
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

// The hashes of an identity. Two prints fit when their heads are equal, and also their checks where both have one.
struct Print {
  std::uint32_t head_size = 0;
  std::uint64_t head_hash = 0, check_end = 0, check_hash = 0;
  [[nodiscard]] bool fits(const Print& other) const;
  // This print covers a larger part of the file.
  [[nodiscard]] bool covers_more_than(const Print& other) const;
  friend bool operator==(const Print&, const Print&) = default;
};

inline constexpr std::size_t kIdentitiesKept = 8;  // of a growing file

struct StoredGeneration {
  record::Generation facts;       // without facts.end
  std::uint64_t end[2] = {0, 0};  // safe
  std::vector<Print> earlier;     // prints from when the file was smaller, oldest first

  [[nodiscard]] Print print() const {
    return {facts.file.head_size, facts.file.head_hash, facts.file.check_end, facts.file.check_hash};
  }
  // The inode is equal, and the print or an earlier one fits.
  [[nodiscard]] bool is(const record::FileIdentity& announced) const;
  // Takes over a new announcement of the same file: a longer head, a later check, another path after a rename, another device after
  // a boot. A reader that started early may announce a smaller print; the larger one stays. False: nothing has changed.
  bool announce(const record::FileIdentity& announced);
  friend bool operator==(const StoredGeneration&, const StoredGeneration&) = default;
};

[[nodiscard]] Print print_of(const record::FileIdentity& file);

struct EntryHead {
  std::uint32_t number = 0;  // of the log in the file
  bool gone = false;         // the log ended
  bool started = false;      // some of its bytes are safe
  bool has_key = false, has_generations = false;
  std::string_view key = {};  // set by a reader also when the entry leaves the key out
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
// Turns the output of put_entry() into the stored form.
[[nodiscard]] std::string pack_entries(std::string plain);

// Reads a snapshot or a delta ("" has no entries). Calls `each` in the order of the entries; its views are valid during the call,
// and its error ends the reading. `key_of` returns the key of a log whose entry has no key, "" when it is unknown. Error: corrupt.
base::Result<void> for_each_entry(std::string_view packed, const std::function<std::string_view(std::uint32_t)>& key_of,
                                  const std::function<base::Result<void>(const PositionEntry&)>& each);

// Joins several deltas of one keeper, in the order in which it made them, into one.
[[nodiscard]] std::string join_deltas(std::span<const std::string_view> deltas);

[[nodiscard]] base::Error damaged_positions();

}  // namespace weir::spool
