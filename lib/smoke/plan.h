// The records of one run of `weir smoke`: what is sent, and so what must come back.
//
// A plan is a pure function of its spec. It makes each record when asked for it, so a run of many records keeps none of them.
//
// Records are numbered from 1 and go out in batches of up to eight; a batch belongs to one stream, and one push request carries it.
// A batch holds what is easily damaged on the way: two records at one time, characters of many scripts, quotes and control bytes,
// several lines in one record, a line that is the same in every batch, and lines of 100 KiB.
//
// Large lines serve a second purpose. Loki drops an entry that is sent again while the first one is in the open block of its chunk,
// so a repeated request mostly leaves no trace. Three large lines fill a block (256 KiB). So after a batch with large lines the
// block is closed, and count_over_time shows whether the batch was stored twice.
//
// Two records at one time never have the same line in one stream: Loki before 3.7 stores such a pair once, whatever their metadata.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/label_set.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::smoke {

// Where a record says which run and which record it is.
enum class Form : std::uint8_t {
  metadata,  // in structured metadata
  line,      // at the head of the line: for what is written as text, and for a Loki that takes no metadata. No record has two lines
};

// Which batches end with three large lines.
enum class Large : std::uint8_t { none, one, all };

enum class Kind : std::uint8_t { plain, same_time, unicode, quotes, json, multi_line, same_line, large };
[[nodiscard]] std::string_view word_of(Kind kind);  // "Unicode", "multi-line", …

struct PlanSpec {
  std::string run;         // the run's id: hex digits
  std::uint64_t seed = 1;  // of the contents
  std::uint32_t records = 200;
  std::uint32_t streams = 4;
  Large large = Large::all;
  Form form = Form::metadata;
  base::Timestamp begin = 0;                     // the time of the first record
  base::Duration gap = 25 * base::kMillisecond;  // between two records, except those at one time
};

struct PlannedRecord {
  std::uint32_t number = 0;  // from 1
  std::uint32_t stream = 0;  // from 1
  Kind kind = Kind::plain;
  base::Timestamp time = 0;
  std::string line;
  std::vector<std::pair<std::string, std::string>> metadata;
};

// A batch: the records first, …, first + size - 1.
struct PlannedBatch {
  std::uint32_t first = 0;
  std::uint32_t size = 0;
  std::uint32_t stream = 0;
};

inline constexpr std::uint32_t kBatchRecords = 8;
inline constexpr std::size_t kLargeLine = 100 << 10;  // bytes
inline constexpr std::string_view kRunName = "weir_smoke_run", kRecordName = "weir_smoke_record", kNoteName = "weir_smoke_note";

class Plan {
 public:
  explicit Plan(PlanSpec spec) : spec_(std::move(spec)) {}

  [[nodiscard]] const PlanSpec& spec() const { return spec_; }
  [[nodiscard]] std::uint32_t records() const { return spec_.records; }
  [[nodiscard]] std::uint32_t batches() const { return (spec_.records + kBatchRecords - 1) / kBatchRecords; }
  // The streams that have records: fewer than asked for when there are fewer batches.
  [[nodiscard]] std::uint32_t streams() const { return std::min(spec_.streams, batches()); }

  [[nodiscard]] PlannedBatch batch(std::uint32_t index) const;  // from 0
  [[nodiscard]] PlannedRecord record(std::uint32_t number) const;
  [[nodiscard]] std::uint32_t stream_of(std::uint32_t number) const;
  [[nodiscard]] Kind kind_of(std::uint32_t number) const;
  [[nodiscard]] base::Timestamp time_of(std::uint32_t number) const;
  [[nodiscard]] base::Timestamp last_time() const { return time_of(spec_.records); }

  // What stands at the head of each line in Form::line, before the number.
  [[nodiscard]] std::string mark() const;

 private:
  PlanSpec spec_;
};

// Which record something is that was read back.
struct Identity {
  std::uint32_t number = 0;  // 0 with `same`: one of the records with the line that is the same in every batch
  bool same = false;
};

// Nullopt: it is none of this plan's records.
[[nodiscard]] std::optional<Identity> identify(const Plan& plan, std::string_view line, std::span<const record::Label> metadata);

// 12 hex digits. Code::io when the system gives no random bytes.
[[nodiscard]] base::Result<std::string> new_run_id();

}  // namespace weir::smoke
