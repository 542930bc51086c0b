// What enrich takes out of a line before anything else: `--parse json --to-label app --to-metadata trace_id --timestamp-from time`.
//
// The parser is LogQL's, so a field has here the name and the value that it has in Grafana (`http.status` of JSON is
// `http_status`). It sees the line alone: a field that has the name of a label is not called NAME_extracted here. What it finds
// becomes part of the record as if the record had come with it:
//   --to-label      the label, in place of one of that name
//   --to-metadata   metadata, in place of metadata of that name
//   --timestamp-from  the record's time
// A field that is missing or empty adds nothing. Unlike in a query, a line that does not fit a whole `pattern` adds nothing either:
// where a literal is missing, LogQL makes the rest of the line a field, and that must not become a label. A line on which the
// parser sets __error__ passes unchanged and is counted. The lines of gap records are weir's own and are not parsed.
//
// What Loki would refuse a record for is not made: a value over 2048 bytes becomes metadata instead of a label; one over 16 KiB
// is left out; bytes that are not UTF-8 become spaces, as in LogQL. A time that is no time, lies before the year 2000, or more
// than 10 minutes after the record's own keeps the record's own time. Records are not put into the order of their new times.
//
// What is done to a record depends on the record and the spec only.
#pragma once

#include "logql/log_query.h"
#include "logql/pattern.h"
#include "metrics/registry.h"
#include "pipeline/stage.h"
#include "stages/time_format.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::stages {

struct LineFieldsSpec {
  struct Field {
    std::string name;  // as LogQL's parser calls it
    std::string as;    // the label or metadata
  };
  std::string parse;  // a parser stage of LogQL without its bar, or several with bars between them; "" for none
  std::vector<Field> to_labels;
  std::vector<Field> to_metadata;
  std::string timestamp_from;  // a field; "" for none
  std::string timestamp_format = "rfc3339";

  [[nodiscard]] bool takes_nothing() const { return to_labels.empty() && to_metadata.empty() && timestamp_from.empty(); }
};

// Code::usage: a parser that LogQL does not read or that could drop records, a parser of which nothing is taken, a field that
// the parser cannot give, a name that Loki would not take. Names of labels are left to enrich.
[[nodiscard]] base::Result<void> check(const LineFieldsSpec& spec);

// Not thread safe. apply() allocates nothing but memory of the batch for values that it knows.
class LineFields {
 public:
  // `spec` is checked, and takes something.
  static base::Result<std::unique_ptr<LineFields>> open(const LineFieldsSpec& spec, const pipeline::Context& context);

  // Before the first record of a batch. Forgets label sets when there are too many.
  void begin();
  // Changes the record, which is no marker and no sample. Decodes its line into the batch.
  void apply(record::Batch& batch, record::Record& record);
  // After the last record of a batch.
  void count();

  [[nodiscard]] const metrics::Block& block() const { return block_; }

 private:
  struct Target {
    std::size_t field = 0;  // index into names_ and values_
    std::string as;
  };
  struct Known {
    record::LabelSetRef before;  // so that its address stays its own
    record::LabelSetRef after;
    std::uint64_t held_by = 0;  // the number of the batch that holds `after`
  };
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  // Metadata made for a record of this batch, for the next one that gets the same.
  struct Shared {
    const record::Label* before = nullptr;
    std::size_t before_size = 0;
    std::size_t added = 0;  // labels at the end of `after`
    std::span<const record::Label> after;
  };

  LineFields(logql::LogQuery parser, TimeFormat time_format, const pipeline::Context& context);
  std::size_t field(std::string_view name);
  bool parse(record::Batch& batch, record::Record& record);
  std::string_view usable(record::Batch& batch, std::string_view value);
  void add_labels(record::Batch& batch, record::Record& record);
  void add_metadata(record::Batch& batch, record::Record& record);
  void set_time(record::Record& record);

  logql::LogQuery parser_;
  std::optional<logql::Pattern> pattern_;  // of the last stage, where that is one
  TimeFormat time_format_;
  std::vector<std::string> names_;
  std::vector<Target> labels_, metadata_;
  std::optional<std::size_t> time_;

  record::LabelSetRef no_labels_;
  record::Record probe_;                  // the line alone
  std::vector<std::string_view> values_;  // of the line at hand, by name; "" for none
  std::vector<record::Label> wanted_;     // metadata that the record at hand gets
  std::vector<record::Label> made_;       // the labels of a new set
  std::string key_;
  std::unordered_map<std::string, Known, KeyHash, std::equal_to<>> known_;
  std::size_t known_bytes_ = 0;
  std::uint64_t batch_number_ = 0;
  std::array<Shared, 16> shared_;

  metrics::Block block_;
  metrics::Counter parse_errors_, time_errors_, long_values_;
  std::uint64_t batch_parse_errors_ = 0, batch_time_errors_ = 0, batch_long_values_ = 0;
};

}  // namespace weir::stages
