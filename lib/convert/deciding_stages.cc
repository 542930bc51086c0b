#include "convert/stage_reader.h"

#include "base/diagnostics.h"
#include "convert/words.h"
#include "gotext/regex.h"
#include "logql/ast.h"
#include "logql/parser.h"
#include "names/label_name.h"
#include "rules/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace weir::convert {
using logql::MatchOp;

namespace {

std::string without_zeros(double value) { return fmt::format("{}", value); }

}  // namespace

RuleLine StageReader::rule_at(const Spot& spot, int phase) {
  RuleLine rule;
  rule.line = spot.place.line;
  rule.path = spot.path;
  rule.phase = phase;
  return rule;
}

void StageReader::names_of(const Condition& condition, RuleLine& rule) {
  for (const logql::MatcherExpr& matcher : condition.matchers) rule.names.insert(matcher.name);
}

void StageReader::add_rule(std::string_view action, std::string_view argument, std::string_view rest, const Condition& condition,
                           const Spot& spot, RuleLine rule) {
  for (const logql::MatcherExpr& matcher : condition.matchers) {
    const auto fact = chain_.labels.find(matcher.name);
    if (fact != chain_.labels.end() && fact->second.unknown) {
      return report_.missing(spot, fmt::format("weir's records have no label '{}' by which this decides", matcher.name),
                             "see the findings before it");
    }
  }
  if (!condition.filters.empty()) {
    if (!uses_line(spot)) return;
    rule.reads_line = true;
  }
  if (rule.reads_line) {
    if (!uses_line(spot)) return;
  }
  rule.text = std::string(action);
  if (!argument.empty()) rule.text.append(" ").append(argument);
  rule.text.append(condition.text()).append(rest);
  names_of(condition, rule);
  if (auto good = rules::parse(rule.text, ""); !good) {
    return report_.missing(spot, fmt::format("weir reads no rule like this: {}", good.error().message),
                           "write one by hand: weir-rules(5)");
  }
  chain_.add_rule(std::move(rule));
}

void StageReader::match(const yaml::Node& value, const Spot& spot, const Condition& outer, std::size_t depth) {
  MapReader map(value, spot, report_);
  const std::string selector = map.text("selector");
  const std::string action = map.text("action", "keep");
  (void)map.take("pipeline_name");  // names a counter
  const auto reason = map.optional_text("drop_counter_reason");
  const yaml::Node* stages = map.take("stages");
  map.finish();
  if (selector.empty()) return report_.wrong(spot, "a match stage needs a selector");
  auto parsed = logql::parse(selector, {.selector_optional = true, .selector_must_match = false});
  if (!parsed) return report_.wrong(map.spot("selector"), parsed.error().message);
  const auto* log = std::get_if<logql::LogExpr>(&parsed->node);
  if (log == nullptr) return report_.wrong(map.spot("selector"), "a selector is a log query");
  Condition condition = outer;
  bool never = false;
  for (const logql::MatcherExpr& matcher : log->matchers) {
    switch (known(matcher)) {
      case Known::yes:
        break;
      case Known::no:
        never = true;
        break;
      case Known::open:
        condition.matchers.push_back(matcher);
        break;
    }
  }
  for (const logql::StageExpr& stage : log->stages) {
    const auto* filter = std::get_if<logql::LineFilterExpr>(&stage.node);
    if (filter == nullptr) return report_.wrong(map.spot("selector"), "a selector of Promtail has labels and line filters only");
    condition.filters.push_back(*filter);
  }
  if (action == "keep" && stages == nullptr) return report_.wrong(spot, "a match stage needs stages");
  if (never)
    return report_.note(
        spot, fmt::format("no record of the target at line {} has these labels, so this does nothing there", input_.line));
  if (action == "drop") {
    RuleLine rule = rule_at(spot, 2);
    add_rule(named(reason, "drop"), "", "", condition, spot, std::move(rule));
    return;
  }
  if (action != "keep") return report_.wrong(map.spot("action"), "the action of a match stage is keep or drop");
  Spot below = spot.key("stages");
  below.place = stages->place;
  const Condition before = std::exchange(current_, condition);
  run(*stages, below, condition, depth + 1);
  current_ = before;
}

StageReader::Known StageReader::known(const logql::MatcherExpr& matcher) const {
  const auto fact = chain_.labels.find(matcher.name);
  std::string value;
  if (fact == chain_.labels.end()) {
    if (chain_.open_labels) return Known::open;
  } else {
    if (!fact->second.constant || fact->second.unknown || !variables_of(*fact->second.constant).empty()) return Known::open;
    value = *fact->second.constant;
  }
  bool matches = value == matcher.value;
  if (matcher.op == MatchOp::regex || matcher.op == MatchOp::not_regex) {
    auto regex = gotext::Regex::compile(matcher.value, gotext::Regex::Mode::anchored_all);
    if (!regex) return Known::open;
    matches = regex->matches(value);
  }
  if (matcher.op == MatchOp::not_equal || matcher.op == MatchOp::not_regex) matches = !matches;
  return matches ? Known::yes : Known::no;
}

std::string StageReader::named(const std::optional<std::string>& reason, std::string_view action) {
  if (!reason || !rules::is_rule_name(*reason) || !rule_names_.insert(*reason).second) return std::string(action);
  return fmt::format("name {}: {}", *reason, action);
}

std::optional<std::string> StageReader::test(const std::string& source, std::string_view op, const std::string& value,
                                             const Spot& spot, RuleLine& rule) {
  const auto found = fields_.find(source);
  if (found == fields_.end()) {
    report_.note(spot, fmt::format("no stage gives a value '{}', so this drops nothing", base::escape_control(source)));
    return std::nullopt;
  }
  const Field& field = found->second;
  switch (field.kind) {
    case Field::Kind::parsed: {
      if (generations_[field.parser] != generation_ || pending_output_ || !line_lost_.empty()) {
        report_.missing(spot, fmt::format("the line from which '{}' comes was changed by then", base::escape_control(source)),
                        "move this stage before those that change the line");
        return std::nullopt;
      }
      rule.reads_line = true;
      const std::string parser = chain_.parsers[field.parser].text({field.name}, "f_");
      return fmt::format(" | {} | f_{}{}{}", parser, field.name, op, value);
    }
    case Field::Kind::label:
      rule.names.insert(field.name);
      return fmt::format(" | {}{}{}", field.name, op, value);
    case Field::Kind::line:
      rule.reads_line = true;
      return fmt::format(" | label_format f_line=`{{{{__line__}}}}` | f_line{}{}", op, value);
    case Field::Kind::constant:
    case Field::Kind::time:
    case Field::Kind::unknown:
      break;
  }
  report_.missing(spot,
                  fmt::format("weir cannot decide by the value '{}'{}{}", base::escape_control(source),
                              field.why.empty() ? "" : ": ", field.why),
                  "decide by the line, a field of it, or a label");
  return std::nullopt;
}

void StageReader::drop(const yaml::Node& value, const Spot& spot, const Condition& condition) {
  MapReader map(value, spot, report_);
  std::vector<std::string> sources;
  if (const yaml::Node* source = map.take("source"); source != nullptr)
    sources = texts_of(*source, map.spot("source"), report_, true);
  const auto expression = map.optional_text("expression"), constant = map.optional_text("value");
  const auto older = map.optional_text("older_than"), longer = map.optional_text("longer_than");
  const std::string separator = map.text("separator", ";");
  const auto reason = map.optional_text("drop_counter_reason");
  map.finish();
  if (sources.empty() && !expression && !older && !longer)
    return report_.wrong(spot, "a drop stage needs source, expression, older_than or longer_than");
  if (expression) {
    if (auto good = gotext::Regex::compile(*expression); !good) return report_.wrong(map.spot("expression"), good.error().message);
  }
  RuleLine rule = rule_at(spot, 2);
  std::string rest;
  if (sources.empty() && expression) {
    rest += " |~ " + logql_string(*expression);
    rule.reads_line = true;
  }
  if (longer) {
    const auto size = size_of(*longer);
    if (!size) return report_.wrong(map.spot("longer_than"), "there must be a size, such as 8kb");
    rest += fmt::format(" | label_format f_length=`{{{{ len __line__ }}}}` | f_length > {}", *size);
    rule.reads_line = true;
  }
  if (older) {
    const std::string age = duration_word(*older);
    if (age.empty()) return report_.wrong(map.spot("older_than"), "there must be a duration, such as 24h");
    rest += fmt::format(" | label_format f_age=`{{{{ sub (unixEpoch now) (unixEpoch __timestamp__) }}}}s` | f_age > {}", age);
    rule.reads_time = true;
  }
  if (!sources.empty() && !expression && !constant) {
    for (const std::string& source : sources) {
      const auto test_text = test(source, "!=", "\"\"", spot, rule);
      if (!test_text) return;
      rest += *test_text;
    }
  } else if (sources.size() > 1) {
    // The values are joined, without those that are missing.
    return report_.missing(spot,
                           fmt::format("weir does not join several values with '{}' to test them", base::escape_control(separator)),
                           "write one rule for the values: drop … | json a=\"…\", b=\"…\" | a=\"…\" | b=\"…\"");
  } else if (!sources.empty()) {
    const std::string op = constant ? "=" : "=~";
    const std::string tested = constant ? logql_string(*constant) : logql_string("^(?s:.*(?:" + *expression + ").*)$");
    const auto test_text = test(sources[0], op, tested, spot, rule);
    if (!test_text) return;
    rest += *test_text;
  }
  add_rule(named(reason, "drop"), "", rest, condition, spot, std::move(rule));
}

void StageReader::limit(const yaml::Node& value, const Spot& spot, const Condition& condition) {
  MapReader map(value, spot, report_);
  const auto rate = number_of(map.text("rate"));
  const auto burst = number_of(map.text("burst"));
  const bool drops = map.boolean("drop", false);
  const std::string by = map.text("by_label_name");
  (void)map.take("max_distinct_labels");
  map.finish();
  if (!rate || !burst || *rate <= 0 || *burst <= 0) return report_.wrong(spot, "a limit stage needs a rate and a burst");
  if (!drops) {
    return report_.missing(spot, "a limit of weir drops what exceeds it; it does not make the readers wait",
                           "leave it out: push does not send faster than Loki takes it. To drop: limit RATE/s burst N");
  }
  std::string argument = rate_word(*rate, *burst, spot);
  Condition own = condition;
  RuleLine rule = rule_at(spot, 3);
  if (!by.empty()) {
    if (!names::is_label_name(by)) return report_.wrong(spot, "by_label_name is no name of a label");
    argument += fmt::format(" by ({})", by);
    own.matchers.push_back({by, MatchOp::not_equal, ""});
  }
  add_rule("limit", argument, "", own, spot, std::move(rule));
}

std::string StageReader::rate_word(double rate, double burst, const Spot& spot) {
  constexpr std::array<std::pair<double, std::string_view>, 3> kUnits = {{{1, "s"}, {60, "m"}, {3600, "h"}}};
  double amount = std::max(1.0, std::round(rate * 3600));
  std::string_view unit = "h";
  for (const auto& [seconds, name] : kUnits) {
    if (rate * seconds >= 1 && std::abs(rate * seconds - std::round(rate * seconds)) < 1e-9) {
      amount = std::round(rate * seconds);
      unit = name;
      break;
    }
  }
  std::string what = "the limit counts in windows of the records' own time, not with a bucket of tokens";
  if (burst < amount) what += fmt::format("; a burst below the rate ({}) is the rate", without_zeros(burst));
  report_.note(spot, what);
  return fmt::format("{:.0f}/{} burst {:.0f}", amount, unit, std::max(amount, std::floor(burst)));
}

void StageReader::sampling(const yaml::Node& value, const Spot& spot, const Condition& condition) {
  MapReader map(value, spot, report_);
  const auto rate = number_of(map.text("rate", "0"));
  const auto reason = map.optional_text("drop_counter_reason");
  map.finish();
  if (!rate || *rate < 0 || *rate > 1) return report_.wrong(spot, "the rate of a sampling stage is a number from 0 to 1");
  if (*rate == 0) return add_rule(named(reason, "drop"), "", "", condition, spot, rule_at(spot, 2));
  if (*rate == 1) return;
  const double percent = std::max(0.0001, std::round(*rate * 1e6) / 1e4);
  report_.note(spot, "a hash of the record decides, not chance: the same records pass on every node and after a restart");
  add_rule(named(reason, "sample"), fmt::format("{}%", without_zeros(percent)), "", condition, spot, rule_at(spot, 3));
}

}  // namespace weir::convert
