// How stored positions are put together again: the snapshot, and what moved with the rows of blocks since.
#pragma once

#include "base/result.h"
#include "spool/keeper.h"
#include "sqlite/database.h"

#include <span>

namespace weir::spool {

// Snapshot and deltas into `keeper`, in one read transaction of the caller or its own. The delta of a
// block whose checksum is wrong is left out, since what it says may be what is damaged, unless later ones make no sense without it.
// `noted`: deltas of blocks that have no row, in their order; each takes its place among the rows. Error: corrupt.
base::Result<void> load_positions(sqlite::Database& database, Keeper& keeper, std::span<const Handed> noted = {});

}  // namespace weir::spool
