// What packing and unpacking of a block agree on (weir-spool.5).
//
// The body: a byte with its form, a varint with the unpacked size of the lines, the columns, and one zstd frame to the end: the
// lines. In the second form, ids and times of the lines stand in columns of their own (line_values.h); a second varint is the size
// of what is left of the lines, which is then in the frame. Within a column, and within the lines, the records are grouped by
// stream, in order of arrival within each stream: equal values stand side by side, so that they compress well. Each column is
// packed by itself, since numbers of different kinds share no statistics.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::spool {

inline constexpr std::uint8_t kStreamsForm = 1;
inline constexpr std::uint8_t kPlainForm = 1;   // of a body
inline constexpr std::uint8_t kValuesForm = 2;  // of a body: values are taken out of its lines

enum Column : std::uint8_t {
  kOrder,    // the stream of each record, in order of arrival: order_width() bytes
  kLengths,  // of the lines, varints; empty when no line holds a newline: then each ends with one
  kTimes,  // the eight bytes, lowest first, of the zigzag difference to the record before; the lower ones are noise, the upper ones
  kTimesEnd = kTimes + 8,  // nearly constant. Empty: all zero
  kFlags = kTimesEnd,
  kStrings,    // names and values of metadata, each once
  kSets,       // of metadata, by numbers of strings
  kChoices,    // the set of each record: varints; empty when nothing has metadata
  kKnownSets,  // numbers that kKnown refers to: varints
  kExtra,
  kPlainColumns,
  kIds = kPlainColumns,  // in the order of the lines, as all that follows
  kLineTimes,            // as kTimes: eight bytes of the zigzag difference to the time before, in units of the last digit
  kLineTimesEnd = kLineTimes + 8,
  kColumns = kLineTimesEnd,
};

// The metadata set of a record: kNew, kKnown, or kHad + n for the n-th set that its stream has used.
inline constexpr std::uint64_t kNew = 0;    // the next set that no stream has used yet
inline constexpr std::uint64_t kKnown = 1;  // a set that an earlier stream has used, or the empty set: see kKnownSets
inline constexpr std::uint64_t kHad = 2;

// Flags of a record.
inline constexpr int kHeld = 1;
inline constexpr int kClean = 2;      // the line is valid UTF-8 and needs no escape in JSON
inline constexpr int kInvalid = 4;    // made from input that was not a record
inline constexpr int kUnknown = 8;    // has unknown keys
inline constexpr int kRejected = 16;  // has a `rejected` object

// Bytes with which the order column names a stream.
inline int order_width(std::size_t streams) {
  if (streams <= 1) return 0;
  if (streams <= 0x100) return 1;
  return streams <= 0x10000 ? 2 : 4;
}

}  // namespace weir::spool
