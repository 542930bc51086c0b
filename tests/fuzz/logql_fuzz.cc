// LogQL: a query that parses prints as one that parses to the same tree, and both ways of asking it agree. The query ends at a zero
// byte; what follows is the line that it is asked about.
#include "fuzz/fuzz.h"
#include "logql/lexer.h"
#include "logql/log_query.h"
#include "logql/parser.h"
#include "logql/printer.h"
#include "record/record.h"

#include <algorithm>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
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
  if (!expr.is_log()) return 0;
  auto compiled = logql::LogQuery::compile(query, {.selector_optional = true});
  if (!compiled) return 0;
  const std::string printed = logql::print(expr);
  auto again = logql::parse_expr(printed, options);
  // Printing writes a row of `or` as nested parentheses, and the parser bounds how deep they are.
  if (printed.size() < logql::kMaxQueryBytes && std::ranges::count(printed, '(') < 100) {
    WEIR_HOLDS(std::holds_alternative<logql::Expr>(again));
    WEIR_HOLDS(std::get<logql::Expr>(again) == expr);
  }
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
