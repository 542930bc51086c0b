#include "ruler/rule_file.h"

#include "base/count.h"
#include "logql/metric_query.h"
#include "logql/parser.h"
#include "names/label_name.h"
#include "ruler/alert_template.h"
#include "ruler/map_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace weir::ruler {
namespace {

using base::Result;
using yaml::Node;
using yaml::Place;

constexpr std::size_t kMostRules = 10'000;

// What Prometheus takes for the name of a metric.
bool is_metric_name(std::string_view name) {
  const auto good = [](char c) { return names::is_name_byte(c) || c == ':'; };
  return !name.empty() && (name.front() < '0' || name.front() > '9') && std::ranges::all_of(name, good);
}

class Reader {
 public:
  explicit Reader(const FileText& file) : file_(file) { out_.name = file.name; }

  Result<RuleFile> read(const Node& root) {
    if (root.is_map() && root.find("groups") == nullptr && root.find("spec") != nullptr) {
      return file_.error(root.place, "this is an object of Kubernetes", "take what stands below `spec:` out of it");
    }
    // lokitool's files have a namespace beside the groups.
    MapReader map(file_, root, "a file of rules", {"groups", "namespace"});
    static_cast<void>(map.text("namespace"));
    std::set<std::string> names;
    for (const Node& node : map.list("groups")) {
      if (map.failed()) break;
      if (auto good = group(node, names); !good) map.fail(std::move(good).error());
    }
    if (map.failed()) return std::move(map).error();
    return std::move(out_);
  }

 private:
  Result<void> group(const Node& node, std::set<std::string>& names) {
    MapReader map(file_, node, "a group", {"name", "interval", "query_offset", "limit", "labels", "rules"});
    Group group;
    group.name = map.text("name");
    if (group.name.empty()) map.fail(node.place, "the group has no name", "add `name: NAME`");
    if (!names.insert(group.name).second)
      map.fail(map.place("name"), fmt::format("another group has the name '{}', too", group.name));
    group.interval = map.duration("interval");
    group.delay = map.duration("query_offset");
    group.limit = map.count("limit");
    const Pairs labels = map.pairs("labels");
    check_labels(map, labels, "labels");
    if (group.delay != 0) note(map.place("query_offset"), "query_offset");
    if (!labels.empty()) note(map.place("labels"), "the labels of a group");
    for (const Node& item : map.list("rules")) {
      if (map.failed()) break;
      if (auto good = rule(item, labels, group); !good) map.fail(std::move(good).error());
    }
    if (map.failed()) return std::move(map).error();
    out_.groups.push_back(std::move(group));
    return {};
  }

  Result<void> rule(const Node& node, const Pairs& group_labels, Group& group) {
    MapReader map(file_, node, "a rule", {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"});
    Rule rule;
    const std::string alert = map.text("alert"), record = map.text("record");
    if (map.failed()) return std::move(map).error();
    if (alert.empty() == record.empty()) {
      map.fail(node.place, alert.empty() ? "the rule has neither 'alert' nor 'record'" : "the rule has both 'alert' and 'record'",
               "`alert: NAME` makes an alert, `record: NAME` a recording rule");
    }
    rule.kind = alert.empty() ? Rule::Kind::record : Rule::Kind::alert;
    rule.name = alert.empty() ? record : alert;
    rule.place = map.place(alert.empty() ? "record" : "alert");
    rule.expr = map.text("expr");
    rule.hold = map.duration("for");
    rule.keep_firing = map.duration("keep_firing_for");
    rule.labels = map.pairs("labels");
    rule.annotations = map.pairs("annotations");
    check_labels(map, rule.labels, "labels");
    check_labels(map, rule.annotations, "annotations");
    if (rule.kind == Rule::Kind::record) {
      if (!is_metric_name(rule.name)) {
        map.fail(rule.place, fmt::format("'{}' is no name of a metric", rule.name), "take letters, digits, '_' and ':'");
      }
      for (const std::string_view key : {"for", "keep_firing_for", "annotations"}) {
        if (map.find(key) != nullptr) map.fail(map.place(key), fmt::format("a recording rule has no '{}'", key), "only alerts do");
      }
    } else {
      check_templates(map, rule);
    }
    if (map.failed()) return std::move(map).error();
    if (auto good = check_expression(map, rule); !good) return good;
    if (rule.keep_firing > 0) note(map.place("keep_firing_for"), "keep_firing_for");
    if (++rules_ > kMostRules) return file_.error(node.place, fmt::format("the file has more than {} rules", kMostRules));
    for (const auto& label : group_labels) {
      const auto same = [&](const auto& own) { return own.first == label.first; };
      if (std::ranges::none_of(rule.labels, same)) rule.labels.push_back(label);
    }
    std::ranges::sort(rule.labels);
    group.rules.push_back(std::move(rule));
    return {};
  }

  static void check_labels(MapReader& map, const Pairs& pairs, std::string_view key) {
    for (const auto& [name, value] : pairs) {
      if (names::is_label_name(name) && (name != "__name__" || key != "labels")) continue;
      const Node* const node = map.find(key);
      const auto entry = std::ranges::find(node->entries, name, &yaml::Entry::key);
      map.fail(entry->place, fmt::format("'{}' is no name for one of the {}", name, key), "take letters, digits and '_'");
    }
  }

  static void check_templates(MapReader& map, const Rule& rule) {
    for (const std::string_view key : {"labels", "annotations"}) {
      for (const auto& [name, text] : key == "labels" ? rule.labels : rule.annotations) {
        auto compiled = AlertTemplate::compile(text, rule.name);
        if (compiled) continue;
        const Node* const node = map.find(key);
        const auto entry = std::ranges::find(node->entries, name, &yaml::Entry::key);
        map.fail(entry->value.place, compiled.error().message, compiled.error().hint);
      }
    }
  }

  // The place is that of the value in the file. What stands in it is shown below, with a caret of its own.
  Result<void> check_expression(MapReader& map, const Rule& rule) const {
    if (rule.expr.empty()) return file_.error(map.place("expr"), "the rule has no 'expr'", "add `expr: LOGQL`");
    auto expr = logql::parse(rule.expr);
    std::optional<base::Error> wrong;
    if (!expr) {
      wrong = std::move(expr).error();
    } else if (expr->is_log()) {
      wrong = base::fail(base::Code::config, "a rule needs a metric query, and this is a log query")
                  .with_hint("count its lines: sum(count_over_time(… [5m])) > 0");
    } else if (auto compiled = logql::MetricQuery::compile(rule.expr, {}, true, {}); !compiled) {
      wrong = std::move(compiled).error();
    }
    if (!wrong) return {};
    const Place place = map.place("expr");
    wrong->message =
        fmt::format("{}:{}:{}: the expression of '{}': {}", file_.name, place.line, place.column, rule.name, wrong->message);
    wrong->text.clear();
    wrong->offset.reset();
    return *std::move(wrong);
  }

  void note(Place place, std::string_view what) {
    out_.notes.push_back(fmt::format("{}:{}:{}: Loki's ruler (3.7) ignores {}", file_.name, place.line, place.column, what));
  }

  const FileText& file_;
  RuleFile out_;
  std::size_t rules_ = 0;
};

}  // namespace

Result<RuleFile> read_rules(std::string_view text, std::string_view name) {
  auto document = yaml::parse(text, name, yaml::Content::open);
  if (!document) return std::move(document).error();
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const FileText file{text, name};
  if (document->has_more) {
    return file.error(document->root.place, "the file has more than one document, and Loki reads the first one only",
                      "put the groups of all of them below one `groups:`");
  }
  return Reader(file).read(document->root);
}

}  // namespace weir::ruler
