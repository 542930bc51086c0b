// One line of `journalctl -o json`: an entry of the journal, as journal_records.h makes a record of it.
//
// Values are strings; arrays of numbers where they are not printable text; null where they are large (4096 bytes and more, without
// `journalctl --all`); arrays of these where a field occurs several times.
// https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-json-format
#pragma once

#include "base/clock.h"
#include "record/record.h"
#include "tail/journal_records.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::tail {

// Not thread safe.
class JournalJson {
 public:
  // `fields` outlives it.
  explicit JournalJson(const std::vector<JournalField>& fields) : records_(fields) {}

  enum class Outcome : std::uint8_t {
    entry,
    cut,        // journalctl left the message out, because it is large
    malformed,  // no such line
  };
  // What the entry has is in records() until the next call.
  Outcome read(std::string_view line, record::Batch& batch);
  [[nodiscard]] base::Timestamp time() const { return time_; }
  [[nodiscard]] JournalRecords& records() { return records_; }

 private:
  JournalRecords records_;
  base::Timestamp time_ = 0;
  std::string value_;
};

}  // namespace weir::tail
