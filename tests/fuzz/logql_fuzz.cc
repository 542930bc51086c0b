// LogQL: a query that parses prints as one that parses to the same tree; both ways of asking a log query agree; a metric query over
// a few records gives a bounded answer in order. The query ends at a zero byte; what follows is the line that it is asked about.
#include "fuzz/fuzz.h"
#include "logql/lexer.h"
#include "logql/log_query.h"
#include "logql/metric_query.h"
#include "logql/parser.h"
#include "logql/printer.h"
#include "record/record.h"

#include <algorithm>
#include <string>

namespace {

using namespace weir;

// Printing writes a row of `or` as nested parentheses, and the parser bounds how deep they are.
void prints_as_itself(const logql::Expr& expr) {
  const std::string printed = logql::print(expr);
  if (printed.size() >= logql::kMaxQueryBytes || std::ranges::count(printed, '(') >= 100) return;
  auto again = logql::parse_expr(printed, {.selector_optional = true});
  WEIR_HOLDS(std::holds_alternative<logql::Expr>(again));
  WEIR_HOLDS(std::get<logql::Expr>(again) == expr);
}

void evaluate(const logql::Expr& expr, std::string_view query, std::string_view line) {
  constexpr std::size_t kSeries = 100;
  const logql::MetricTimes times = {100 * base::kSecond, 200 * base::kSecond, 10 * base::kSecond};
  for (const bool instant : {false, true}) {
    auto metric = logql::MetricQuery::compile(query, times, instant, {.series = kSeries, .memory = 1 << 20});
    if (!metric) return;
    if (!instant) prints_as_itself(expr);
    record::Batch batch;
    for (int i = 0; i < 12; ++i) {
      batch.clear();
      record::Record record;
      record.timestamp = (90 + 10 * i) * base::kSecond + i % 3;
      record.labels = batch.hold(record::LabelSet::intern({{"app", i % 2 == 0 ? "x" : "y"}, {"pod", "p"}}));
      const record::Label metadata[] = {{"n", i % 4 == 0 ? "7" : "1.5"}, {"took", "20ms"}};
      record.metadata = metadata;
      record.line = record::Text::bytes(i % 5 == 4 ? std::string_view("n=3 app=z") : line);
      if ((*metric)->selects(*record.labels) && !(*metric)->add(record, batch)) return;
    }
    const auto answer = (*metric)->finish();
    if (!answer) return;
    WEIR_HOLDS(answer->series.size() <= kSeries);
    for (const auto& series : answer->series) {
      WEIR_HOLDS(!series.points.empty());
      for (const logql::MetricPoint& point : series.points) WEIR_HOLDS(point.time >= times.start && point.time <= times.end);
      WEIR_HOLDS(std::ranges::is_sorted(series.points, {}, &logql::MetricPoint::time));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 8 << 10) return 0;  // the regular expressions of longer ones take all the time
  const std::string_view input = fuzz::text_of(data, size);
  const std::string_view query = input.substr(0, input.find('\0'));
  const std::string_view line = input.substr(std::min(query.size() + 1, input.size()));
  const logql::ParserOptions options = {.selector_optional = true};
  auto parsed = logql::parse_expr(query, options);
  if (const auto* error = std::get_if<logql::ParseError>(&parsed)) {
    WEIR_HOLDS(!error->message.empty() && error->offset <= query.size());
    (void)logql::parse(query, options).error();  // with its advice
    return 0;
  }
  const auto& expr = std::get<logql::Expr>(parsed);
  // Compiling finds out whether the expressions of json and logfmt can be read; one that cannot (`| logfmt!`) has no printed form.
  if (!expr.is_log()) {
    evaluate(expr, query, line);
    return 0;
  }
  auto compiled = logql::LogQuery::compile(query, {.selector_optional = true});
  if (!compiled) return 0;
  prints_as_itself(expr);
  record::Batch batch;
  record::Record& record = batch.records.emplace_back();
  record.timestamp = 1'760'000'000 * base::kSecond;
  record.labels = batch.hold(record::LabelSet::intern({{"app", "x"}, {"namespace", "shop"}}));
  const record::Label metadata[] = {{"trace_id", "1"}, {"a.b", "2"}};
  record.metadata = metadata;
  record.line = record::Text::bytes(batch.copy(line));
  const bool matches = compiled->matches(record, batch);
  logql::LogQuery::Entry entry;
  WEIR_HOLDS(compiled->run(record, batch, entry) == matches);
  if (matches) {
    for (const auto& group : compiled->needles()) {
      WEIR_HOLDS(std::any_of(group.begin(), group.end(), [&](const auto& needle) { return line.find(needle) != line.npos; }));
    }
    WEIR_HOLDS(entry.line.size() <= 64 << 20);
    if (compiled->shows_unchanged(record)) WEIR_HOLDS(entry.line == line);
  }
  return 0;
}
