#include "convert/pod_targets.h"

#include "convert/kubernetes_names.h"
#include "convert/pod_samples.h"
#include "convert/words.h"
#include "kube/pod.h"
#include "names/label_name.h"
#include "rules/parser.h"
#include "stages/pod_labels.h"
#include "tail/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace weir::convert {
namespace {

using Names = std::set<std::string, std::less<>>;
using Action = RelabelRule::Action;

std::string value_of(const Labels& labels, std::string_view name) {
  const auto found = labels.find(name);
  return found == labels.end() ? std::string() : found->second;
}

// The labels of a record of the sample behind `enrich --kubernetes api` with a scheme.
Labels labels_by(stages::PodScheme scheme, const PodSample& sample) {
  Labels labels = {{"namespace", sample.pod.namespace_name}, {"pod", sample.pod.name}, {"container", sample.container}};
  kube::Pod pod = sample.pod;
  if (sample.is_static) pod.uid = sample.path_uid;
  for (const auto& given : stages::PodLabels({.scheme = scheme}, std::string(kNode)).labels_of(pod, sample.container)) {
    if (given.replaces || !labels.contains(given.name)) labels.insert_or_assign(given.name, given.value);
  }
  return labels;
}

bool matches_path(std::string_view pattern, std::string_view path) {
  while (true) {
    const std::size_t a = pattern.find('/'), b = path.find('/');
    if ((a == std::string_view::npos) != (b == std::string_view::npos)) return false;
    if (!tail::matches_glob(std::string(pattern.substr(0, a)), path.substr(0, b))) return false;
    if (a == std::string_view::npos) return true;
    pattern.remove_prefix(a + 1);
    path.remove_prefix(b + 1);
  }
}

class PodConversion {
 public:
  PodConversion(const PodJob& job, Chain& chain, Report& report)
      : job_(job), chain_(chain), report_(report), samples_(job.rules), said_(job.rules.size(), false) {}

  Names run() {
    walk();
    explain();
    choose();
    emit_labels();
    judge();
    find_paths();
    for (std::size_t i = 0; i < job_.rules.size(); ++i) {
      if (!said_[i]) report_.exact(job_.rules[i].spot);
    }
    return given_;
  }

 private:
  // How a label comes about in weir.
  struct Way {
    enum class Kind : std::uint8_t { none, tail, constant, scheme, names } kind = Kind::none;
    std::string constant;
    std::vector<std::string> labels, annotations;  // of the pod, as Prometheus calls them
  };

  void walk() {
    writers_.clear();
    for (const PodSample& sample : samples_.all()) {
      Labels labels = sample.meta;
      std::vector<Labels> before;
      for (std::size_t i = 0; i < job_.rules.size(); ++i) {
        const RelabelRule& rule = job_.rules[i];
        before.push_back({});
        if (rule.judges()) {
          before.back() = labels;
          continue;
        }
        const Labels was = labels;
        (void)apply(rule, labels);
        for (const auto& [name, value] : labels) {
          const auto old = was.find(name);
          if (old == was.end() || old->second != value) writers_[name].insert(i);
        }
      }
      before_.push_back(std::move(before));
      outputs_.push_back(std::move(labels));
    }
    for (const Labels& labels : outputs_) {
      for (const auto& [name, value] : labels) {
        if (!name.starts_with("__")) output_names_.insert(name);
      }
    }
    for (std::size_t i = 0; i < job_.rules.size(); ++i) {
      if (job_.rules[i].action == Action::hash_mod) {
        say(i, "weir computes no hash of labels", "decide by namespaces or nodes which pods each weir reads");
      }
    }
  }

  void say(std::size_t rule, std::string what, std::string advice) {
    if (said_[rule]) return;
    said_[rule] = true;
    report_.missing(job_.rules[rule].spot, std::move(what), std::move(advice));
  }

  template <typename Value>
  [[nodiscard]] bool always(std::string_view label, const Value& value) const {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (value_of(outputs_[i], label) != value(i)) return false;
    }
    return true;
  }

  [[nodiscard]] bool is_meta(std::string_view label, const std::vector<std::string>& metas) const {
    return always(label, [&](std::size_t i) {
      for (const std::string& meta : metas) {
        if (std::string value = value_of(samples_.all()[i].meta, meta); !value.empty()) return value;
      }
      return std::string();
    });
  }

  // All meta labels of pods' labels and annotations that are known.
  [[nodiscard]] std::vector<std::string> candidates(std::string_view output) const {
    std::vector<std::string> found;
    const auto add = [&](const std::string& name) {
      if ((name.starts_with(kLabel) || name.starts_with(kAnnotation)) && std::ranges::find(found, name) == found.end())
        found.push_back(name);
    };
    // Those that its own rules name come first, in their order.
    if (const auto writers = writers_.find(output); writers != writers_.end()) {
      for (const std::size_t i : writers->second) {
        for (const std::string& source : job_.rules[i].sources) add(source);
      }
    }
    for (const PodSample& sample : samples_.all()) {
      for (const auto& [name, value] : sample.meta) add(name);
    }
    return found;
  }

  Way way_of(std::string_view output) {
    Way way;
    const auto meta = [&](std::string_view name) { return is_meta(output, {std::string(name)}); };
    if ((output == "namespace" && meta("__meta_kubernetes_namespace")) || (output == "pod" && meta("__meta_kubernetes_pod_name")) ||
        (output == "container" && meta("__meta_kubernetes_pod_container_name"))) {
      way.kind = Way::Kind::tail;
      return way;
    }
    const std::string first = value_of(outputs_.front(), output);
    // The name of the node is the same on all samples, and is no constant.
    if (!first.empty() && first.find(kNode) == std::string::npos && always(output, [&](std::size_t) { return first; })) {
      way.kind = Way::Kind::constant;
      way.constant = first;
      return way;
    }
    const auto names = candidates(output);
    for (const std::string& name : names) {
      if (!meta(name)) continue;
      way.kind = Way::Kind::names;
      (name.starts_with(kLabel) ? way.labels : way.annotations).push_back(name);
      return way;
    }
    // The first that there is of several, in the order of a rule.
    if (const auto writers = writers_.find(output); writers != writers_.end()) {
      for (const std::size_t i : writers->second) {
        std::vector<std::string> metas;
        std::ranges::copy_if(job_.rules[i].sources, std::back_inserter(metas),
                             [](const std::string& name) { return name.starts_with(kLabel) || name.starts_with(kAnnotation); });
        // weir looks at labels before annotations.
        if (metas.size() < 2 ||
            !std::ranges::is_partitioned(metas, [](const std::string& name) { return name.starts_with(kLabel); }) ||
            !is_meta(output, metas)) {
          continue;
        }
        way.kind = Way::Kind::names;
        for (const std::string& name : metas) (name.starts_with(kLabel) ? way.labels : way.annotations).push_back(name);
        return way;
      }
    }
    return way;
  }

  void explain() {
    for (const std::string& name : output_names_) {
      const auto writers = writers_.find(name);
      const bool mapped = writers != writers_.end() && !writers->second.empty() &&
                          job_.rules[*writers->second.rbegin()].action == Action::label_map;
      if (mapped) {
        say(*writers->second.rbegin(), "weir makes no labels of all labels of a pod",
            "name those that are queried: enrich --pod-label NAME, or --pod-metadata NAME for structured metadata");
        chain_.open_labels = true;
        skipped_.insert(name);
        continue;
      }
      ways_[name] = way_of(name);
    }
    for (const std::string& name : skipped_) output_names_.erase(name);
  }

  // Which scheme explains most of what nothing else does.
  void choose() {
    std::size_t best = 0;
    for (const auto scheme : {stages::PodScheme::weir, stages::PodScheme::promtail}) {
      std::vector<Labels> predicted;
      for (const PodSample& sample : samples_.all()) predicted.push_back(labels_by(scheme, sample));
      Names explained;
      for (const auto& [name, way] : ways_) {
        const bool same =
            always(name, [&, label = std::string_view(name)](std::size_t i) { return value_of(predicted[i], label); });
        // A way by names of pods' labels is one, too, but the scheme knows how Kubernetes calls them.
        if (same && (way.kind == Way::Kind::none || way.kind == Way::Kind::names)) explained.insert(name);
      }
      const auto needed = static_cast<std::size_t>(
          std::ranges::count_if(explained, [&](const std::string& name) { return ways_.at(name).kind == Way::Kind::none; }));
      if (needed <= best) continue;
      best = needed;
      scheme_ = scheme;
      for (auto& [name, way] : ways_) {
        if (explained.contains(name)) way_by_scheme_.insert(name);
      }
      std::erase_if(way_by_scheme_, [&](const std::string& name) { return !explained.contains(name); });
      scheme_labels_.clear();
      for (const Labels& labels : predicted) {
        for (const auto& [name, value] : labels) scheme_labels_.insert(name);
      }
    }
    for (const std::string& name : way_by_scheme_) ways_[name].kind = Way::Kind::scheme;
    uses_api_ =
        scheme_.has_value() || std::ranges::any_of(ways_, [](const auto& one) { return one.second.kind == Way::Kind::names; });
    if (!scheme_ && uses_api_) {
      for (const PodSample& sample : samples_.all()) {
        for (const auto& [name, value] : labels_by(stages::PodScheme::weir, sample)) scheme_labels_.insert(name);
      }
    }
  }

  // "--pod-label NAME=LABEL" for each spelling.
  void add_names(std::string_view option, std::string_view prefix, const std::string& meta, std::string_view as, const Spot& spot) {
    const auto names = kubernetes_names(std::string_view(meta).substr(prefix.size()));
    for (const std::string& name : names) {
      const bool same = stages::label_name_of(name) == as;
      pod_words_.push_back({std::string(option), same ? name : fmt::format("{}={}", name, as)});
    }
    if (names.size() > 1) {
      report_.note(spot,
                   fmt::format("Prometheus writes _ for . - and / in names, so that {} may have been any of {}",
                               meta.substr(prefix.size()), fmt::join(names, ", ")),
                   fmt::format("leave the right one in the {} of enrich", option));
    }
  }

  [[nodiscard]] Spot spot_of(std::string_view label) const {
    const auto writers = writers_.find(label);
    return writers == writers_.end() || writers->second.empty() ? job_.spot : job_.rules[*writers->second.rbegin()].spot;
  }

  void emit_labels() {
    EnrichStep& step = chain_.first();
    for (const auto& [name, way] : ways_) {
      LabelFact fact;
      fact.sure = always(name, [&, label = std::string_view(name)](std::size_t i) {
        std::string value = value_of(outputs_[i], label);
        return value.empty() ? std::string("?") : value;
      });
      switch (way.kind) {
        case Way::Kind::tail:
        case Way::Kind::scheme:
          break;
        case Way::Kind::constant:
          chain_.set_constant(name, way.constant);
          fact.constant = way.constant;
          break;
        case Way::Kind::names:
          for (const std::string& label : way.labels) add_names("--pod-label", kLabel, label, name, spot_of(name));
          for (const std::string& annotation : way.annotations)
            add_names("--pod-annotation", kAnnotation, annotation, name, spot_of(name));
          step.pod_labels.insert(name);
          break;
        case Way::Kind::none:
          fact.unknown = true;
          if (const auto writers = writers_.find(name); writers != writers_.end() && !writers->second.empty()) {
            say(*writers->second.rbegin(), fmt::format("weir does not make the label '{}' of these values", name),
                "enrich --kubernetes api gives app, job and node_name, --labels-like promtail those of Promtail's chart, and "
                "--pod-label NAME=LABEL a label of the pod");
          }
          break;
      }
      chain_.labels[name] = fact;
    }
    given_ = {"namespace", "pod", "container"};
    given_.insert(scheme_labels_.begin(), scheme_labels_.end());
  }

  // The options for pods come last, when it is known whether a rule needs the API server, too.
  void emit_pod_options() {
    EnrichStep& step = chain_.first();
    if (!uses_api_) return;
    step.options.push_back({"--kubernetes", "api"});
    if (scheme_ == stages::PodScheme::promtail) step.options.push_back({"--labels-like", "promtail"});
    for (OptionWord& word : pod_words_) step.options.push_back(std::move(word));
    for (const OptionWord& word : job_.server) step.options.push_back(word);
    if (scheme_labels_.empty()) {
      for (const PodSample& sample : samples_.all()) {
        for (const auto& [name, value] : labels_by(stages::PodScheme::weir, sample)) given_.insert(name);
      }
    }
  }

  // What of a record has the value that a source of a judging rule has.
  struct Place {
    std::string name;
    bool is_label = true;
  };
  std::optional<Place> place_of(std::size_t rule, const std::string& source) {
    const auto same = [&](const auto& value) {
      for (std::size_t i = 0; i < before_.size(); ++i) {
        if (value_of(before_[i][rule], source) != value(i)) return false;
      }
      return true;
    };
    const auto meta = [&](std::string_view name) {
      return same([&](std::size_t i) { return value_of(samples_.all()[i].meta, name); });
    };
    if (meta("__meta_kubernetes_namespace")) return Place{"namespace"};
    if (meta("__meta_kubernetes_pod_name")) return Place{"pod"};
    if (meta("__meta_kubernetes_pod_container_name")) return Place{"container"};
    for (const auto& [name, way] : ways_) {
      if (way.kind == Way::Kind::none || way.kind == Way::Kind::tail) continue;
      if (same([&, label = std::string_view(name)](std::size_t i) { return value_of(outputs_[i], label); })) return Place{name};
    }
    for (const std::string& name : candidates({})) {
      if (!meta(name)) continue;
      const bool is_label = name.starts_with(kLabel);
      const std::string_view prefix = is_label ? kLabel : kAnnotation;
      const std::string key = "pod_" + name.substr(prefix.size());
      if (added_metadata_.insert(key).second) {
        add_names("--pod-metadata", prefix, name, key, job_.rules[rule].spot);
        report_.note(job_.rules[rule].spot, fmt::format("the records get the metadata {}, by which the rule decides", key));
      }
      uses_api_ = true;
      return Place{key, false};
    }
    return std::nullopt;
  }

  void judge() {
    for (std::size_t i = 0; i < job_.rules.size(); ++i) {
      const RelabelRule& rule = job_.rules[i];
      if (rule.judges()) judge(i, rule);
    }
    emit_pod_options();
  }

  void judge(std::size_t i, const RelabelRule& rule) {
    const bool keeps = rule.action == Action::keep;
    if (rule.action == Action::keep_equal || rule.action == Action::drop_equal) {
      say(i, "weir does not compare two labels of a pod", "write a rule for each value: drop {namespace=\"…\"}");
      return;
    }
    // A pod that is left out by one of its labels is never opened.
    const auto globs = as_globs(rule.regex);
    const bool words = !globs.empty() && std::ranges::none_of(globs, [](const std::string& one) { return one.ends_with('*'); });
    if (rule.sources.size() == 1 && rule.sources[0].starts_with(kLabel) && !keeps && words) {
      const auto names = kubernetes_names(std::string_view(rule.sources[0]).substr(kLabel.size()));
      for (const std::string& name : names) {
        for (const std::string& value : globs) pod_words_.push_back({"--exclude-pod-label", fmt::format("{}={}", name, value)});
      }
      uses_api_ = true;
      return;
    }
    std::vector<Place> places;
    for (const std::string& source : rule.sources) {
      auto place = place_of(i, source);
      if (!place) {
        say(i, fmt::format("weir does not know {} of a pod", source),
            "a pod is left out by its namespace, name, container, labels and annotations, or with the annotation weir.io/exclude: "
            "\"true\"");
        return;
      }
      places.push_back(*std::move(place));
    }
    if (places.empty()) {
      if (rule.compiled->matches("") != keeps) say(i, "this rule leaves out all pods", "remove the job");
      return;
    }
    if (places.size() == 1 && places[0].name != "pod" && places[0].is_label && !globs.empty() &&
        (places[0].name == "namespace" || places[0].name == "container") &&
        (!keeps || first_selection_.insert(places[0].name).second)) {
      for (const std::string& glob : globs) {
        chain_.tail.push_back({fmt::format("--{}{}", keeps ? "" : "exclude-", places[0].name), glob});
      }
      return;
    }
    RuleLine line;
    line.line = rule.spot.place.line;
    line.path = rule.spot.path;
    for (const Place& place : places) line.names.insert(place.name);
    const std::string_view op = keeps ? "!~" : "=~";
    if (places.size() == 1 && places[0].is_label) {
      line.text = fmt::format("drop {{{}{}{}}}", places[0].name, op, logql_string(rule.regex));
    } else {
      std::string key = places[0].name;
      std::string made;
      if (places.size() > 1) {
        key = "f_key";
        std::string format;
        for (std::size_t n = 0; n < places.size(); ++n) {
          if (n > 0) format += rule.separator;
          format += fmt::format("{{{{.{}}}}}", places[n].name);
        }
        made = fmt::format(" | label_format f_key={}", logql_string(format));
      }
      line.text = fmt::format("drop{} | {}{}{}", made, key, op, logql_string("^(?s:" + rule.regex + ")$"));
    }
    if (auto good = rules::parse(line.text, ""); !good) {
      say(i, fmt::format("weir reads no rule like this: {}", good.error().message), "write a rule by hand: weir-rules(5)");
      return;
    }
    chain_.add_rule(std::move(line));
  }

  void find_paths() {
    // The rules that write __path__ stand for one thing.
    std::size_t with = 0, pods = 0, containers = 0, fixed = 0, all_fixed = 0;
    std::string root;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const PodSample& sample = samples_.all()[i];
      const std::string path = value_of(outputs_[i], "__path__");
      all_fixed += sample.is_static ? 1 : 0;
      if (path.empty()) continue;
      ++with;
      const std::size_t end = path.rfind('/', path.find('*'));
      root = path.substr(0, end == std::string::npos ? 0 : end);
      const auto own =
          fmt::format("{}/{}_{}_{}/{}/0.log", root, sample.pod.namespace_name, sample.pod.name, sample.path_uid, sample.container);
      const auto link = fmt::format("{}/{}_{}_{}-0a1b2c.log", root, sample.pod.name, sample.pod.namespace_name, sample.container);
      if (matches_path(path, own)) {
        ++pods;
        fixed += sample.is_static ? 1 : 0;
      } else if (matches_path(path, link)) {
        ++containers;
        fixed += sample.is_static ? 1 : 0;
      }
    }
    const Spot spot = spot_of("__path__");
    const std::size_t moving = outputs_.size() - all_fixed;
    if (with == 0) {
      report_.note(job_.spot, "no rule sets __path__, so Promtail reads nothing here; weir reads the logs of all pods",
                   "remove the pipeline, or the comment that says so");
      return;
    }
    if (pods - std::min(pods, fixed) < moving && containers - std::min(containers, fixed) < moving) {
      report_.missing(spot, "weir does not see which files of a pod __path__ means",
                      "tail reads all logs below /var/log/pods; name other files as its PATH");
      return;
    }
    if (root != "/var/log/pods") chain_.paths.push_back(root);
    if (containers > pods) {
      report_.note(spot, "the label filename has the path below /var/log/pods, where the links of /var/log/containers lead");
    }
    if (fixed < all_fixed) report_.note(spot, "Promtail finds no logs of static pods by this path; weir reads them, too");
    for (const Labels& labels : outputs_) {
      if (const std::string host = value_of(labels, "__host__"); !host.empty() && host != kNode) {
        report_.missing(spot_of("__host__"), "weir reads the pods of its own node only", "leave __host__ out");
        return;
      }
    }
  }

  const PodJob& job_;
  Chain& chain_;
  Report& report_;
  const PodSamples samples_;
  std::vector<bool> said_;
  std::vector<Labels> outputs_;              // by sample
  std::vector<std::vector<Labels>> before_;  // by sample: in front of each judging rule
  std::map<std::string, std::set<std::size_t>, std::less<>> writers_;
  Names output_names_, skipped_, way_by_scheme_, scheme_labels_, given_, added_metadata_, first_selection_;
  std::map<std::string, Way, std::less<>> ways_;
  std::optional<stages::PodScheme> scheme_;
  bool uses_api_ = false;
  std::vector<OptionWord> pod_words_;
};

}  // namespace

std::set<std::string, std::less<>> convert_pods(const PodJob& job, Chain& chain, Report& report) {
  return PodConversion(job, chain, report).run();
}

}  // namespace weir::convert
