// The table `held_groups`: blocks of held records that were stored before the group of records that they arrived with (buffer
// --spill). A row ties such a block to its group for as long as the positions of the group are not stored. What a row still ties
// when the next writer begins was not safe: those records are read again from their log files, so the block goes.
#pragma once

#include "base/result.h"
#include "sqlite/database.h"

#include <cstdint>
#include <vector>

namespace weir::spool {

struct HeldGroup {
  std::uint64_t block = 0;  // of held records
  std::uint64_t group = 0;  // the number under which the positions of its records are stored
};

// By block.
base::Result<std::vector<HeldGroup>> read_held_groups(sqlite::Database& database);
base::Result<void> insert_held_group(sqlite::Database& database, const HeldGroup& tie);
// The positions of all groups up to this one are stored now.
base::Result<void> delete_held_groups(sqlite::Database& database, std::uint64_t through);
// Whether the file has positions of this group or of a later one.
base::Result<bool> has_positions_from(sqlite::Database& database, std::uint64_t group);

}  // namespace weir::spool
