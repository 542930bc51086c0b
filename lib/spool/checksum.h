// XXH64, the checksum of a block: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::spool {

[[nodiscard]] std::uint64_t xxh64(std::string_view bytes, std::uint64_t seed);

}  // namespace weir::spool
