// The layout of the tokens that a ledger gives out. A token names a record, so that its fate can be recorded later.
//
// - A record of a log file: the log's number, and the record's number in the lane of that log.
// - A record of a spool: its block and its ordinal. A block holds about a MiB, so 24 bits are enough for the ordinal.
// - A record of a waiting stream of a spool: a mark, the stream's number, and the record's number in the stream's lane.
// - A row of a rejected store: a mark, and the row.
#pragma once

#include "loki/pusher.h"
#include "spool/place.h"

#include <cstdint>

namespace weir::delivery {

using loki::PushToken;

// The record is not tracked.
inline constexpr PushToken kNoToken = ~PushToken{0};

inline constexpr PushToken kRowMark = PushToken{1} << 63;
inline constexpr PushToken kWaitingMark = PushToken{1} << 62;
inline constexpr int kIndexBits = 40;  // the record's number in its lane
inline constexpr PushToken kIndexMask = (PushToken{1} << kIndexBits) - 1;
inline constexpr std::uint32_t kStreamMask = (1U << 22) - 1;  // the bits between the index and the marks
inline constexpr int kOrdinalBits = 24;
inline constexpr PushToken kOrdinalMask = (PushToken{1} << kOrdinalBits) - 1;

[[nodiscard]] inline bool is_row(PushToken token) { return (token & kRowMark) != 0 && token != kNoToken; }
[[nodiscard]] inline bool is_of_waiting_stream(PushToken token) { return (token & (kRowMark | kWaitingMark)) == kWaitingMark; }
[[nodiscard]] inline bool is_place(PushToken token) { return token < kWaitingMark; }

[[nodiscard]] inline PushToken token_of_place(spool::BlockPlace place) { return place.block << kOrdinalBits | place.ordinal; }
[[nodiscard]] inline spool::BlockPlace place_of(PushToken token) {
  return {token >> kOrdinalBits, static_cast<std::uint32_t>(token & kOrdinalMask)};
}

}  // namespace weir::delivery
