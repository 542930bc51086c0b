#include "stages/query.h"

#include "logql/parser.h"
#include "stages/format_answer.h"
#include "stages/input_answer.h"
#include "stages/loki_answer.h"
#include "stages/merged_answer.h"
#include "stages/merged_metric.h"
#include "stages/metric_answer.h"
#include "stages/spool_answer.h"
#include "stages/summary_answer.h"

#include <algorithm>

namespace weir::stages {
namespace {

using base::Code;
using base::fail;
using What = QuerySpec::What;

// A number alone is a mistake more often than a metric query: somebody meant to search for it.
bool is_metric_query(const QuerySpec& spec) {
  if (spec.what != What::records) return false;
  const auto parsed = logql::parse(spec.logql, {.selector_optional = true});
  if (!parsed || parsed->is_log()) return false;
  return !std::holds_alternative<logql::Literal>(parsed->node) ||
         spec.logql.find_first_not_of(" 0123456789.") != std::string::npos || spec.instant;
}

bool is_log_query(const QuerySpec& spec) {
  const auto parsed = logql::parse(spec.logql, {.selector_optional = true});
  return parsed && parsed->is_log();
}

}  // namespace

bool LabelChoice::takes(std::string_view name) const {
  if (none || std::find(exclude.begin(), exclude.end(), name) != exclude.end()) return false;
  return include.empty() || std::find(include.begin(), include.end(), name) != include.end();
}

base::Result<std::unique_ptr<pipeline::Source>> make_query(const QuerySpec& spec, const pipeline::Context& context) {
  if (spec.instant && spec.what == What::records && is_log_query(spec)) {  // Loki's words
    return fail(Code::config,
                "log queries are not supported as an instant query type, please change your query to a range query type")
        .with_hint("leave --instant out, or count the records: count_over_time({…}[5m])");
  }
  if (spec.what == What::format) return make_format_answer(spec, context);
  if (spec.input) return make_input_answer(spec, make_query, context);
  if (spec.what > What::series) return make_summary_answer(spec, context);
  if (!spec.with_spool.empty()) {
    return is_metric_query(spec) ? make_merged_metric(spec, context) : make_merged_answer(spec, context);
  }
  if (spec.spools.empty()) return make_loki_answer(spec, context);
  return is_metric_query(spec) ? make_spool_metric(spec, context) : make_spool_answer(spec, context);
}

base::Result<std::unique_ptr<scan::SpoolScan>> open_scan(const QuerySpec& spec, const std::string& logql,
                                                         const base::TimeRange& range, const scan::Damage& damage) {
  auto scan = scan::SpoolScan::open(spec.spools, logql, range, damage);
  if (!scan) return scan;
  (*scan)->set_limits(spec.scan);
  (*scan)->take_tenant(spec.tenant);
  return scan;
}

}  // namespace weir::stages
