#include "stages/unmatched.h"

#include "base/diagnostics.h"
#include "logql/log_query.h"
#include "logql/selector_advice.h"
#include "record/age.h"
#include "record/timestamp.h"
#include "spool/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <vector>

namespace weir::stages {
namespace {

using base::Timestamp;
using record::LabelSetRef;
using spool::TimeRange;

constexpr base::Duration kWait = 2 * base::kSecond;  // for a busy spool: it is advice only

struct Span {
  Timestamp oldest = std::numeric_limits<Timestamp>::max(), newest = std::numeric_limits<Timestamp>::min();
  [[nodiscard]] bool empty() const { return oldest > newest; }
  void add(Timestamp from, Timestamp to) {
    oldest = std::min(oldest, from);
    newest = std::max(newest, to);
  }
};

// "the newest record is 24 minutes old"
std::string dated(std::string_view which, Timestamp time, Timestamp now) {
  return time <= now ? fmt::format("the {} record is {} old", which, record::in_words(now - time))
                     : fmt::format("the {} record is dated {}", which, record::age_in_words(time, now));
}

std::string explain_time(const TimeRange& range, const Span& there, Timestamp now) {
  const bool begins = range.from != TimeRange().from;
  const bool ends = range.to != TimeRange().to;
  if (begins && there.newest < range.from) {
    const bool last = range.from <= now && range.to >= now;
    return fmt::format("nothing {}; {}",
                       last ? "in the last " + record::in_words(now - range.from) : "since " + record::to_rfc3339(range.from),
                       dated("newest", there.newest, now));
  }
  if (ends && there.oldest >= range.to)
    return fmt::format("nothing before {}; {}", record::to_rfc3339(range.to), dated("oldest", there.oldest, now));
  return fmt::format("nothing between {} and {}; there are records from {} to {}", record::to_rfc3339(range.from),
                     record::to_rfc3339(range.to), record::to_rfc3339(there.oldest), record::to_rfc3339(there.newest));
}

}  // namespace

std::string explain_nothing_in_spool(const std::string& path, const std::string& query, const TimeRange& range, Timestamp now) {
  const auto compiled = logql::LogQuery::compile(query, {.selector_optional = true});
  auto reader = spool::Reader::open(path, kWait);
  if (!compiled || !reader) return {};
  const auto blocks = (*reader)->list({});
  if (!blocks) return {};
  if (blocks->empty()) return "the spool holds no records";
  std::unordered_set<const record::LabelSet*> known;
  std::vector<LabelSetRef> all;
  Span selected;
  std::uint64_t in_range = 0;  // streams of blocks
  for (const spool::BlockInfo& block : *blocks) {
    const auto streams = (*reader)->streams(block.id);
    if (!streams) continue;
    for (const spool::StreamInfo& stream : *streams) {
      if (known.insert(stream.labels.get()).second) all.push_back(stream.labels);
      if (!compiled->selects(*stream.labels)) continue;
      selected.add(stream.min_timestamp, stream.max_timestamp);
      in_range += range.touches(stream.min_timestamp, stream.max_timestamp) ? 1 : 0;
    }
  }
  if (selected.empty()) return base::escape_control(logql::explain_selector(query, all));
  if (in_range == 0) return explain_time(range, selected, now);
  if (compiled->expr().stages.empty()) return {};
  return "there are records of these labels in this time, but none passes the rest of the query";
}

std::string explain_no_values(const std::string& label, std::vector<std::string> names) {
  if (std::find(names.begin(), names.end(), label) != names.end()) return {};
  return base::escape_control(logql::explain_label(label, std::move(names)));
}

std::string explain_nothing_in_loki(loki::QueryClient& client, const std::string& query, const base::TimeRange& window) {
  const auto matchers = logql::matchers_apart(query);
  if (matchers.empty()) return {};
  const std::string& label = matchers.front().label;
  auto values = client.label_values(label, window, {});
  if (!values) return {};
  if (!values->empty()) {
    std::vector<LabelSetRef> there;
    for (const std::string& value : *values) there.push_back(record::LabelSet::intern({{label, value}}));
    return base::escape_control(logql::explain_selector(matchers.front().selector, there));
  }
  auto names = client.labels(window, {});
  return names && !names->empty() ? explain_no_values(label, std::move(*names)) : std::string();
}

}  // namespace weir::stages
