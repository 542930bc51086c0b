#include "convert/chain.h"

#include "convert/line_pattern.h"
#include "convert/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::convert {
namespace {

using Names = std::set<std::string, std::less<>>;

bool takes(const std::vector<EnrichStep::Take>& takes, std::string_view as) {
  return std::ranges::any_of(takes, [&](const EnrichStep::Take& take) { return take.as == as; });
}

// The parsers of a step, in the order of the source.
std::set<std::size_t> parsers_of(const EnrichStep& step) {
  std::set<std::size_t> used;
  for (const auto* list : {&step.to_labels, &step.to_metadata}) {
    for (const EnrichStep::Take& take : *list) used.insert(take.parser);
  }
  if (step.time) used.insert(step.time->parser);
  return used;
}

bool changes_line(const FilterStep& step) {
  return std::ranges::any_of(step.rules, [](const RuleLine& rule) { return rule.phase == 1; });
}

}  // namespace

bool LineParser::has(std::string_view field) const {
  if (kind != Kind::regexp) return fields.contains(field);
  const auto names = group_names(regex);
  return std::ranges::find(names, field) != names.end();
}

std::vector<std::string> LineParser::names() const {
  std::vector<std::string> all;
  if (kind == Kind::regexp) {
    all = group_names(regex);
    std::erase(all, std::string());
  }
  for (const auto& [name, expression] : fields) all.push_back(name);
  return all;
}

std::string LineParser::text(const Names& needed, std::string_view prefix) const {
  if (kind == Kind::regexp) {
    return "regexp " + logql_string(prefix.empty() ? regex : prefix_groups(regex, prefix));
  }
  std::string out = kind == Kind::json ? "json" : "logfmt";
  const char* between = " ";
  for (const std::string& field : needed) {
    const auto found = fields.find(field);
    if (found == fields.end()) continue;
    out.append(between).append(prefix).append(field).append("=").append(logql_string(found->second));
    between = ", ";
  }
  return out;
}

std::size_t Chain::filters() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(steps_, [](const auto& step) { return std::holds_alternative<FilterStep>(step); }));
}

bool Chain::fits(const EnrichStep& step, std::string_view label, std::size_t parser, bool takes_time) const {
  if (step.keep_labels) return false;
  if (takes_time && step.time) return false;
  if (!label.empty()) {
    const auto constant = [&](const auto& one) { return one.first == label; };
    if (std::ranges::any_of(step.labels, constant) || step.pod_labels.contains(label)) return false;
    if (step.tenant_from == label) return false;
  }
  // Two parsers may not have a field of one name: LogQL would call the second one NAME_extracted.
  for (const std::size_t other : parsers_of(step)) {
    if (other == parser) continue;
    for (const std::string& name : parsers[parser].names()) {
      if (parsers[other].has(name)) return false;
    }
  }
  return true;
}

EnrichStep& Chain::last_enrich() {
  if (auto* step = std::get_if<EnrichStep>(&steps_.back()); step != nullptr && !step->keep_labels) return *step;
  return std::get<EnrichStep>(steps_.emplace_back(EnrichStep()));
}

EnrichStep& Chain::enrich_for(std::string_view label, std::size_t parser, bool takes_time) {
  // Back to where the line was changed, or to a filter that would see the difference.
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    if (auto* enrich = std::get_if<EnrichStep>(&*step)) {
      if (fits(*enrich, label, parser, takes_time)) return *enrich;
      break;
    }
    const auto& filter = std::get<FilterStep>(*step);
    const bool sees = std::ranges::any_of(filter.rules, [&](const RuleLine& rule) {
      return (takes_time && rule.reads_time) || (!label.empty() && rule.names.contains(label));
    });
    if (sees || changes_line(filter)) break;
  }
  return std::get<EnrichStep>(steps_.emplace_back(EnrichStep()));
}

void Chain::set_constant(std::string_view name, std::string_view value) {
  LabelFact& fact = labels[std::string(name)];
  fact = {std::string(value), true, false};
  EnrichStep* step = nullptr;
  // As above: a constant may be set earlier where no rule sees it.
  for (auto one = steps_.rbegin(); one != steps_.rend() && step == nullptr; ++one) {
    if (auto* enrich = std::get_if<EnrichStep>(&*one)) {
      step = enrich->keep_labels ? nullptr : enrich;
      break;
    }
    const auto& rules = std::get<FilterStep>(*one).rules;
    if (std::ranges::any_of(rules, [&](const RuleLine& rule) { return rule.names.contains(name); })) break;
  }
  if (step == nullptr) step = &std::get<EnrichStep>(steps_.emplace_back(EnrichStep()));
  const auto found = std::ranges::find(step->labels, name, &std::pair<std::string, std::string>::first);
  if (found != step->labels.end()) {
    found->second = value;
  } else {
    step->labels.emplace_back(name, value);
  }
  std::erase_if(step->to_labels, [&](const EnrichStep::Take& take) { return take.as == name; });
}

void Chain::take_label(std::size_t parser, std::string_view field, std::string_view label) {
  EnrichStep& step = enrich_for(label, parser, false);
  std::erase_if(step.to_labels, [&](const EnrichStep::Take& take) { return take.as == label; });
  step.to_labels.push_back({parser, std::string(field), std::string(label)});
  LabelFact& fact = labels[std::string(label)];
  fact.constant.reset();
  fact.unknown = false;
}

void Chain::take_metadata(std::size_t parser, std::string_view field, std::string_view key) {
  EnrichStep& step = enrich_for({}, parser, false);
  if (takes(step.to_metadata, key)) return;
  step.to_metadata.push_back({parser, std::string(field), std::string(key)});
}

void Chain::take_time(std::size_t parser, std::string_view field, std::string_view format) {
  enrich_for({}, parser, true).time = EnrichStep::Take{parser, std::string(field), std::string(format)};
}

void Chain::take_tenant(std::string_view label_or_metadata) { last_enrich().tenant_from = label_or_metadata; }

void Chain::add_rule(RuleLine rule) {
  auto* filter = std::get_if<FilterStep>(&steps_.back());
  if (filter != nullptr) {
    const bool reorders = std::ranges::any_of(filter->rules, [&](const RuleLine& one) {
      return (rule.phase == 1 && one.phase > 1 && one.reads_line) || (rule.phase == 2 && one.phase > 2);
    });
    if (reorders) filter = nullptr;
  }
  if (filter == nullptr) filter = &std::get<FilterStep>(steps_.emplace_back(FilterStep()));
  filter->rules.push_back(std::move(rule));
}

void Chain::drop_label(std::string_view name) {
  if (const auto found = labels.find(name); found != labels.end()) labels.erase(found);
  // What no rule has seen need not be made.
  auto* step = std::get_if<EnrichStep>(&steps_.back());
  if (step == nullptr || step->tenant_from == name) return;
  std::erase_if(step->labels, [&](const auto& one) { return one.first == name; });
  std::erase_if(step->to_labels, [&](const EnrichStep::Take& take) { return take.as == name; });
}

void Chain::finish(const Names& given) {
  Names made = given;
  for (const auto& step : steps_) {
    const auto* enrich = std::get_if<EnrichStep>(&step);
    if (enrich == nullptr) continue;
    for (const auto& [name, value] : enrich->labels) made.insert(name);
    for (const EnrichStep::Take& take : enrich->to_labels) made.insert(take.as);
    made.insert(enrich->pod_labels.begin(), enrich->pod_labels.end());
  }
  const bool too_many = std::ranges::any_of(made, [&](const std::string& name) { return !labels.contains(name); });
  if (!too_many || labels.empty()) return;
  std::vector<std::string> keep;
  for (const auto& [name, fact] : labels) {
    if (!fact.unknown) keep.push_back(name);
  }
  if (keep.empty()) return;
  // As early as no rule sees the difference.
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    if (auto* enrich = std::get_if<EnrichStep>(&*step)) {
      enrich->keep_labels = std::move(keep);
      return;
    }
    const auto& rules = std::get<FilterStep>(*step).rules;
    const auto sees = [&](const RuleLine& rule) {
      return std::ranges::any_of(rule.names,
                                 [&](const std::string& name) { return made.contains(name) && !labels.contains(name); });
    };
    if (std::ranges::any_of(rules, sees)) break;
  }
  last_enrich().keep_labels = std::move(keep);
}

std::vector<OptionWord> Chain::words(const EnrichStep& step) const {
  std::vector<OptionWord> words = step.options;
  std::map<std::size_t, Names> needed;
  for (const auto* list : {&step.to_labels, &step.to_metadata}) {
    for (const EnrichStep::Take& take : *list) needed[take.parser].insert(take.field);
  }
  if (step.time) needed[step.time->parser].insert(step.time->field);
  std::string parse;
  for (const auto& [parser, fields] : needed) {
    if (!parse.empty()) parse += " | ";
    parse += parsers[parser].text(fields);
  }
  if (!parse.empty()) words.push_back({"--parse", parse});
  const auto renamed = [](const EnrichStep::Take& take) {
    return take.as == take.field ? take.field : fmt::format("{}={}", take.field, take.as);
  };
  if (step.time) {
    words.push_back({"--timestamp-from", step.time->field});
    if (step.time->as != "rfc3339") words.push_back({"", step.time->as});
  }
  for (const EnrichStep::Take& take : step.to_labels) words.push_back({"--to-label", renamed(take)});
  for (const EnrichStep::Take& take : step.to_metadata) words.push_back({"--to-metadata", renamed(take)});
  for (const auto& [name, value] : step.labels) words.push_back({"--label", fmt::format("{}={}", name, value)});
  if (!step.tenant_from.empty()) words.push_back({"--tenant-from", step.tenant_from});
  if (step.keep_labels) words.push_back({"--keep-labels", fmt::format("{}", fmt::join(*step.keep_labels, ","))});
  return words;
}

}  // namespace weir::convert
