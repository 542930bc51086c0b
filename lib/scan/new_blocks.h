// What a spool got since the last look, for who follows it: `query --spool -f` and the tails of serve.
//
// A commit adds blocks, and no block ever changes its records. So what is new is in the blocks that were not there before, however
// old the records in them are.
#pragma once

#include "base/result.h"
#include "spool/reader.h"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace weir::scan {

// The numbers of blocks, as a value.
struct KnownBlocks {
  std::set<std::uint64_t> some;
  std::uint64_t through = 0;  // and all up to this one

  [[nodiscard]] bool has(std::uint64_t block) const { return block <= through || some.contains(block); }
};

// Not thread safe.
class NewBlocks {
 public:
  // Error: those of spool::Reader::open(). Nothing is known yet: the first take() gives all blocks that there are.
  static base::Result<NewBlocks> open(const std::string& path);

  enum class Change : std::uint8_t {
    none,
    committed,  // there may be new blocks
    replaced,   // the path leads to another file now: open() again
    removed,    // the path leads to none, for now
  };
  // Cheap enough for ten calls a second: a look at shared memory.
  base::Result<Change> look();
  // The blocks that are there and were not taken before, in the order of their numbers.
  base::Result<std::vector<spool::BlockInfo>> take();
  // Those that take() gave, or would not give any more.
  [[nodiscard]] const KnownBlocks& known() const { return known_; }

  [[nodiscard]] spool::Reader& reader() { return *reader_; }

 private:
  std::unique_ptr<spool::Reader> reader_;
  KnownBlocks known_;
};

}  // namespace weir::scan
