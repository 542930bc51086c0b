// What `limit` and `dedup` remember: a number for each key, of which the one that was used longest ago is forgotten when there is
// no room. A key is a hash that stands for a rule, its labels, its line and a window of time. Not thread safe.
#pragma once

#include "base/clock.h"
#include "base/stable_hash.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::rules {

class AgingTable {
 public:
  explicit AgingTable(std::size_t capacity);  // at least 1
  // So many entries fit into `bytes`.
  [[nodiscard]] static std::size_t entries_in(std::size_t bytes);

  // The number of `key`, nullptr for none; counts as use. Good until the next add().
  [[nodiscard]] std::int64_t* find(const base::Hash128& key);

  // Adds a key that is not there. The entry is of use for records before `end`. An entry that has to go for it counts as forgotten
  // when it was still of use at `now`, the time of the record at hand.
  void add(const base::Hash128& key, std::int64_t number, base::Timestamp end, base::Timestamp now);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }
  void bound(std::size_t capacity);  // what is over it goes, oldest first

 private:
  struct Entry {
    base::Hash128 key;
    std::int64_t number = 0;
    base::Timestamp end = 0;
    std::uint32_t newer = 0, older = 0;  // places in entries_, kNone at the ends
  };
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  [[nodiscard]] std::size_t slot_of(const base::Hash128& key) const;  // that of the key, else a free one
  void grow();
  void link(std::uint32_t place);
  void unlink(std::uint32_t place);
  void erase_slot(std::size_t slot);

  std::size_t capacity_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;  // open addressing: places in entries_ plus 1, 0 for free; at most half are taken
  std::uint32_t newest_ = kNone, oldest_ = kNone;
  std::uint64_t forgotten_ = 0;
};

}  // namespace weir::rules
