#include "scan/missing_name.h"

#include "base/count.h"
#include "base/suggestion.h"
#include "logql/log_query.h"
#include "logql/printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

namespace weir::scan {
namespace {

using logql::LabelFilterExpr;
using logql::LogExpr;
using logql::StageExpr;
using record::Batch;

using Names = std::set<std::string, std::less<>>;

bool is_filter(const StageExpr& stage) {
  return std::holds_alternative<LabelFilterExpr>(stage.node) || std::holds_alternative<logql::LineFilterExpr>(stage.node);
}

// What the records have behind these stages, and how many of them have anything of their line.
struct Found {
  Names names;
  std::size_t parsed = 0;
};

std::optional<Found> run(LogExpr query, Batch& sample) {
  query.matchers.clear();
  auto compiled = logql::LogQuery::compile(std::move(query), {});
  if (!compiled) return std::nullopt;
  Found found;
  for (record::Record& record : sample.records) {
    logql::LogQuery::Entry entry;
    if (!compiled->run(record, sample, entry)) continue;
    for (const auto& labels : {entry.labels, entry.metadata, entry.parsed}) {
      for (const record::Label& label : labels) found.names.emplace(label.name);
    }
    if (!entry.errored && !entry.parsed.empty()) ++found.parsed;
  }
  return found;
}

void add_names(const LabelFilterExpr& filter, std::vector<std::string>& names) {
  for (const LabelFilterExpr& leg : filter.legs) add_names(leg, names);
  if (filter.legs.empty()) names.push_back(filter.matcher.name);
}

// `status == 500 or code == 500`: one of the names is enough.
bool lacks_all(const std::vector<std::string>& names, const Names& there) {
  return std::ranges::none_of(names, [&](const std::string& name) { return name.starts_with("__") || there.contains(name); });
}

std::string near_to(std::string_view name, const Names& there) {
  const std::vector<std::string> known(there.begin(), there.end());
  const std::string_view nearest = base::nearest(name, known);
  return nearest.empty() ? std::string() : fmt::format("; did you mean '{}'?", nearest);
}

// The parser that would find `name`, or at least something in most lines.
std::string explain_parsers(const std::string& name, const LogExpr& before, const StageExpr& filter, Batch& sample) {
  for (const auto& [parser, lines] : {std::pair<StageExpr, std::string_view>{{logql::JsonExpr()}, "JSON"},
                                      std::pair<StageExpr, std::string_view>{{logql::LogfmtExpr()}, "logfmt"}}) {
    LogExpr with = before;
    with.stages.push_back(parser);
    const auto found = run(std::move(with), sample);
    if (!found || found->parsed * 2 <= sample.records.size()) continue;
    if (found->names.contains(name)) {
      return fmt::format("; the lines are {} and have it: add `{}` before `{}`", lines, logql::print(parser), logql::print(filter));
    }
    return fmt::format("; the lines are {} (`{}`), but have no field '{}' either{}", lines, logql::print(parser), name,
                       near_to(name, found->names));
  }
  return {};
}

}  // namespace

std::string explain_missing_name(const LogExpr& query, Batch& sample, bool all) {
  if (sample.records.empty()) return {};
  LogExpr before;  // the stages in front that are no filters
  bool parses = false;
  for (const StageExpr& stage : query.stages) {
    if (!is_filter(stage)) {
      parses = parses || !std::holds_alternative<logql::DecolorizeExpr>(stage.node);
      before.stages.push_back(stage);
      continue;
    }
    const auto* filter = std::get_if<LabelFilterExpr>(&stage.node);
    if (filter == nullptr) continue;
    std::vector<std::string> names;
    add_names(*filter, names);
    const auto found = run(before, sample);
    if (!found || !lacks_all(names, found->names)) continue;
    const std::string& name = names.front();
    const std::string who = all ? "no record has" : fmt::format("none of {} has", base::count_of(sample.records.size(), "record"));
    const std::string near = near_to(name, found->names);
    return fmt::format("{} a label or metadata '{}'{}{}", who, name, parses ? " at this stage of the query" : "",
                       !near.empty() ? near : explain_parsers(name, before, stage, sample));
  }
  return {};
}

}  // namespace weir::scan
