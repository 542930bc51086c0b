#include "stages/query.h"

#include "logql/parser.h"
#include "stages/loki_answer.h"
#include "stages/metric_answer.h"
#include "stages/spool_answer.h"

namespace weir::stages {
namespace {

// A number alone is a mistake more often than a metric query: somebody meant to search for it.
bool is_metric_query(const QuerySpec& spec) {
  if (spec.what != QuerySpec::What::records) return false;
  const auto parsed = logql::parse(spec.logql, {.selector_optional = true});
  if (!parsed || parsed->is_log()) return false;
  return !std::holds_alternative<logql::Literal>(parsed->node) || spec.logql.find_first_not_of(" 0123456789.") != std::string::npos;
}

}  // namespace

base::Result<std::unique_ptr<pipeline::Source>> make_query(const QuerySpec& spec, const pipeline::Context& context) {
  if (spec.spools.empty()) return make_loki_answer(spec, context);
  return is_metric_query(spec) ? make_spool_metric(spec, context) : make_spool_answer(spec, context);
}

}  // namespace weir::stages
