// The tables `rejected` (records that were refused for good, kept whole) and `rejected_ranges` (those that stay in their block: all
// of one block, consumer, tenant and kind share a row). A file that only an older release has written has no ranges: reading finds
// none.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/ordinal_set.h"
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

// Views: of the caller when it is written, until the call ends when it is read.
struct RejectedRow {
  std::uint64_t number = 0;  // counts up; no number is given out twice
  base::Timestamp time = 0;  // of the refusal
  int status = 0;
  std::string_view consumer = {}, tenant = {}, reason = {}, url = {},
                   record = {};  // `record` is a JSON line of weir-record.5 with its `rejected` object
  BlockPlace place = {};         // block 0: from a chain without a spool
};

struct RangeRow {
  std::uint64_t block = 0;
  base::Timestamp time = 0;  // of the first refusal
  int status = 0;
  std::string consumer, tenant, kind, reason, url;
  OrdinalSet ordinals;
};

// The file has the second table.
base::Result<bool> has_ranges(sqlite::Database& database);

// Calls `each` for those with a number above `after`, oldest first, at most `limit`.
base::Result<void> for_each_rejected(sqlite::Database& database, std::uint64_t after, std::size_t limit,
                                     const std::function<void(const RejectedRow&)>& each);
// The records of one block that are kept whole; sorted.
base::Result<void> rejected_ordinals(sqlite::Database& database, std::uint64_t block, std::vector<std::uint32_t>& ordinals);
// The row's `record`; nullopt when it is gone.
base::Result<std::optional<std::string>> rejected_record(sqlite::Database& database, std::uint64_t number);
base::Result<std::uint64_t> count_rejected(sqlite::Database& database);
// Of them, whose block is there.
base::Result<std::uint64_t> count_rejected_in_blocks(sqlite::Database& database);

// It gets the next number.
base::Result<void> insert_rejected(sqlite::Database& database, const RejectedRow& row);
// All but consumer and place.
base::Result<void> update_rejected(sqlite::Database& database, const RejectedRow& row);
base::Result<void> delete_rejected(sqlite::Database& database, std::uint64_t number);
// The oldest `rows`. So many went.
base::Result<std::uint64_t> delete_oldest_rejected(sqlite::Database& database, int rows);
// Those that were refused before `before`, as the clock goes today: a time that was stored before the clock was set forward is
// taken to be as much later; one from before it was set back is left, since a record may have been rejected after that. So many
// went.
base::Result<std::uint64_t> delete_late_rejected(sqlite::Database& database, base::Timestamp before);
// The oldest is one of these.
base::Result<bool> has_late_rejected(sqlite::Database& database, base::Timestamp before);
// With its number; nothing when there is one of that.
base::Result<void> restore_rejected(sqlite::Database& database, const RejectedRow& row);

// The records of one block that are rejected and stay in it. Of a row that is damaged they count as delivered.
base::Result<OrdinalSet> ordinals_in_ranges(sqlite::Database& database, std::uint64_t block);
// Here and in the next two: error corrupt.
base::Result<std::vector<RangeRow>> ranges_of(sqlite::Database& database, std::uint64_t block);
// Of the next block above `after` that is there and has some.
base::Result<std::vector<RangeRow>> next_ranges(sqlite::Database& database, std::uint64_t after);
base::Result<std::optional<RangeRow>> find_range(sqlite::Database& database, const RangeRow& key);
base::Result<std::uint64_t> count_records_in_ranges(sqlite::Database& database);
// Of a block that went.
base::Result<bool> has_ranges_before(sqlite::Database& database, std::uint64_t block);

// A row that is there keeps its reason and gets the ordinals.
base::Result<void> store_range(sqlite::Database& database, const RangeRow& row);
// Nothing when there is one of its key.
base::Result<void> restore_range(sqlite::Database& database, const RangeRow& row);
base::Result<void> delete_range(sqlite::Database& database, const RangeRow& key);
// So many records were in them.
base::Result<std::uint64_t> delete_ranges_of(sqlite::Database& database, std::uint64_t block);
base::Result<void> delete_ranges_before(sqlite::Database& database, std::uint64_t block);

// Rows of a damaged file. Nullopt: it is none.
[[nodiscard]] std::optional<RejectedRow> rejected_of(const RawRow& row);
[[nodiscard]] std::optional<RangeRow> range_of(const RawRow& row);

}  // namespace weir::spool
