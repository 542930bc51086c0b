// What a spool got since the last look, for who follows it: `query --spool -f` and the tails of serve.
//
// A commit adds blocks, and no block ever changes its records. So what is new is in the blocks that were not there before, however
// old the records in them are.
#pragma once

#include "base/result.h"
#include "spool/reader.h"

#include <cstdint>
#include <memory>
#include <optional>
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
  // nullopt: there is no spool, or nothing was ever stored in it, as in the moment in which a writer makes its file.
  static base::Result<std::optional<NewBlocks>> open_if_there(const std::string& path);

  enum class Change : std::uint8_t {
    none,
    committed,  // there may be new blocks
    replaced,   // the path leads to another spool, which take() and reader() are about now: nothing of it is known
    removed,    // the path leads to none, for now, or to one in which nothing was ever stored
  };
  // Cheap enough for ten calls a second: a look at shared memory. What was committed to a file before it was replaced comes first.
  base::Result<Change> look();
  // The blocks that are there and were not taken before, in the order of their numbers.
  base::Result<std::vector<spool::BlockInfo>> take();
  // Those that take() gave, or would not give any more.
  [[nodiscard]] const KnownBlocks& known() const { return known_; }

  // The spool whose blocks take() gives; another one after Change::replaced.
  [[nodiscard]] const std::shared_ptr<spool::Reader>& spool() const { return reader_; }
  [[nodiscard]] spool::Reader& reader() { return *reader_; }

 private:
  static base::Result<NewBlocks> of(std::shared_ptr<spool::Reader> reader);

  std::shared_ptr<spool::Reader> reader_;
  KnownBlocks known_;
  bool gone_ = false;  // the path led to another file already when look() was called before
};

}  // namespace weir::scan
