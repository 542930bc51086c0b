#include "convert/static_targets.h"

#include "base/diagnostics.h"
#include "convert/clients.h"
#include "convert/file_target.h"
#include "convert/words.h"
#include "rules/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::convert {
namespace {

// Targets that are read by one tail.
struct Group {
  Labels labels;
  std::string exclude;  // __path_exclude__, "" for none
  std::vector<std::string> globs;
  Spot spot, exclude_spot;
};

Labels read_labels(const yaml::Node& list, const Spot& spot, Report& report) {
  Labels labels;
  for (const yaml::Entry& entry : list.entries) {
    Spot at_label = spot.key(entry.key);
    at_label.place = entry.place;
    std::string value = with_variables(entry.value, at_label, report);
    if (!value.empty()) labels[entry.key] = std::move(value);
  }
  return labels;
}

// The rules in their order; false: they drop the target.
bool relabel(const std::vector<RelabelRule>& rules, Labels& labels, Report& report) {
  for (const RelabelRule& rule : rules) {
    if (rule.action == RelabelRule::Action::hash_mod)
      report.missing(rule.spot, "weir computes no hash of labels", "remove the rule");
    if (!apply(rule, labels)) return false;
  }
  return true;
}

// Nothing where Promtail reads nothing.
std::optional<Group> read_target(const yaml::Node& node, const Spot& own, const std::vector<RelabelRule>& rules, Report& report) {
  MapReader map(node, own, report);
  (void)map.take("targets");
  Labels labels;
  const yaml::Node* list = map.take("labels");
  if (list != nullptr) labels = read_labels(*list, map.spot("labels"), report);
  labels.emplace("__address__", "localhost");
  map.finish();
  if (!relabel(rules, labels, report)) {
    report.note(own, "the relabel rules drop this target, so Promtail reads nothing here");
    return std::nullopt;
  }
  const auto path = labels.find("__path__");
  if (path == labels.end()) {
    report.note(own, "the target has no __path__, so Promtail reads nothing here");
    return std::nullopt;
  }
  if (labels.contains("__host__"))
    report.note(own, "Promtail reads this on the host of the label __host__ only; the pipeline reads it wherever it runs");
  Group group;
  group.globs.push_back(path->second);
  if (const auto exclude = labels.find("__path_exclude__"); exclude != labels.end()) group.exclude = exclude->second;
  std::erase_if(labels, [](const auto& one) { return one.first.starts_with("__"); });
  group.labels = std::move(labels);
  group.spot = own;
  group.exclude_spot = list == nullptr ? own : map.spot("labels");
  report.exact(own);
  return group;
}

void leave_out(const Group& group, Chain& chain, Report& report) {
  RuleLine rule;
  rule.line = group.exclude_spot.place.line;
  rule.path = group.exclude_spot.path;
  rule.names.insert("filename");
  rule.text = fmt::format("drop {{filename=~{}}}", logql_string(glob_regex(group.exclude)));
  if (auto good = rules::parse(rule.text, ""); good) {
    chain.add_rule(std::move(rule));
  } else {
    report.missing(group.exclude_spot,
                   fmt::format("weir cannot leave out {}: {}", base::escape_control(group.exclude), good.error().message),
                   "write a rule: drop {filename=~\"…\"}");
  }
}

JobChain chain_of(const Group& group, const std::string& job, Report& report) {
  JobChain made{.job = job, .spot = group.spot};
  for (const std::string& glob : group.globs) {
    const TailPaths paths = tail_paths(glob);
    if (paths.bounded)
      report.note(group.spot, fmt::format("** stands for up to {} levels of folders", kMostLevels), "name deeper ones as PATH");
    for (const std::string& path : paths.paths) {
      if (std::ranges::find(made.chain.paths, path) == made.chain.paths.end()) made.chain.paths.push_back(path);
      if (may_name_pods(path)) made.given.insert({"namespace", "pod", "container", "stream"});
    }
  }
  for (const auto& [label, value] : group.labels) made.chain.set_constant(label, value);
  if (!group.exclude.empty()) leave_out(group, made.chain, report);
  return made;
}

}  // namespace

std::vector<JobChain> convert_static_targets(const yaml::Node& configs, const Spot& spot, const std::string& job,
                                             const std::vector<RelabelRule>& rules, Report& report) {
  std::vector<JobChain> chains;
  if (!configs.is_list()) {
    report.wrong(spot, "there must be a list of targets");
    return chains;
  }
  std::vector<Group> groups;
  for (std::size_t i = 0; i < configs.items.size() && !report.failed(); ++i) {
    Spot own = spot.index(i);
    own.place = configs.items[i].place;
    auto target = read_target(configs.items[i], own, rules, report);
    if (!target) continue;
    const auto same = [&](const Group& one) { return one.labels == target->labels && one.exclude == target->exclude; };
    if (const auto found = std::ranges::find_if(groups, same); found != groups.end()) {
      found->globs.push_back(std::move(target->globs.front()));
    } else {
      groups.push_back(*std::move(target));
    }
  }
  for (const RelabelRule& rule : rules) report.exact(rule.spot);
  for (const Group& group : groups) chains.push_back(chain_of(group, job, report));
  return chains;
}

}  // namespace weir::convert
