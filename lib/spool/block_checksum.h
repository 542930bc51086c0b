// What protects a block's row and body, and the snapshot of positions.
#pragma once

#include "spool/block_info.h"

#include <cstdint>
#include <string_view>

namespace weir::spool {

// Over the numbers of the row, the packed columns and the body, each seeded with the hash before it (weir-spool.5).
[[nodiscard]] std::uint64_t block_checksum(const BlockInfo& info, std::string_view streams, std::string_view positions,
                                           std::string_view body);

// Kept in `meta` as 'positions_checksum'.
[[nodiscard]] std::uint64_t snapshot_checksum(std::uint64_t through_block, std::string_view body);

}  // namespace weir::spool
