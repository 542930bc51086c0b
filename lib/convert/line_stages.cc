#include "convert/stage_reader.h"

#include "base/diagnostics.h"
#include "convert/words.h"
#include "gotext/regex.h"
#include "rules/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace weir::convert {
namespace {

// What a terminal takes for a command: colours and the like.
constexpr std::string_view kEscapes = R"(\x1b\[[0-?]*[ -/]*[@-~])";

constexpr double kMostLines = 1e6;  // of tail --multiline-lines

}  // namespace

void StageReader::runtime(const std::string& name, const yaml::Node& value, const Spot& spot, const Condition& condition) {
  if (!input_.from_files)
    return report_.missing(spot, "lines of the journal are in no format of a container runtime", "remove the stage");
  if (!condition.always() || !format_.empty() || !chain_.parsers.empty() || chain_.filters() > filters_before_ ||
      !multiline_.empty()) {
    line_lost(spot);
    return report_.missing(spot, fmt::format("tail takes the format {} off all lines, before anything else", name),
                           "put the stage first, and logs of another format into a job of their own");
  }
  format_ = name;
  chain_.tail.push_back({"--format", name});
  chain_.labels["stream"] = {std::nullopt, false, false};
  fields_["stream"] = {Field::Kind::label, 0, "stream", {}, false};
  fields_[name == "cri" ? "time" : "timestamp"] = {Field::Kind::time, 0, {}, {}, true};
  fields_[name == "cri" ? "content" : "output"] = {Field::Kind::line, 0, {}, {}, true};
  if (name == "cri") {
    extract("flags", {Field::Kind::unknown, 0, {}, "weir joins the parts of a line and keeps no flags", false});
    MapReader map(value, spot, report_);
    (void)map.take("max_partial_lines");
    const bool cuts = map.boolean("max_partial_line_size_truncate", false);
    const auto size = map.optional_text("max_partial_line_size");
    map.finish();
    if (cuts && size) {
      const auto bytes = size_of(*size);
      if (!bytes) return report_.wrong(map.spot("max_partial_line_size"), "there must be a size, such as 256kb");
      if (*bytes > 0) {
        chain_.tail.push_back({"--max-line", std::to_string(std::clamp<std::uint64_t>(*bytes, kLeastLine, kMostLine))});
        report_.note(map.spot("max_partial_line_size"),
                     "tail splits a longer line into pieces, and loses nothing of it; Promtail cuts it off");
      }
    }
  }
}

void StageReader::multiline(const yaml::Node& value, const Spot& spot, const Condition& condition) {
  MapReader map(value, spot, report_);
  const std::string first = map.text("firstline");
  const std::string lines = map.text("max_lines", "128");
  const std::string wait = duration_word(map.text("max_wait_time", "3s"));
  map.finish();
  auto regex = gotext::Regex::compile(first);
  if (first.empty() || !regex)
    return report_.wrong(map.spot("firstline"), first.empty() ? "a multiline stage needs firstline" : regex.error().message);
  if (wait.empty()) return report_.wrong(map.spot("max_wait_time"), "there must be a duration, such as 3s");
  if (!number_of(lines)) return report_.wrong(map.spot("max_lines"), "there must be a number");
  if (!input_.from_files)
    return report_.missing(spot, "weir joins lines of files, not entries of the journal",
                           "an entry of the journal may have several lines itself");
  if (!condition.always() || !multiline_.empty() || !chain_.parsers.empty() || chain_.filters() > filters_before_ ||
      !line_lost_.empty()) {
    line_lost(spot);
    return report_.missing(spot, "tail joins lines before anything else, and those of all logs that it reads",
                           "put the stage first or behind cri or docker, and logs with other lines into a job of their own");
  }
  multiline_ = first;
  // A word alone would be a language, as in --multiline java.
  const bool is_word = std::ranges::all_of(first, [](unsigned char c) { return std::isalpha(c) != 0; });
  const double most = std::clamp(*number_of(lines), 0.0, kMostLines);
  if (most >= 1 && most < 2)
    report_.missing(map.spot("max_lines"), "tail joins at least two lines", "leave the stage out: it joins nothing");
  chain_.tail.push_back({"--multiline", is_word ? "(?:" + first + ")" : first});
  chain_.tail.push_back({"--multiline-lines", fmt::format("{:.0f}", most < 1 ? kMostLines : std::max(most, 2.0))});
  chain_.tail.push_back({"--multiline-wait", is_zero(wait) ? "1ms" : wait});
  report_.note(
      spot,
      "lines of stdout and of stderr are never joined; lines in front of the first one that firstline matches become one record");
}

void StageReader::replace(const yaml::Node& value, const Spot& spot, const Condition& condition) {
  MapReader map(value, spot, report_);
  const std::string expression = map.text("expression");
  const std::string text = map.text("replace");
  const auto source = map.optional_text("source");
  map.finish();
  auto regex = gotext::Regex::compile(expression);
  if (expression.empty() || !regex) {
    return report_.wrong(map.spot("expression"),
                         expression.empty() ? "a replace stage needs an expression" : regex.error().message);
  }
  if (source) {
    const auto found = fields_.find(*source);
    if (found == fields_.end() || found->second.kind != Field::Kind::line) {
      lose_fields({*source}, spot);
      return report_.missing(spot, fmt::format("weir replaces in lines, not in the value '{}'", base::escape_control(*source)),
                             "a redact rule changes the line, labels and metadata");
    }
  }
  if (!uses_line(spot)) return;
  std::vector<std::string> names = group_names(expression);
  std::erase(names, std::string());
  lose_fields(names, spot);
  if (group_names(expression).empty())
    return report_.note(spot, "Promtail replaces what groups hold, and there is none, so this does nothing");
  const auto lose = [&](std::string what, std::string advice) {
    line_lost(spot);
    report_.missing(spot, std::move(what), std::move(advice));
  };
  if (!condition.filters.empty())
    return lose("a rule that changes lines selects them by labels, not by what they hold", "select by labels");
  const auto made = replace_groups(expression, text);
  if (!made) {
    return lose("weir replaces by a text and {{ .Value }}, in groups that stand in no alternative and are not repeated",
                "write a rule: redact `PATTERN` with `TEXT`");
  }
  add_redaction(*made, condition, spot);
}

void StageReader::add_redaction(const Redaction& made, const Condition& condition, const Spot& spot) {
  RuleLine rule = rule_at(spot, 1);
  rule.text = fmt::format("redact {} with {}{}", logql_string(made.pattern), logql_string(made.replacement), condition.text());
  names_of(condition, rule);
  if (auto good = rules::parse(rule.text, ""); !good) {
    line_lost(spot);
    return report_.missing(spot, fmt::format("weir reads no rule like this: {}", good.error().message),
                           "write one by hand: weir-rules(5)");
  }
  report_.note(spot, "the rule also replaces in values of labels and metadata");
  flush_output();
  chain_.add_rule(std::move(rule));
  ++generation_;
}

void StageReader::decolorize(const Spot& spot, const Condition& condition) {
  if (!uses_line(spot)) return;
  if (!condition.filters.empty()) {
    line_lost(spot);
    return report_.missing(spot, "a rule that changes lines selects them by labels, not by what they hold", "select by labels");
  }
  add_redaction({std::string(kEscapes), {}}, condition, spot);
}

}  // namespace weir::convert
