// Numbers of things in messages for people: "1 record", "12,345 records".
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::base {

// 1234567 -> "1,234,567".
[[nodiscard]] inline std::string grouped(std::uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

// With the noun, which gets an `s` unless there is just one; `plural` where that is not how it is formed.
[[nodiscard]] inline std::string count_of(std::uint64_t number, std::string_view noun, std::string_view plural = {}) {
  if (number == 1) return fmt::format("1 {}", noun);
  return plural.empty() ? fmt::format("{} {}s", grouped(number), noun) : fmt::format("{} {}", grouped(number), plural);
}

}  // namespace weir::base
