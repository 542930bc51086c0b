#include "stages/pod_labels.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace weir::stages {
namespace {

using base::Code;
using Labels = std::map<std::string, std::string>;

constexpr std::string_view kNode = "node-7";

kube::Pod pod_of(kube::Pod::Values labels, kube::Pod::Values annotations = {}, std::string owner_kind = {},
                 std::string owner = {}) {
  kube::Pod pod;
  pod.uid = "u-1";
  pod.namespace_name = "shop";
  pod.name = "web-1";
  std::ranges::sort(labels);
  std::ranges::sort(annotations);
  pod.labels = std::move(labels);
  pod.annotations = std::move(annotations);
  pod.owner_kind = std::move(owner_kind);
  pod.owner_name = std::move(owner);
  return pod;
}

// What a directory of pods keeps of it.
kube::Pod as_kept(kube::Pod pod, const kube::WantedNames& wanted) {
  std::erase_if(pod.labels, [&](const auto& one) { return !wanted.labels.contains(one.first); });
  std::erase_if(pod.annotations, [&](const auto& one) { return !wanted.annotations.contains(one.first); });
  return pod;
}

struct Outcome {
  Labels labels;
  Labels metadata;  // that were labels
};

// What becomes of the labels that tail gives.
Outcome labels_of(const PodLabelsSpec& spec, const kube::Pod& pod, const std::string& container = "nginx") {
  const PodLabels rules(spec, std::string(kNode));
  Labels labels = {
      {"namespace", pod.namespace_name}, {"pod", pod.name}, {"container", container}, {"stream", "stdout"}, {"filename", "/f"}};
  for (const auto& [name, value, replaces] : rules.labels_of(as_kept(pod, wanted_names(spec)), container)) {
    EXPECT_TRUE(replaces || !value.empty()) << name;
    if (replaces || !labels.contains(name)) labels[name] = value;
    if (value.empty()) labels.erase(name);
  }
  Outcome out;
  for (const auto& [name, value] : labels) (rules.keeps(name) ? out.labels : out.metadata)[name] = value;
  return out;
}

Labels plus(Labels labels, const Labels& more) {
  for (const auto& [name, value] : more) labels[name] = value;
  return labels;
}

const Labels kTail = {{"namespace", "shop"}, {"pod", "web-1"}, {"container", "nginx"}, {"stream", "stdout"}, {"filename", "/f"}};

TEST(PodLabels, AppIsTheFirstThatThereIs) {
  const auto f = [](const kube::Pod& pod, const std::string& app) {
    EXPECT_EQ(labels_of({}, pod).labels, plus(kTail, {{"app", app}, {"job", "shop/" + app}, {"node_name", std::string(kNode)}}));
  };
  f(pod_of({{"app.kubernetes.io/name", "a"}, {"app", "b"}, {"k8s-app", "c"}}, {}, "StatefulSet", "d"), "a");
  f(pod_of({{"app", "b"}, {"k8s-app", "c"}}, {}, "StatefulSet", "d"), "b");
  f(pod_of({{"k8s-app", "c"}}, {}, "StatefulSet", "d"), "c");
  f(pod_of({{"app", ""}}, {}, "StatefulSet", "d"), "d");
  f(pod_of({{"pod-template-hash", "5d8f7b9c6d"}}, {}, "ReplicaSet", "d-5d8f7b9c6d"), "d");
  f(pod_of({}, {}, "ReplicaSet", "d-5d8f7b9c6d"), "d-5d8f7b9c6d");
  f(pod_of({}, {}, "Job", "backup-28391520"), "backup");
  f(pod_of({}), "nginx");
}

TEST(PodLabels, WhatTheRecordHasIsLeftAlone) {
  const PodLabels labels({}, std::string(kNode));
  for (const auto& one : labels.labels_of(pod_of({{"app", "a"}}), "c")) EXPECT_FALSE(one.replaces) << one.name;
}

TEST(PodLabels, NothingIsMadeOfNothing) {
  const PodLabels labels({}, "");
  std::vector<std::string> names;
  for (const auto& one : labels.labels_of(pod_of({}), "")) names.push_back(one.name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("namespace", "pod"));
}

TEST(PodLabels, OptionsForLabelsAndAnnotations) {
  PodLabelsSpec spec;
  spec.labels = {{"app.kubernetes.io/version", "version"}, {"tier", "tier"}, {"role", "tier"}, {"absent", "absent"}};
  spec.annotations = {{"example.org/team", "team"}, {"example.org/role", "tier"}};
  const auto f = [&](const kube::Pod& pod, const Labels& more) {
    const Labels all = labels_of(spec, pod).labels;
    EXPECT_EQ(all, plus(plus(kTail, {{"app", "nginx"}, {"job", "shop/nginx"}, {"node_name", std::string(kNode)}}), more));
  };
  f(pod_of({{"app.kubernetes.io/version", "1.2"}, {"tier", "front"}, {"role", "r"}}, {{"example.org/team", "blue"}}),
    {{"version", "1.2"}, {"tier", "front"}, {"team", "blue"}});
  f(pod_of({{"role", "r"}}, {{"example.org/role", "q"}}),
    {{"tier", "r"}});  // labels before annotations, in the order of the options
  f(pod_of({}, {{"example.org/role", "q"}}), {{"tier", "q"}});
  spec.labels = {{"x", "app"}};
  f(pod_of({{"app", "a"}, {"x", "y"}}), {{"app", "y"}, {"job", "shop/a"}});
}

TEST(PodLabels, MetadataIsALabelOrElseAnAnnotation) {
  PodLabelsSpec spec;
  spec.metadata = {{"a", "a"}, {"example.org/b", "example_org_b"}, {"c", "c"}, {"d", "a"}};
  const auto f = [&](const kube::Pod& pod, const Labels& expected) {
    Labels got;
    for (const auto& one : PodLabels(spec, "").metadata_of(as_kept(pod, wanted_names(spec)))) got[one.name] = one.value;
    EXPECT_EQ(got, expected);
  };
  f(pod_of({{"a", "1"}, {"example.org/b", "2"}, {"d", "4"}}, {{"a", "x"}, {"c", "3"}}),
    {{"a", "1"}, {"example_org_b", "2"}, {"c", "3"}});
  f(pod_of({{"d", "4"}}), {{"a", "4"}});
  f(pod_of({{"a", ""}}), {});
}

TEST(PodLabels, NamesOfLabels) {
  const auto f = [](std::string_view name, std::string_view label) { EXPECT_EQ(label_name_of(name), label); };
  f("app", "app");
  f("app.kubernetes.io/name", "app_kubernetes_io_name");
  f("a-b_c.d/e", "a_b_c_d_e");
  f("9a", "9a");
  f("\xc3\xa9", "__");
}

TEST(PodLabels, NamesInOptions) {
  const auto f = [](std::string_view text, const PodName& expected) {
    const auto read = read_pod_name(text);
    ASSERT_TRUE(read.ok()) << text;
    EXPECT_EQ(*read, expected);
  };
  f("app", {"app", "app"});
  f("app.kubernetes.io/version", {"app.kubernetes.io/version", "app_kubernetes_io_version"});
  f("a/b=c", {"a/b", "c"});
  f("a=b=c", {"a", "b=c"});
  for (const std::string_view text : {"", "=a", "a="}) EXPECT_EQ(read_pod_name(text).error().code, Code::usage) << text;
}

// -- the relabel rules of others --

struct Rule {
  enum class Action : std::uint8_t { replace, labelmap } action = Action::replace;
  std::vector<std::string> sources;
  std::string target;  // of replace
  std::string regex = "([^]*)";
  std::string separator = ";";
};

// https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config: an expression matches the whole text,
// the replacement is $1, and an empty value removes the label.
void apply(const std::vector<Rule>& rules, Labels& labels) {
  const auto set = [&labels](const std::string& name, const std::string& value) {
    if (value.empty()) {
      labels.erase(name);
    } else {
      labels[name] = value;
    }
  };
  static std::map<std::string, std::regex> compiled;  // takes most of the time
  for (const Rule& rule : rules) {
    const std::regex& regex = compiled.try_emplace(rule.regex, rule.regex).first->second;
    std::smatch match;
    if (rule.action == Rule::Action::labelmap) {
      const Labels before = labels;
      for (const auto& [name, value] : before) {
        if (std::regex_match(name, match, regex)) set(match[1].str(), value);
      }
      continue;
    }
    std::string text;
    for (const std::string& source : rule.sources) {
      if (&source != rule.sources.data()) text += rule.separator;
      const auto found = labels.find(source);
      if (found != labels.end()) text += found->second;
    }
    if (std::regex_match(text, match, regex)) set(rule.target, match[1].str());
  }
}

const std::string kMeta = "__meta_kubernetes_";
const std::string kLabel = kMeta + "pod_label_", kAnnotation = kMeta + "pod_annotation_";
const std::string kFirst = "^;*([^;]+)(;[^]*)?$";
constexpr auto kMap = Rule::Action::labelmap;

// What Prometheus' discovery tells of a container.
Labels discovered(const kube::Pod& pod, const std::string& container, bool is_mirror) {
  Labels labels = {{kMeta + "namespace", pod.namespace_name},
                   {kMeta + "pod_name", pod.name},
                   {kMeta + "pod_container_name", container},
                   {kMeta + "pod_node_name", std::string(kNode)}};
  for (const auto& [name, value] : pod.labels) labels[kLabel + label_name_of(name)] = value;
  for (const auto& [name, value] : pod.annotations) labels[kAnnotation + label_name_of(name)] = value;
  if (is_mirror) {
    labels[kMeta + "pod_controller_name"] = kNode;
  } else if (!pod.owner_name.empty()) {
    labels[kMeta + "pod_controller_name"] = pod.owner_name;
  }
  return labels;
}

Labels without_private(Labels labels) {
  std::erase_if(labels, [](const auto& one) { return one.first.starts_with("__"); });
  return labels;
}

const std::vector<Rule> kPromtail = {
    {.sources = {kMeta + "pod_controller_name"}, .target = "__tmp_controller_name", .regex = "([0-9a-z-.]+?)(-[0-9a-f]{8,10})?"},
    {.sources = {kLabel + "app_kubernetes_io_name", kLabel + "app", "__tmp_controller_name", kMeta + "pod_name"},
     .target = "app",
     .regex = kFirst},
    {.sources = {kLabel + "app_kubernetes_io_instance", kLabel + "instance"}, .target = "instance", .regex = kFirst},
    {.sources = {kLabel + "app_kubernetes_io_component", kLabel + "component"}, .target = "component", .regex = kFirst},
    {.sources = {kMeta + "pod_node_name"}, .target = "node_name"},
    {.sources = {kMeta + "namespace"}, .target = "namespace"},
    {.sources = {"namespace", "app"}, .target = "job", .separator = "/"},
    {.sources = {kMeta + "pod_name"}, .target = "pod"},
    {.sources = {kMeta + "pod_container_name"}, .target = "container"},
};

const std::vector<Rule> kAlloyDocs = {
    {.sources = {kMeta + "namespace"}, .target = "namespace"},
    {.sources = {kMeta + "pod_name"}, .target = "pod"},
    {.sources = {kMeta + "pod_container_name"}, .target = "container"},
    {.sources = {kLabel + "app_kubernetes_io_name"}, .target = "app"},
    {.sources = {kMeta + "namespace", kMeta + "pod_container_name"}, .target = "job", .separator = "/"},
};

const std::vector<Rule> kK8sMonitoring = {
    {.sources = {kMeta + "namespace"}, .target = "namespace"},
    {.sources = {kMeta + "pod_name"}, .target = "pod"},
    {.sources = {kMeta + "pod_container_name"}, .target = "container"},
    {.sources = {kMeta + "namespace", kMeta + "pod_container_name"}, .target = "job", .separator = "/"},
    {.action = kMap, .regex = kLabel + "(.+)"},
    {.action = kMap, .regex = kAnnotation + "(.+)"},
    {.sources = {kAnnotation + "resource_opentelemetry_io_service_name", kLabel + "app_kubernetes_io_name",
                 kMeta + "pod_container_name"},
     .target = "service_name",
     .regex = "^(?:;*)?([^;]+)[^]*$"},
    {.action = kMap, .regex = kAnnotation + "resource_opentelemetry_io_(.+)"},
    {.sources = {kAnnotation + "k8s_grafana_com_logs_job"}, .target = "job", .regex = "([^]+)"},
    {.sources = {kLabel + "app_kubernetes_io_name"}, .target = "app_kubernetes_io_name", .regex = "([^]+)"},
};
const std::vector<std::string> kK8sMonitoringKeeps = {"app_kubernetes_io_name",
                                                      "container",
                                                      "instance",
                                                      "job",
                                                      "level",
                                                      "namespace",
                                                      "service_name",
                                                      "service_namespace",
                                                      "deployment_environment",
                                                      "deployment_environment_name",
                                                      "k8s_namespace_name",
                                                      "k8s_deployment_name",
                                                      "k8s_statefulset_name",
                                                      "k8s_daemonset_name",
                                                      "k8s_cronjob_name",
                                                      "k8s_job_name",
                                                      "k8s_node_name"};
const std::vector<std::string> kK8sMonitoringMetadata = {"k8s_pod_name", "pod"};

// What the agent sends, from its own rules.
Labels by_rules(PodScheme scheme, const kube::Pod& pod, const std::string& container, bool is_mirror) {
  Labels labels = discovered(pod, container, is_mirror);
  apply(scheme == PodScheme::promtail ? kPromtail : scheme == PodScheme::alloy_docs ? kAlloyDocs : kK8sMonitoring, labels);
  labels = without_private(std::move(labels));
  switch (scheme) {
    case PodScheme::promtail:  // it reads files, and its stage `cri` makes a label of the stream
      labels["filename"] = "/f";
      labels["stream"] = "stdout";
      break;
    case PodScheme::alloy_docs:  // it reads through the API server, and names the target
      labels["instance"] = fmt::format("{}/{}:{}", pod.namespace_name, pod.name, container);
      break;
    default:
      std::erase_if(labels,
                    [](const auto& one) { return std::ranges::find(kK8sMonitoringKeeps, one.first) == kK8sMonitoringKeeps.end(); });
  }
  return labels;
}

void expect_as_by_rules(PodScheme scheme, const kube::Pod& pod, const std::string& container = "nginx", bool is_mirror = false) {
  PodLabelsSpec spec;
  spec.scheme = scheme;
  const Outcome got = labels_of(spec, pod, container);
  std::string text;
  for (const auto& [name, value] : pod.labels) text += fmt::format(" {}={}", name, value);
  for (const auto& [name, value] : pod.annotations) text += fmt::format(" @{}={}", name, value);
  ASSERT_EQ(got.labels, by_rules(scheme, pod, container, is_mirror))
      << static_cast<int>(scheme) << " " << pod.owner_kind << " " << pod.owner_name << text;
  if (scheme != PodScheme::k8s_monitoring) return;
  Labels all = discovered(pod, container, is_mirror);
  apply(kK8sMonitoring, all);
  for (const std::string& name : kK8sMonitoringMetadata) {
    const auto expected = all.find(name);
    const auto given = got.metadata.find(name);
    ASSERT_EQ(given == got.metadata.end() ? "" : given->second, expected == all.end() ? "" : expected->second) << name << text;
  }
}

TEST(PodLabelsLike, PromtailsOwners) {
  for (const char* const owner :
       {"web-5d8f7b9c6d", "web-5d8f7b9c", "web-5d8f7b9", "web-5d8f7b9c6d4", "web-5d8f7b9xzq", "backup-28391520", "db",
        "a-12345678-12345678", "-12345678", "12345678", "a.b-cafebabe", "a--cafebabe", "Web-cafebabe", "a_b"}) {
    expect_as_by_rules(PodScheme::promtail, pod_of({}, {}, "X", owner));
  }
  // A static pod: its mirror belongs to the node, and so the node is the app.
  const kube::Pod mirror = pod_of({{"component", "etcd"}}, {{std::string(kube::kConfigHashAnnotation), "0123"}});
  expect_as_by_rules(PodScheme::promtail, mirror, "etcd", true);
  PodLabelsSpec spec;
  spec.scheme = PodScheme::promtail;
  EXPECT_EQ(labels_of(spec, mirror, "etcd").labels["app"], kNode);
}

TEST(PodLabelsLike, Examples) {
  const kube::Pod pod =
      pod_of({{"app.kubernetes.io/name", "web"},
              {"app.kubernetes.io/instance", "web-blue"},
              {"component", "front"},
              {"level", "gold"},
              {"pod-template-hash", "5d8f7b9c6d"}},
             {{"resource.opentelemetry.io/service.namespace", "store"}, {"k8s.grafana.com/logs.job", "shop/front"}}, "ReplicaSet",
             "web-5d8f7b9c6d");
  const auto f = [&pod](PodScheme scheme, const Labels& expected) {
    PodLabelsSpec spec;
    spec.scheme = scheme;
    EXPECT_EQ(labels_of(spec, pod).labels, expected);
    expect_as_by_rules(scheme, pod);
  };
  f(PodScheme::promtail, {{"app", "web"},
                          {"component", "front"},
                          {"container", "nginx"},
                          {"filename", "/f"},
                          {"instance", "web-blue"},
                          {"job", "shop/web"},
                          {"namespace", "shop"},
                          {"node_name", "node-7"},
                          {"pod", "web-1"},
                          {"stream", "stdout"}});
  f(PodScheme::alloy_docs, {{"app", "web"},
                            {"container", "nginx"},
                            {"instance", "shop/web-1:nginx"},
                            {"job", "shop/nginx"},
                            {"namespace", "shop"},
                            {"pod", "web-1"}});
  f(PodScheme::k8s_monitoring, {{"app_kubernetes_io_name", "web"},
                                {"container", "nginx"},
                                {"job", "shop/front"},
                                {"level", "gold"},
                                {"namespace", "shop"},
                                {"service_name", "web"},
                                {"service_namespace", "store"}});
}

// Pods with whatever labels the rules look at, and with some that look alike.
TEST(PodLabelsLike, RandomPods) {
  const std::vector<std::string> names = {"app",
                                          "app.kubernetes.io/name",
                                          "app.kubernetes.io/instance",
                                          "app.kubernetes.io/component",
                                          "instance",
                                          "component",
                                          "job",
                                          "namespace",
                                          "container",
                                          "pod",
                                          "level",
                                          "service.name",
                                          "service/name",
                                          "service-namespace",
                                          "deployment.environment",
                                          "deployment.environment.name",
                                          "k8s.pod.name",
                                          "k8s.node.name",
                                          "k8s-job_name",
                                          "stream",
                                          "filename",
                                          "pod-template-hash",
                                          "tier"};
  const std::vector<std::string> annotations = {"resource.opentelemetry.io/service.name",
                                                "resource.opentelemetry.io/service.namespace",
                                                "resource.opentelemetry.io/deployment.environment",
                                                "resource.opentelemetry.io/k8s.cronjob.name",
                                                "resource.opentelemetry.io/job",
                                                "resource.opentelemetry.io/other",
                                                "k8s.grafana.com/logs.job",
                                                "service.name",
                                                "level",
                                                "pod",
                                                "job",
                                                "kubectl.kubernetes.io/restartedAt"};
  const std::vector<std::string> values = {"", "a", "b-1", "A_b.c", "x;y", ";z"};
  const std::vector<std::string> owners = {"", "web", "web-5d8f7b9c6d", "job-28391520", "web-12345678-cafebabe"};
  std::mt19937 random(7);
  const auto one_of = [&random](const auto& list) { return list[random() % list.size()]; };
  for (int i = 0; i < 3000; ++i) {
    kube::Pod::Values labels, notes;
    for (const std::string& name : names) {
      // No ; in a label: Kubernetes allows none.
      if (random() % 4 == 0) labels.emplace_back(name, values[random() % 4]);
    }
    for (const std::string& name : annotations) {
      if (random() % 4 == 0) notes.emplace_back(name, one_of(values));
    }
    // Which of two names that look alike in a label Prometheus takes is chance.
    std::map<std::string, int> seen;
    const auto twice = [&seen](const auto& entry) { return seen[label_name_of(entry.first)]++ > 0; };
    std::erase_if(labels, twice);
    seen.clear();
    std::erase_if(notes, twice);
    const kube::Pod pod = pod_of(std::move(labels), std::move(notes), "X", one_of(owners));
    for (const PodScheme scheme : {PodScheme::promtail, PodScheme::alloy_docs, PodScheme::k8s_monitoring}) {
      expect_as_by_rules(scheme, pod, i % 2 == 0 ? "nginx" : "sidecar");
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(PodLabels, FewNamesAreWanted) {
  EXPECT_LE(wanted_names({}).labels.size(), 4U);
  EXPECT_TRUE(wanted_names({}).annotations.empty());
  PodLabelsSpec spec;
  spec.scheme = PodScheme::k8s_monitoring;
  EXPECT_LT(wanted_names(spec).labels.size() + wanted_names(spec).annotations.size(), 2000U);
}

}  // namespace
}  // namespace weir::stages
