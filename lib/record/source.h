// Where a record can be read again. This is the value of the `source` key in a tracked chain (weir-record.5).
//
//   f.LOG.GENERATION.S.END[.RESUME[.RESUME_GENERATION]]   a place in a container's log, set by tail
//   b.SPOOL.BLOCK.ORDINAL                                  a place in a spool, set by buffer and push --spool
//   r.SPOOL.ROW                                            a row of a spool's rejected store, set by replay --rejected
//
// LOG and GENERATION are numbers that mean something only within one stream. A `generation` marker introduces each number
// before its first use. S is `o` for stdout (and for files without streams) and `e` for stderr. END is the offset in the file
// of the first byte after the record. RESUME is the offset at which the oldest open line begins; without it, END. That line may
// lie in an earlier generation or, after a gap, in the one where reading continues. SPOOL is the spool's identity, 16
// hexadecimal digits. BLOCK counts from 1, ORDINAL from 0. Rows of the rejected store have no order: a missing row means
// nothing.
#pragma once

#include "base/time_range.h"
#include "record/file_identity.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::record {

struct Source {
  enum class Kind : std::uint8_t { none, file, block, rejected };
  Kind kind = Kind::none;
  std::uint8_t substream = 0;           // 0 stdout, 1 stderr
  std::uint32_t log = 0;                // file
  std::uint32_t generation = 0;         // file
  std::uint32_t resume_generation = 0;  // file
  std::uint32_t ordinal = 0;            // block
  std::uint64_t end = 0;                // file
  std::uint64_t resume = 0;             // file
  std::uint64_t spool = 0;              // block, rejected
  std::uint64_t block = 0;              // block; for rejected, the row

  explicit operator bool() const { return kind != Kind::none; }
  friend bool operator==(const Source&, const Source&) = default;

  static Source in_file(std::uint32_t log, std::uint32_t generation, std::uint8_t substream, std::uint64_t end);
  static Source in_spool(std::uint64_t spool, std::uint64_t block, std::uint32_t ordinal);
  static Source in_rejected(std::uint64_t spool, std::uint64_t row);
  static std::optional<Source> parse(std::string_view text);
  // Writes at most kMaxText bytes to `out`. Returns how many.
  static constexpr std::size_t kMaxText = 96;
  std::size_t print(char* out) const;
  [[nodiscard]] std::string to_string() const;
};

// The content of a marker besides its position (JSON key `marker`, an object whose `type` is one of the names below). Views
// into the batch.
struct Marker {
  enum class Type : std::uint8_t {
    position,    // every record up to `source` that did not come was dropped on purpose; has no `marker` key
    begin,       // first of a tracked stream: which checkpoint keeps its positions; from buffer also which spool acknowledges
    generation,  // introduces source.log and source.generation and names the file; repeated when head or check grew
    done,        // source.generation is read to its end and finished; with `gone`, the whole log is finished
    block,       // the block source.block ends here; `positions` become safe once everything before is acknowledged
    end,         // the stream ended in good order
    // The next records, with a row as source, come from the rejected store of the spool named here; delivery removes them from
    // the store; begins no tracked stream.
    rejected,
    // Held records that match are to be delivered, once for each name of a release; buffer acts on it and does not pass it on.
    release,
    release_ended,  // nobody asks for the release of this name any more: what was not delivered yet stays held
  };
  Type type = Type::position;
  bool gone = false;            // done: the log's folder is gone, so forget the log
  std::string_view checkpoint;  // begin, rejected: path of the file that keeps the positions, as given
  std::uint64_t spool = 0;      // begin, rejected: identity of the spool that takes acknowledgements; 0 for none
  std::string_view log_key;     // generation: the log's name across restarts, which is the live file's path
  FileIdentityView file;        // generation
  std::string_view positions;   // block: only the spool reads it; base64 in JSON
  std::string_view release;     // release, release_ended: its id
  std::string_view query;       // release: LogQL; the stream selector may be left out
  base::TimeRange range;        // release: the time of the records
};

[[nodiscard]] std::string_view marker_name(Marker::Type type);

}  // namespace weir::record
