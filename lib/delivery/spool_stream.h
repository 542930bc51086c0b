// The tracked stream that comes from a spool. Shared by the drain of `buffer` and the source of `push --spool`.
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

// Makes a whole block ready to be sent: sets places as sources, removes records that are held, rejected earlier or in `skip`,
// and appends the block's marker. The batch must hold the block's records in their order: all of them, or what spool::Reader gives,
// which leaves out the first copy of a released record and says the places of the others. Returns the bytes of the remaining lines.
std::uint64_t finish_block(record::Batch& batch, std::uint64_t spool, std::uint64_t block, const spool::PlaceSet* skip);

// Appends the marker that comes before rejected records.
void append_rejected(record::Batch& batch, const std::string& spool_path, std::uint64_t spool);

// The `rejected` object of a record that was refused at `time`.
[[nodiscard]] std::string rejected_object(const spool::Rejection& rejection, base::Timestamp time);

// Appends the last marker.
void append_end(record::Batch& batch);

// A block cannot be read, so the stream goes without it. Reports that, and asks the writer to set the block aside. Returns how
// many records are lost.
std::uint64_t leave_out_block(const std::string& spool_path, const spool::BlockInfo& block, const base::Error& error,
                              base::Clock& clock, base::Diagnostics& diagnostics);

}  // namespace weir::delivery
