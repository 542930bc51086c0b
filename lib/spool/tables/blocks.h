// The tables `blocks` (one row for each block: its numbers, its streams, the positions that moved with it), `bodies` (the packed
// records of a block) and `released` (those of its records that are no longer held). A row that only carries positions has no
// records and no body.
#pragma once

#include "base/result.h"
#include "spool/block_info.h"
#include "spool/ordinal_set.h"
#include "spool/place.h"
#include "spool/raw_pages.h"
#include "sqlite/database.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

// A stored block. The views belong to the caller on writing; on reading they are valid during the call.
struct BlockView {
  BlockInfo info;
  std::uint64_t checksum = 0;
  std::string_view streams, positions, body;
  // The checksum is right.
  [[nodiscard]] bool sound() const;
};

struct BlockRow {
  BlockInfo info;
  std::uint64_t checksum = 0;
  std::string streams, positions, body;
  [[nodiscard]] BlockView view() const { return {info, checksum, streams, positions, body}; }
  [[nodiscard]] bool sound() const { return view().sound(); }
};

// Makes a block with its checksum.
[[nodiscard]] BlockView sealed(const BlockInfo& info, std::string_view streams, std::string_view positions, std::string_view body);

// In the order of the numbers.
base::Result<void> for_each_block(sqlite::Database& database, const BlockRange& range,
                                  const std::function<void(const BlockInfo&)>& each);

// False when the block was evicted. `row` keeps its memory.
base::Result<bool> read_block(sqlite::Database& database, std::uint64_t block, BlockRow& row);
base::Result<bool> read_streams(sqlite::Database& database, std::uint64_t block, std::string& streams);
// The records of a block that are no longer held. Error: corrupt.
base::Result<PlaceSet> read_released(sqlite::Database& database, std::uint64_t block);
// In place of what was there.
base::Result<void> put_released(sqlite::Database& database, std::uint64_t block, const OrdinalSet& ordinals);
// How many records of each block are held no more; only blocks that have some.
base::Result<std::map<std::uint64_t, std::uint64_t>> count_released_records(sqlite::Database& database);
base::Result<bool> has_block(sqlite::Database& database, std::uint64_t block);
base::Result<bool> has_body(sqlite::Database& database, std::uint64_t block);

// Calls `each` for every row above `after` that carries positions, with its body, in the order of the numbers. An error of `each`
// ends the reading.
base::Result<void> for_each_delta(sqlite::Database& database, std::uint64_t after,
                                  const std::function<base::Result<void>(const BlockView&)>& each);

// The lowest number of a row with records; 0 when there is none.
base::Result<std::uint64_t> oldest_block(sqlite::Database& database);
// The highest number of a row, with records or not; 0 when there is none.
base::Result<std::uint64_t> newest_block(sqlite::Database& database);
// The highest number of a row and of the snapshot; 0 when there is none.
base::Result<std::uint64_t> newest_row(sqlite::Database& database);
// The highest number that the file names anywhere, also in the places of consumers and in a reservation; 0 when there is none.
base::Result<std::int64_t> highest_number(sqlite::Database& database);
base::Result<std::uint64_t> count_rows_after(sqlite::Database& database, std::uint64_t block);
base::Result<std::uint64_t> count_records(sqlite::Database& database);

base::Result<void> insert_block(sqlite::Database& database, const BlockView& block);
// As insert_block(), but does nothing when the number exists.
base::Result<void> restore_block(sqlite::Database& database, const BlockView& block);
base::Result<void> restore_released(sqlite::Database& database, std::uint64_t block, std::string_view places);
// Deletes also the body and the released places.
base::Result<void> delete_block(sqlite::Database& database, std::uint64_t block);
// Deletes rows up to this number that only carry positions.
base::Result<void> delete_position_rows(sqlite::Database& database, std::uint64_t through);

// Reads a row of a damaged file, without the body of the block. Nullopt: it is not a row of `blocks`.
[[nodiscard]] std::optional<BlockRow> block_of(const RawRow& row);
struct RawBlob {
  std::uint64_t block = 0;
  std::string_view bytes;
};
// Reads a row of `bodies` or of `released` of a damaged file. Nullopt: it is not such a row.
[[nodiscard]] std::optional<RawBlob> blob_of(const RawRow& row);

}  // namespace weir::spool
