// The packed form of a block -> records.
#pragma once

#include "base/result.h"
#include "record/record.h"
#include "spool/block_info.h"
#include "spool/compression.h"
#include "spool/needles.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

// Which records of a block are wanted.
struct LoadOptions {
  TimeRange range;                                // records outside are left out
  std::function<bool(const StreamInfo&)> stream;  // false: leave out the records of this stream; null: take all
  // Leaves out records whose line has no text of one of these groups.
  std::span<const Needles> needles = {};
  // False: the lines are not unpacked, every record comes with an empty one, and `needles` does not count.
  bool lines = true;
  // True: what the records are views into is lent by the reader until its next load(), and only the rest is in the batch. So block
  // after block is read in the same memory.
  bool lent = false;
};

// Not thread safe; keeps its memory. Every error is Code::corrupt. Damaged bytes give an error or wrong records, and do no other
// harm. The caller verifies the checksum first.
class BlockDecoder {
 public:
  base::Result<std::vector<StreamInfo>> streams(std::string_view packed);

  // Appends the wanted records to `batch` and their ordinals to `ordinals`. `expected` is the number of records according to the
  // block's row.
  base::Result<void> records(std::string_view body, std::span<const StreamInfo> streams, std::uint32_t expected,
                             const LoadOptions& options, record::Batch& batch, std::vector<std::uint32_t>& ordinals);

 private:
  struct PackedColumn {
    std::uint64_t size = 0;  // unpacked
    std::string_view bytes;
    bool stored = false;  // as it is
  };
  // Memory that is used for block after block.
  struct Room {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
    char* of(std::size_t wanted);
  };
  bool unpack_column(const PackedColumn& column, char* to);
  base::Result<void> read_sets(std::string_view strings, std::string_view sets, record::Batch& batch);

  Decompressor decompressor_;
  std::string scratch_;
  Room lines_, columns_;  // of a block that is lent; the lines also of one of which few are wanted
  struct Cell {
    base::Timestamp time;
    std::uint64_t offset;
    std::uint32_t length, set;
    const record::Extra* extra;
    std::uint8_t flags;
    bool wanted;
  };
  std::vector<Cell> cells_;  // stream by stream
  std::vector<std::uint32_t> starts_;
  std::vector<char> wanted_;
  std::vector<std::string_view> strings_;
  std::vector<std::span<const record::Label>> sets_;  // the first is the empty one
  std::vector<std::uint32_t> had_;                    // by the stream that is read
};

}  // namespace weir::spool
