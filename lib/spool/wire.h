// The encodings that the packed columns of a spool use (weir-spool.5): varints (LEB128), zigzag for signed numbers, byte
// strings with their length before them, fixed little-endian words.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::spool::wire {

static_assert(std::endian::native == std::endian::little, "fixed words are copied as they lie in memory");

inline void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}
// 0, -1, 1, -2 … as 0, 1, 2, 3 …
inline std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t from_zigzag(std::uint64_t value) { return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1)); }
inline void put_signed(std::string& out, std::int64_t value) { put_varint(out, zigzag(value)); }
inline void put_bytes(std::string& out, std::string_view bytes) {
  put_varint(out, bytes.size());
  out.append(bytes);
}
inline void put_word(std::string& out, std::uint64_t value) {
  char bytes[8];
  std::memcpy(bytes, &value, 8);
  out.append(bytes, 8);
}

// The difference of two times, also where it exceeds the range of a signed number; it wraps around.
inline std::int64_t difference(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
inline std::int64_t sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

// Numbers whose bytes stand apart, lowest first: all lowest bytes in the first view. A view is empty when its bytes are all zero.
using Planes = std::array<std::string_view, 8>;
inline std::uint64_t number_at(const Planes& planes, std::size_t index) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < planes.size(); ++i) {
    if (!planes[i].empty()) number |= static_cast<std::uint64_t>(static_cast<unsigned char>(planes[i][index])) << (8 * i);
  }
  return number;
}

// Reads these encodings. After an error (the end of the bytes, or a number without end), failed() is true and every read gives zero
// or an empty string.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return static_cast<std::uint64_t>(fail());
  }
  std::int64_t signed_varint() { return from_zigzag(varint()); }
  std::string_view bytes() { return take(varint()); }
  std::string_view take(std::uint64_t size) {
    if (size > left()) {
      fail();
      return {};
    }
    const std::string_view bytes(at_, size);
    at_ += size;
    return bytes;
  }
  std::uint64_t word() {
    const std::string_view bytes = take(8);
    std::uint64_t value = 0;
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), 8);
    return value;
  }
  std::uint8_t byte() {
    const std::string_view one = take(1);
    return one.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(one[0]);
  }

  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool complete() const { return !failed_ && at_ == end_; }

 private:
  int fail() {
    failed_ = true;
    at_ = end_;
    return 0;
  }
  const char* at_;
  const char* end_;
  bool failed_ = false;
};

}  // namespace weir::spool::wire
