#include "spool/block_checksum.h"

#include "spool/checksum.h"
#include "spool/wire.h"

#include <string>

namespace weir::spool {

std::uint64_t block_checksum(const BlockInfo& info, std::string_view streams, std::string_view positions, std::string_view body) {
  std::string numbers;
  for (const std::uint64_t number : {info.id, static_cast<std::uint64_t>(info.stored),
                                     static_cast<std::uint64_t>(info.min_timestamp), static_cast<std::uint64_t>(info.max_timestamp),
                                     std::uint64_t{info.records}, std::uint64_t{info.held}, info.line_bytes, info.body_bytes}) {
    wire::put_word(numbers, number);
  }
  return xxh64(body, xxh64(positions, xxh64(streams, xxh64(numbers, 0))));
}

std::uint64_t snapshot_checksum(std::uint64_t through_block, std::string_view body) { return xxh64(body, through_block); }

}  // namespace weir::spool
