// What packing and unpacking of a block agree on (weir-spool.5).
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::spool {

inline constexpr std::uint8_t kBodyForm = 1;

// Flags of a record.
inline constexpr int kHeld = 1;
inline constexpr int kClean = 2;     // the line is valid UTF-8 and needs no escape in JSON
inline constexpr int kInvalid = 4;   // made of input that was no record
inline constexpr int kUnknown = 8;   // has unknown keys
inline constexpr int kRejected = 16; // has a `rejected` object

// Bytes with which the order column names a stream.
inline int order_width(std::size_t streams) {
  if (streams <= 1) return 0;
  if (streams <= 0x100) return 1;
  return streams <= 0x10000 ? 2 : 4;
}

}  // namespace weir::spool
