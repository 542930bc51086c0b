#include "scan/unmatched.h"

#include "base/diagnostics.h"
#include "logql/log_query.h"
#include "logql/parser.h"
#include "logql/printer.h"
#include "logql/selector_advice.h"
#include "record/age.h"
#include "record/timestamp.h"
#include "scan/spool_scan.h"
#include "spool/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <vector>

namespace weir::scan {
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

std::string log_query_of(const std::string& query) {
  const auto parsed = logql::parse(query, {.selector_optional = true});
  if (!parsed || parsed->is_log()) return query;
  const auto* log = first_log_query(*parsed);
  return log == nullptr ? std::string() : logql::print(*log);
}

// Where nobody asked to read a spool, nobody wants to hear about it.
class Silence : public base::Diagnostics {
 public:
  void say(std::string_view) override {}
  void warn(std::string_view, std::string_view) override {}
};

std::string explain_rest_in_spools(std::span<const std::string> paths, const logql::LogExpr& query, const TimeRange& range,
                                   const WantedTenant& tenant) {
  Silence silence;
  logql::LogExpr selector;
  selector.matchers = query.matchers;
  record::Batch sample;
  auto scan = SpoolScan::open(paths, std::move(selector), range, silence);
  if (!scan) return std::string(kRestOfTheQuery);
  if (tenant) (*scan)->take_tenant(*tenant);
  (*scan)->keep_as_stored();
  (*scan)->expect_at_most(kLooksAtRecords);
  const auto read = (*scan)->run([&](record::Batch& batch) -> base::Result<bool> {
    for (const record::Record& record : batch.records) {
      if (sample.records.size() == kLooksAtRecords) return false;
      sample.add_copy(record);
    }
    return sample.records.size() < kLooksAtRecords;
  });
  return read ? explain_rest(query, sample) : std::string(kRestOfTheQuery);
}

}  // namespace

std::string explain_rest(const logql::LogExpr& query, record::Batch& sample) {
  const bool all = sample.records.size() < kLooksAtRecords;
  const std::string why = base::escape_control(explain_missing_name(query, sample, all));
  return why.empty() ? std::string(kRestOfTheQuery) : why;
}

std::string explain_time(const TimeRange& range, Timestamp oldest, Timestamp newest, Timestamp now) {
  const bool begins = range.from != TimeRange().from;
  const bool ends = range.to != TimeRange().to;
  if (begins && newest < range.from) {
    // The end of the range may have been the present when the query began.
    const Timestamp end = std::min(range.to, now);
    const bool last = range.from <= now && now - end <= base::kMinute;
    return fmt::format("nothing {}; {}",
                       last ? "in the last " + record::in_words(end - range.from) : "since " + record::to_rfc3339(range.from),
                       dated("newest", newest, now));
  }
  if (ends && oldest >= range.to)
    return fmt::format("nothing before {}; {}", record::to_rfc3339(range.to), dated("oldest", oldest, now));
  return fmt::format("nothing between {} and {}; there are records from {} to {}", record::to_rfc3339(range.from),
                     record::to_rfc3339(range.to), record::to_rfc3339(oldest), record::to_rfc3339(newest));
}

const logql::LogExpr* first_log_query(const logql::Expr& expr) {
  if (expr.is_log()) return &std::get<logql::LogExpr>(expr.node);
  if (const auto* range = std::get_if<logql::RangeAggregation>(&expr.node)) return &range->range.log;
  const std::vector<logql::Expr>* inner = nullptr;
  if (const auto* vector = std::get_if<logql::VectorAggregation>(&expr.node)) inner = &vector->inner;
  if (const auto* binary = std::get_if<logql::BinaryOperation>(&expr.node)) inner = &binary->legs;
  if (const auto* replace = std::get_if<logql::LabelReplace>(&expr.node)) inner = &replace->inner;
  if (inner == nullptr) return nullptr;
  for (const logql::Expr& one : *inner) {
    if (const auto* found = first_log_query(one); found != nullptr) return found;
  }
  return nullptr;
}

std::string explain_nothing_in_spools(std::span<const std::string> paths, const std::string& query, const TimeRange& range,
                                      Timestamp now, const WantedTenant& tenant) {
  const std::string logs = log_query_of(query);
  const auto compiled = logql::LogQuery::compile(logs, {.selector_optional = true});
  if (!compiled) return {};
  std::unordered_set<const record::LabelSet*> known;
  std::vector<LabelSetRef> all;
  Span selected;
  std::uint64_t in_range = 0;  // streams of blocks
  bool any = false;
  for (const std::string& path : paths) {
    auto reader = spool::Reader::open(path, kWait);
    if (!reader) return {};
    const auto blocks = (*reader)->list({});
    if (!blocks) return {};
    any = any || (!tenant && !blocks->empty());
    for (const spool::BlockInfo& block : *blocks) {
      const auto streams = (*reader)->streams(block.id);
      if (!streams) continue;
      for (const spool::StreamInfo& stream : *streams) {
        if (!takes(tenant, stream.tenant)) continue;
        any = true;
        if (known.insert(stream.labels.get()).second) all.push_back(stream.labels);
        if (!compiled->selects(*stream.labels)) continue;
        selected.add(stream.min_timestamp, stream.max_timestamp);
        in_range += range.touches(stream.min_timestamp, stream.max_timestamp) ? 1 : 0;
      }
    }
  }
  if (!any) return paths.size() == 1 ? "the spool holds no records" : "the spools hold no records";
  if (selected.empty()) return base::escape_control(logql::explain_selector(logs, all));
  if (in_range == 0) return explain_time(range, selected.oldest, selected.newest, now);
  if (compiled->expr().stages.empty()) return {};
  return explain_rest_in_spools(paths, compiled->expr(), range, tenant);
}

std::vector<std::string> explain_selectors_in_spools(std::span<const std::string> paths, std::span<const std::string> queries,
                                                     const WantedTenant& tenant) {
  std::vector<std::string> why(queries.size());
  std::unordered_set<const record::LabelSet*> known;
  std::vector<LabelSetRef> all;
  for (const std::string& path : paths) {
    auto reader = spool::Reader::open(path, kWait);
    if (!reader) return why;
    const auto blocks = (*reader)->list({});
    if (!blocks) return why;
    for (const spool::BlockInfo& block : *blocks) {
      const auto streams = (*reader)->streams(block.id);
      if (!streams) continue;
      for (const spool::StreamInfo& stream : *streams) {
        if (takes(tenant, stream.tenant) && known.insert(stream.labels.get()).second) all.push_back(stream.labels);
      }
    }
  }
  std::ranges::transform(queries, why.begin(), [&](const std::string& query) {
    return base::escape_control(logql::explain_selector(log_query_of(query), all));
  });
  return why;
}

std::string explain_no_values(const std::string& label, std::vector<std::string> names) {
  if (std::find(names.begin(), names.end(), label) != names.end()) return {};
  return base::escape_control(logql::explain_label(label, std::move(names)));
}

std::string nothing_in(const base::TimeRange& range) {
  return fmt::format("nothing between {} and {}", record::to_rfc3339(range.from), record::to_rfc3339(range.to));
}

}  // namespace weir::scan
