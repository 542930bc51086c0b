// The tracked stream that comes out of a spool: what the drain of `buffer` and the source of `push --spool` have in common.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "record/record.h"
#include "spool/block_info.h"
#include "spool/place.h"
#include "spool/rejection.h"

#include <cstdint>
#include <string>

namespace weir::delivery {

// Appends the first marker: which spool acknowledges, and where in it this stream starts.
void append_begin(record::Batch& batch, const std::string& spool_path, std::uint64_t spool, spool::BlockPlace start);

// Makes a whole block ready to go: places as sources, records that are held, rejected earlier or in `skip` left out, the block's
// marker behind it. Records must be those of the block in their order. Returns the bytes of the lines that remain.
std::uint64_t finish_block(record::Batch& batch, std::uint64_t spool, std::uint64_t block, const spool::PlaceSet* skip);

// What comes before rejected records.
void append_rejected(record::Batch& batch, const std::string& spool_path, std::uint64_t spool);

// The `rejected` object of a record that was refused at `time`.
[[nodiscard]] std::string rejected_object(const spool::Rejection& rejection, base::Timestamp time);

// The last marker.
void append_end(record::Batch& batch);

// A block that cannot be read is left out of the stream: says so, and asks the writer to set it aside. How many records that loses.
std::uint64_t leave_out_block(const std::string& spool_path, const spool::BlockInfo& block, const base::Error& error,
                              base::Clock& clock, base::Diagnostics& diagnostics);

}  // namespace weir::delivery
