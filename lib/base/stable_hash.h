// A hash of 128 bits that is the same in every process and release, on machines with little-endian memory. Two texts that somebody
// did not make for it have the same one about once in 10^38 pairs, so it may stand for the text. It is no protection against people
// who look for collisions.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::base {

struct Hash128 {
  std::uint64_t low = 0, high = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

// `seed` may be the hash of what stands before, so that a row of texts has one: ("ab", "c") and ("a", "bc") differ.
[[nodiscard]] Hash128 stable_hash(std::string_view bytes, const Hash128& seed = {});
[[nodiscard]] Hash128 stable_hash(std::uint64_t number, const Hash128& seed);

}  // namespace weir::base
