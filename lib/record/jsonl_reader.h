// Turns JSON lines into records. Reads what weir writes and what `logcli -o jsonl` writes.
//
// The reader parses in place: the block of input is memory of the batch, and lines, keys and values are views into it. Its own
// scanner (SSE2 on x86-64, plain C++ elsewhere) is built for this one shape; ARCHITECTURE.md has the measurement.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/record.h"

#include <cstdint>
#include <memory>
#include <string>

namespace weir::record {

struct ReaderStats {
  std::uint64_t lines = 0;
  std::uint64_t invalid = 0;  // lines that were not records; each became an `invalid` record
};

// Not thread safe. Use one reader for each stream, because it remembers label sets by their raw bytes.
class JsonlReader {
 public:
  struct Limits {
    std::size_t max_line = 8 << 20;  // bytes of one JSON line; a longer one is cut into several invalid records
    int max_depth = 64;              // nesting within unknown keys
  };
  explicit JsonlReader(const base::Clock& clock) : JsonlReader(clock, Limits()) {}
  JsonlReader(const base::Clock& clock, Limits limits);
  ~JsonlReader();

  // Parses one line (without its newline) that lies in memory of `batch`, and appends its record. A line that is not a valid
  // record becomes a record whose `line` is the raw text, with `invalid` set and metadata weir_error, which names the fault and
  // its column. A blank line appends nothing. The returned error serves --strict and the first line; the record is appended all
  // the same.
  base::Result<void> parse(std::string_view line, Batch& batch);

  // Appends a further piece of a line that is too long to parse, as parse() does with its beginning.
  void keep_piece(std::string_view piece, Batch& batch);

  [[nodiscard]] const ReaderStats& stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::record
