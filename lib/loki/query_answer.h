// Turns the answers of Loki's query endpoints into records. Format:
// https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time
#pragma once

#include "base/result.h"
#include "record/record.h"

#include <cstddef>
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

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::loki
