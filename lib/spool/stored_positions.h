// Loads stored positions: the snapshot, and the deltas in the rows of later blocks.
#pragma once

#include "base/result.h"
#include "spool/keeper.h"
#include "sqlite/database.h"

#include <span>

namespace weir::spool {

// Loads snapshot and deltas into `keeper`, in the caller's read transaction or in one of its own. Leaves out the delta of a block
// whose checksum is wrong, because the delta itself may be damaged, unless later deltas need it. `noted`: deltas of blocks that
// have no row, in their order; each is loaded at its place between the rows. Error: corrupt.
base::Result<void> load_positions(sqlite::Database& database, Keeper& keeper, std::span<const Handed> noted = {});

}  // namespace weir::spool
