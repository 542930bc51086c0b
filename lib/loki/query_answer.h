// The answers of Loki's query endpoints, turned into records.
// Format: https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time
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
  bool samples = false;      // a metric query: the records are samples
  std::size_t entries = 0;   // how many were added
  std::vector<std::string> warnings;
};

// Loki puts a stream that is written fast under several of these internal labels, and shows them. The records are those of one stream: without
// them they are what was pushed.
[[nodiscard]] bool is_shard_label(std::string_view name);

// Keeps its memory from one answer to the next. Not thread safe.
class QueryAnswerParser {
 public:
  QueryAnswerParser();
  ~QueryAnswerParser();
  QueryAnswerParser(const QueryAnswerParser&) = delete;  // large buffers
  QueryAnswerParser& operator=(const QueryAnswerParser&) = delete;

  // Answers of query_range and query: appends the records to `out`, oldest first; equal times in the order of the answer's
  // streams and, within one, oldest first. `newest_first` says that the answer came in direction `backward`. Stream labels,
  // structured metadata and parsed labels are told apart where the server did so (encoding flag categorize-labels). Records have no shard labels;
  // samples have, whose series they tell apart.
  // `body` may be changed. Code::network for what is no such answer.
  base::Result<QueryAnswer> parse_entries(std::string& body, bool newest_first, record::Batch& out);

  // Answers of labels and label values: in their order.
  base::Result<std::vector<std::string>> parse_strings(std::string& body);

  // Answers of series: without shard labels, sorted, each once.
  base::Result<std::vector<record::LabelSetRef>> parse_series(std::string& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::loki
