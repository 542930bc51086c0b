#include "stages/unmatched.h"

#include "base/diagnostics.h"
#include "logql/parser.h"
#include "logql/printer.h"
#include "logql/selector_advice.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::stages {

using base::Timestamp;
using record::LabelSetRef;
using scan::first_log_query;
using scan::kRestOfTheQuery;

base::Result<std::optional<Timestamp>> newest_in_loki(loki::QueryClient& client, const std::string& query,
                                                      const base::TimeRange& window) {
  const auto parsed = logql::parse(query, {.selector_optional = true});
  const auto* log = parsed ? first_log_query(*parsed) : nullptr;
  if (log == nullptr || log->matchers.empty()) return std::optional<Timestamp>();
  record::Batch found;
  const std::string selector = logql::print_selector(log->matchers);
  const auto page = client.page({.query = selector, .window = window, .limit = 1, .direction = loki::Direction::backward}, found);
  if (!page) return page.error();
  return found.records.empty() ? std::optional<Timestamp>() : found.records.back().timestamp;
}

base::TimeRange reach_of_explanation(const base::TimeRange& window) {
  constexpr base::Duration kFarthest = 7 * 24 * base::kHour;
  return {std::max<Timestamp>(0, window.from - kFarthest), window.to};
}

std::string explain_nothing_in_loki(loki::QueryClient& client, const std::string& query, const base::TimeRange& window,
                                    Timestamp now) {
  const auto matchers = logql::matchers_apart(query);
  if (matchers.empty()) return {};
  // Whether the selector has records at all comes first: the labels of a window may lack what was there an hour before.
  const base::TimeRange far = reach_of_explanation(window);
  const auto parsed = logql::parse(query, {.selector_optional = true});
  const auto* log = parsed ? first_log_query(*parsed) : nullptr;
  const auto newest = newest_in_loki(client, query, far);
  if (!newest) return {};
  if (*newest) {
    if (**newest >= window.from) {
      if (log->stages.empty()) return {};
      record::Batch sample;
      const std::string selector = logql::print_selector(log->matchers);
      const auto page = client.page({.query = selector, .window = window, .limit = scan::kLooksAtRecords}, sample);
      return page ? scan::explain_rest(*log, sample) : std::string(kRestOfTheQuery);
    }
    return scan::explain_time(window, **newest, **newest, now);
  }
  const std::string& label = matchers.front().label;
  auto values = client.label_values(label, far, {});
  if (!values) return {};
  if (!values->empty()) {
    std::vector<LabelSetRef> there;
    for (const std::string& value : *values) there.push_back(record::LabelSet::intern({{label, value}}));
    return base::escape_control(logql::explain_selector(matchers.front().selector, there));
  }
  auto names = client.labels(far, {});
  return names && !names->empty() ? explain_no_values(label, std::move(*names)) : std::string();
}

std::string spools_in_words(std::span<const std::string> paths) {
  if (paths.empty()) return {};
  return paths.size() == 1 ? paths.front() : fmt::format("{} and {} more", paths.front(), paths.size() - 1);
}

}  // namespace weir::stages
