// Turns the answers of Loki's query endpoints into records. Format:
// https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time
#pragma once

#include "base/result.h"
#include "record/record.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::loki {

struct QueryAnswer {
  bool samples = false;     // the answer of a metric query: the records are samples
  std::size_t entries = 0;  // how many records were added
  std::vector<std::string> warnings;
};

// How much there is of some streams.
struct IndexStats {
  std::uint64_t streams = 0, chunks = 0, bytes = 0, entries = 0;  // of a spool: blocks are its chunks
};

// The bytes of the streams that have `labels`; or, where `name` is set, of those that have a label of this name.
struct LabelVolume {
  record::LabelSetRef labels;
  std::string name;
  std::uint64_t bytes = 0;
};

// A field that lines have: structured metadata, or what a parser extracts.
struct DetectedField {
  std::string name;
  std::string type;  // string, int, float, boolean, duration or bytes
  std::uint64_t cardinality = 0;
  std::vector<std::string> parsers = {};  // none for structured metadata
};

// Loki divides a stream that grows fast by these internal labels and shows them in its answers. Records without them are those
// that were pushed.
[[nodiscard]] bool is_shard_label(std::string_view name);

// Keeps its memory between answers. Not thread safe.
class QueryAnswerParser {
 public:
  QueryAnswerParser();
  ~QueryAnswerParser();
  QueryAnswerParser(const QueryAnswerParser&) = delete;  // large buffers
  QueryAnswerParser& operator=(const QueryAnswerParser&) = delete;

  // Reads an answer of query_range or query. Appends the records to `out`, oldest first. Equal times come in the order of the
  // answer's streams, and within a stream oldest first. `newest_first`: the answer came in direction `backward`. Stream labels,
  // structured metadata and parsed labels are kept apart when the server kept them apart (encoding flag categorize-labels).
  // Records have no shard labels. Samples have them, because these labels tell their series apart. `body` may be changed.
  // Code::network: this is not such an answer.
  base::Result<QueryAnswer> parse_entries(std::string& body, bool newest_first, record::Batch& out);

  // Reads an answer of labels or label values. Keeps its order.
  base::Result<std::vector<std::string>> parse_strings(std::string& body);

  // Reads an answer of series. Without shard labels, sorted, without repeats.
  base::Result<std::vector<record::LabelSetRef>> parse_series(std::string& body);

  // Reads an answer of index/volume, in its order. `by_name`: it was asked for by the names of labels.
  base::Result<std::vector<LabelVolume>> parse_volume(std::string& body, bool by_name);
  // Read answers of index/stats, of detected_fields and of the values of a detected field. Sorted by name.
  base::Result<IndexStats> parse_stats(std::string& body);
  base::Result<std::vector<DetectedField>> parse_fields(std::string& body);
  base::Result<std::vector<std::string>> parse_field_values(std::string& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::loki
