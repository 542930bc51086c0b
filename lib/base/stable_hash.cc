#include "base/stable_hash.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace weir::base {
namespace {

// Odd numbers without a pattern: digits of the square roots of 2, 3, 5 and 7.
constexpr std::uint64_t kA = 0x6a09e667f3bcc909, kB = 0xbb67ae8584caa73b, kC = 0x3c6ef372fe94f82b, kD = 0xa54ff53a5f1d36f1;

__extension__ using Wide = unsigned __int128;

// Every bit of either factor reaches many bits of the result.
std::uint64_t product(std::uint64_t a, std::uint64_t b) {
  const Wide wide = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(wide) ^ static_cast<std::uint64_t>(wide >> 64);
}

std::uint64_t word(const char* at, std::size_t size) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, size);
  return value;
}

// Each half takes in both words, in different ways: a factor of 0, which forgets the other one, can meet one of them only.
struct State {
  std::uint64_t low, high;

  void mix(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t one = product(a ^ low ^ kA, b ^ kB);
    const std::uint64_t two = product(b ^ high ^ kC, a ^ kD);
    low = std::rotl(low, 23) * kD + one;
    high = (std::rotl(high, 41) ^ low) * kB + two;
  }
};

Hash128 finish(State state, std::uint64_t size) {
  state.mix(size, kC);
  state.mix(state.high, kA);
  return {state.low ^ (state.high >> 29), state.high ^ (state.low >> 31)};
}

}  // namespace

Hash128 stable_hash(std::string_view bytes, const Hash128& seed) {
  State state{seed.low ^ kA, seed.high ^ kB};
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left > 16; at += 16, left -= 16) state.mix(word(at, 8), word(at + 8, 8));
  if (left > 8) {
    state.mix(word(at, 8), word(at + 8, left - 8));
  } else if (left > 0) {
    state.mix(word(at, left), 0);
  }
  return finish(state, bytes.size());
}

Hash128 stable_hash(std::uint64_t number, const Hash128& seed) { return finish({seed.low ^ kC, seed.high ^ kD}, number); }

}  // namespace weir::base
