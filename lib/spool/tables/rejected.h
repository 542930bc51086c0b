// The tables `rejected` (whole records that were refused for good) and `rejected_ranges` (records that were refused and stay in
// their block; those of one block, consumer, tenant and kind share a row). A file that only an older release has written has no
// ranges; reading finds none then.
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

// The views belong to the caller on writing; on reading they are valid during the call.
struct RejectedRow {
  std::uint64_t number = 0;  // rises; no number is used twice
  base::Timestamp time = 0;  // of the refusal
  int status = 0;
  std::string_view consumer = {}, tenant = {}, reason = {}, url = {},
                   record = {};  // `record` is a JSON line of weir-record.5 with its `rejected` object
  BlockPlace place = {};         // block 0: the record came from a chain without a spool
};

struct RangeRow {
  std::uint64_t block = 0;
  base::Timestamp time = 0;  // of the first refusal
  int status = 0;
  std::string consumer, tenant, kind, reason, url;
  OrdinalSet ordinals;
};

// Whether the file has the table `rejected_ranges`.
base::Result<bool> has_ranges(sqlite::Database& database);

// Calls `each` for at most `limit` rows with a number above `after`, the oldest first.
base::Result<void> for_each_rejected(sqlite::Database& database, std::uint64_t after, std::size_t limit,
                                     const std::function<void(const RejectedRow&)>& each);
// The ordinals of one block whose records are in `rejected`; sorted.
base::Result<void> rejected_ordinals(sqlite::Database& database, std::uint64_t block, std::vector<std::uint32_t>& ordinals);
// The `record` of a row; nullopt when the row was deleted.
base::Result<std::optional<std::string>> rejected_record(sqlite::Database& database, std::uint64_t number);
base::Result<std::uint64_t> count_rejected(sqlite::Database& database);
// Counts the rows whose block is still in the spool.
base::Result<std::uint64_t> count_rejected_in_blocks(sqlite::Database& database);

// The row gets the next number.
base::Result<void> insert_rejected(sqlite::Database& database, const RejectedRow& row);
// Changes all columns except consumer and place.
base::Result<void> update_rejected(sqlite::Database& database, const RejectedRow& row);
base::Result<void> delete_rejected(sqlite::Database& database, std::uint64_t number);
// Deletes the oldest `rows` rows. Returns how many it deleted.
base::Result<std::uint64_t> delete_oldest_rejected(sqlite::Database& database, int rows);
// Deletes rows that were refused before `before`, by the present clock. Times from before the clock was set forward are corrected.
// Times from before the clock was set back are not, because the record may have been refused later. Returns how many it deleted.
base::Result<std::uint64_t> delete_late_rejected(sqlite::Database& database, base::Timestamp before);
// Whether the oldest row is one that delete_late_rejected() deletes.
base::Result<bool> has_late_rejected(sqlite::Database& database, base::Timestamp before);
// Stores the row with its number. Does nothing when the number exists.
base::Result<void> restore_rejected(sqlite::Database& database, const RejectedRow& row);

// The rejected records that stay in one block. The records of a damaged row count as delivered.
base::Result<OrdinalSet> ordinals_in_ranges(sqlite::Database& database, std::uint64_t block);
// Error of this function and the next two: corrupt.
base::Result<std::vector<RangeRow>> ranges_of(sqlite::Database& database, std::uint64_t block);
// The ranges of the next block above `after` that is in the spool and has some.
base::Result<std::vector<RangeRow>> next_ranges(sqlite::Database& database, std::uint64_t after);
base::Result<std::optional<RangeRow>> find_range(sqlite::Database& database, const RangeRow& key);
base::Result<std::uint64_t> count_records_in_ranges(sqlite::Database& database);
// Whether there are ranges of blocks below `block`, which were evicted.
base::Result<bool> has_ranges_before(sqlite::Database& database, std::uint64_t block);

// Adds the ordinals to a row of the same key, which keeps its reason, or stores the row.
base::Result<void> store_range(sqlite::Database& database, const RangeRow& row);
// Does nothing when there is a row of the same key.
base::Result<void> restore_range(sqlite::Database& database, const RangeRow& row);
base::Result<void> delete_range(sqlite::Database& database, const RangeRow& key);
// Returns how many records were in the ranges.
base::Result<std::uint64_t> delete_ranges_of(sqlite::Database& database, std::uint64_t block);
base::Result<void> delete_ranges_before(sqlite::Database& database, std::uint64_t block);

// Read a row of a damaged file. Nullopt: it is not a row of this table.
[[nodiscard]] std::optional<RejectedRow> rejected_of(const RawRow& row);
[[nodiscard]] std::optional<RangeRow> range_of(const RawRow& row);

}  // namespace weir::spool
