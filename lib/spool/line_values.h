// Ids and times that are taken out of the lines of a block and stored as numbers (weir-spool.5, "Ids and times within lines"). In
// packed text, a random hex digit takes five bits and a time up to six bytes; as numbers they take four bits and one to three
// bytes.
//
// What is taken: 16 and more hex digits of one case with a letter among them, UUIDs, and times such as 2026-11-30T10:00:00.123456.
// A mark and a code stay in their place. The lines come back byte for byte.
#pragma once

#include "base/clock.h"
#include "spool/wire.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

struct LineValues {
  std::string ids;                   // two digits a byte
  std::vector<std::uint64_t> times;  // zigzag of the difference to the time before, in units of the last digit
};

// Takes the values out of `lines` and appends them to `values`. What is left begins where the lines began; returns its size, which
// is less than `size`, or equal when nothing was taken. `origin`: the time before the first one. Memory is needed for the values
// alone. Takes nothing from lines that contain the mark.
std::size_t take_values(char* lines, std::size_t size, base::Timestamp origin, LineValues& values);

// A part of `text` that no value reaches into: at each place where lines contain `text`, what take_values() leaves of them contains
// this part. Empty when there is none for certain.
[[nodiscard]] std::string_view part_outside_values(std::string_view text);

// The reverse, in the memory of the lines: the last `left` of the `size` bytes are what take_values() left. False: something is
// damaged, and the bytes of `lines` mean nothing.
[[nodiscard]] bool put_values_back(char* lines, std::size_t size, std::size_t left, std::string_view ids, const wire::Planes& times,
                                   base::Timestamp origin);

}  // namespace weir::spool
