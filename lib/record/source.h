// Where a record can be read again: the value of the `source` key of a tracked chain (weir-record.5).
//
//   f.LOG.GENERATION.S.END[.RESUME[.RESUME_GENERATION]]   a place in a container's log, told by tail
//   b.SPOOL.BLOCK.ORDINAL                                  a place in a spool, told by buffer and push --spool
//   r.SPOOL.ROW                                            a row of a spool's rejected store, told by replay --rejected
//
// LOG and GENERATION are numbers that mean something only within one stream: a `generation` marker introduces each before
// it is used. S is `o` for stdout (and for files that have no streams) and `e` for stderr. END is the offset in the file
// of the first byte after the record, RESUME the offset at which the oldest line still open begins (END when left out), which
// may lie in an earlier generation, or, behind a gap, in the one where reading goes on. SPOOL is the spool's identity, 16
// hexadecimal digits; BLOCK and ORDINAL count from 1 and 0. A row of the rejected store has no order: nothing is said of those that
// are not there.
#pragma once

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
  std::uint64_t block = 0;              // block; rejected: the row

  explicit operator bool() const { return kind != Kind::none; }
  friend bool operator==(const Source&, const Source&) = default;

  static Source in_file(std::uint32_t log, std::uint32_t generation, std::uint8_t substream, std::uint64_t end);
  static Source in_spool(std::uint64_t spool, std::uint64_t block, std::uint32_t ordinal);
  static Source in_rejected(std::uint64_t spool, std::uint64_t row);
  static std::optional<Source> parse(std::string_view text);
  // Writes at most kMaxText bytes to `out` and returns how many.
  static constexpr std::size_t kMaxText = 96;
  std::size_t print(char* out) const;
  [[nodiscard]] std::string to_string() const;
};

// What a marker says besides its position (JSON key `marker`, an object whose `type` is one of the names below).
// Views belong to the batch.
struct Marker {
  enum class Type : std::uint8_t {
    position,    // everything up to `source` that did not come was dropped on purpose; has no `marker` key
    begin,       // first of a tracked stream: which checkpoint keeps its positions; from buffer also which spool acknowledges
    generation,  // introduces source.log and source.generation: what file that is; again when head or check grew
    done,        // source.generation is read to its end and finished; with `gone`, the whole log is
    block,       // the block source.block ends here; `positions` become safe when all before is acknowledged
    end,         // the stream ended in good order
    rejected,    // the records with a row as source come out of the rejected store of the spool named here, which takes back what of them
                 // is delivered; begins no tracked stream
  };
  Type type = Type::position;
  bool gone = false;                // done: the log's folder is gone, forget it
  std::string_view checkpoint;      // begin, rejected: path of the file that keeps the positions, as given
  std::uint64_t spool = 0;          // begin, rejected: identity of the spool that takes acknowledgements, 0 for none
  std::string_view path;            // generation: path when it was opened
  std::string_view log_key;         // generation: what names the log across restarts: the live file's path
  std::uint64_t inode = 0;          // generation
  std::uint64_t device = 0;         // generation; only breaks ties, changes at boot
  std::uint32_t head_size = 0;      // generation: how many first bytes head_hash covers, up to 1024
  std::uint64_t head_hash = 0;      // generation: FNV-1a 64 of them
  std::uint64_t check_end = 0;      // generation: check_hash covers the (up to) 256 bytes before this offset; 0 for none
  std::uint64_t check_hash = 0;     // generation
  std::string_view positions;       // block: opaque to everyone but the spool, base64 in JSON
};

[[nodiscard]] std::string_view marker_name(Marker::Type type);

}  // namespace weir::record
