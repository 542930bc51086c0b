// The tables `blocks` (a row a block: its numbers, its streams, the positions that moved with it), `bodies` (its records, packed)
// and `released` (its records that are held no more). A row of positions alone has no records and no body.
#pragma once

#include "base/result.h"
#include "spool/block_info.h"
#include "spool/place.h"
#include "spool/raw_pages.h"
#include "sqlite/database.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

// A block as it lies in the file. Views: of the caller when it is written, until the call ends when it is read.
struct BlockView {
  BlockInfo info;
  std::uint64_t checksum = 0;
  std::string_view streams, positions, body;
  // By its checksum.
  [[nodiscard]] bool sound() const;
};

struct BlockRow {
  BlockInfo info;
  std::uint64_t checksum = 0;
  std::string streams, positions, body;
  [[nodiscard]] BlockView view() const { return {info, checksum, streams, positions, body}; }
  [[nodiscard]] bool sound() const { return view().sound(); }
};

// With the checksum that belongs to it.
[[nodiscard]] BlockView sealed(const BlockInfo& info, std::string_view streams, std::string_view positions, std::string_view body);

// By number.
base::Result<void> for_each_block(sqlite::Database& database, const BlockRange& range,
                                  const std::function<void(const BlockInfo&)>& each);

// False when the block is gone; `row` keeps its memory.
base::Result<bool> read_block(sqlite::Database& database, std::uint64_t block, BlockRow& row);
base::Result<bool> read_streams(sqlite::Database& database, std::uint64_t block, std::string& streams);
// Its records that are held no more. Error: corrupt.
base::Result<PlaceSet> read_released(sqlite::Database& database, std::uint64_t block);
base::Result<bool> has_block(sqlite::Database& database, std::uint64_t block);
base::Result<bool> has_body(sqlite::Database& database, std::uint64_t block);

// Calls `each` for every row above `after` whose positions moved, by number, with its body; an error of it ends that.
base::Result<void> for_each_delta(sqlite::Database& database, std::uint64_t after,
                                  const std::function<base::Result<void>(const BlockView&)>& each);

// 0 for none: of blocks with records; of all rows; of all rows and the snapshot; and of everything that the file says of numbers,
// which are also in consumers' places and in a reservation.
base::Result<std::uint64_t> oldest_block(sqlite::Database& database);
base::Result<std::uint64_t> newest_block(sqlite::Database& database);
base::Result<std::uint64_t> newest_row(sqlite::Database& database);
base::Result<std::int64_t> highest_number(sqlite::Database& database);
base::Result<std::uint64_t> count_rows_after(sqlite::Database& database, std::uint64_t block);
base::Result<std::uint64_t> count_records(sqlite::Database& database);

base::Result<void> insert_block(sqlite::Database& database, const BlockView& block);
// As insert_block(); nothing when there is one of this number.
base::Result<void> restore_block(sqlite::Database& database, const BlockView& block);
base::Result<void> restore_released(sqlite::Database& database, std::uint64_t block, std::string_view places);
// With body and released places.
base::Result<void> delete_block(sqlite::Database& database, std::uint64_t block);
// Rows of positions alone up to this number.
base::Result<void> delete_position_rows(sqlite::Database& database, std::uint64_t through);

// Rows of a damaged file. The first is without its body. Nullopt: it is none.
[[nodiscard]] std::optional<BlockRow> block_of(const RawRow& row);
struct RawBlob {
  std::uint64_t block = 0;
  std::string_view bytes;
};
// Of `bodies` and of `released`.
[[nodiscard]] std::optional<RawBlob> blob_of(const RawRow& row);

}  // namespace weir::spool
