#include "stages/pod_labels.h"

#include "names/label_name.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>
#include <set>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using base::Result;
using Given = PodLabels::Given;

constexpr std::string_view kName = "app.kubernetes.io/name";
constexpr std::string_view kInstance = "app.kubernetes.io/instance";
constexpr std::string_view kComponent = "app.kubernetes.io/component";
constexpr std::string_view kTemplateHash = "pod-template-hash";  // workload_of() needs it
constexpr std::string_view kResource = "resource.opentelemetry.io/";
constexpr std::string_view kJobAnnotation = "k8s.grafana.com/logs.job";

// The chart k8s-monitoring makes a label of each label and each annotation of a pod, and then keeps those of these names.
constexpr std::array<std::string_view, 17> kKept = {"app_kubernetes_io_name",
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
// And of these two it makes metadata.
constexpr std::array<std::string_view, 2> kDemoted = {"k8s_pod_name", "pod"};

std::string_view first_of(std::initializer_list<std::string_view> values) {
  for (const std::string_view value : values) {
    if (!value.empty()) return value;
  }
  return {};
}

std::string joined(std::string_view a, std::string_view between, std::string_view b) {
  return std::string(a).append(between).append(b);
}

void give(std::vector<Given>& given, std::string_view name, std::string_view value, bool replaces) {
  if (!value.empty()) given.push_back({std::string(name), std::string(value), replaces});
}

// What Kubernetes may call something that label_name_of() calls `name`: each _ may have been one of -._ and, once, a /.
void spellings(std::string_view name, std::string so_far, bool slash, std::set<std::string, std::less<>>& into) {
  if (so_far.size() == name.size()) {
    into.insert(std::move(so_far));
    return;
  }
  const char c = name[so_far.size()];
  if (c != '_') return spellings(name, so_far + c, slash, into);
  for (const char one : {'_', '-', '.'}) spellings(name, so_far + one, slash, into);
  if (slash) spellings(name, so_far + '/', false, into);
}

// Promtail's __tmp_controller_name, which is what ([0-9a-z-.]+?)(-[0-9a-f]{8,10})? leaves of the owner's name: a suffix that
// looks like a hash goes, once. "" where the expression does not match.
std::string_view without_hash(std::string_view name) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  const auto is_plain = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.'; };
  if (!std::ranges::all_of(name, is_plain)) return {};
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return name;
  const std::string_view hash = name.substr(dash + 1);
  return hash.size() >= 8 && hash.size() <= 10 && std::ranges::all_of(hash, is_hex) ? name.substr(0, dash) : name;
}

void as_weir(const kube::Pod& pod, std::string_view container, std::string_view node, std::vector<Given>& given) {
  const std::string_view app =
      first_of({pod.label(kName), pod.label("app"), pod.label("k8s-app"), kube::workload_of(pod).name, container});
  give(given, "app", app, false);
  if (!app.empty()) give(given, "job", joined(pod.namespace_name, "/", app), false);
  give(given, "node_name", node, false);
}

void as_promtail(const kube::Pod& pod, std::string_view container, std::string_view node, std::vector<Given>& given) {
  // The owner of a mirror pod is its node, and the chart takes it for any other.
  const bool is_mirror = pod.owner_name.empty() && !pod.annotation(kube::kConfigHashAnnotation).empty();
  const std::string_view controller = without_hash(is_mirror ? node : std::string_view(pod.owner_name));
  const std::string_view app = first_of({pod.label(kName), pod.label("app"), controller, pod.name});
  give(given, "app", app, true);
  give(given, "instance", first_of({pod.label(kInstance), pod.label("instance")}), true);
  give(given, "component", first_of({pod.label(kComponent), pod.label("component")}), true);
  give(given, "node_name", node, true);
  give(given, "namespace", pod.namespace_name, true);
  give(given, "job", joined(pod.namespace_name, "/", app), true);
  give(given, "pod", pod.name, true);
  give(given, "container", container, true);
}

void as_alloy_docs(const kube::Pod& pod, std::string_view container, std::vector<Given>& given) {
  give(given, "namespace", pod.namespace_name, true);
  give(given, "pod", pod.name, true);
  give(given, "container", container, true);
  give(given, "app", pod.label(kName), true);
  if (container.empty()) return;
  give(given, "job", joined(pod.namespace_name, "/", container), true);
  give(given, "instance", joined(joined(pod.namespace_name, "/", pod.name), ":", container), true);
}

// The last rule that sets a name wins, and a pod's own label may well be called `job` or `namespace`.
std::map<std::string, std::string, std::less<>> k8s_monitoring_labels(const kube::Pod& pod, std::string_view container) {
  std::map<std::string, std::string, std::less<>> made;
  const auto set = [&made](std::string_view name, std::string_view value) {
    if (value.empty()) {
      if (const auto found = made.find(name); found != made.end()) made.erase(found);
    } else {
      made.insert_or_assign(std::string(name), std::string(value));
    }
  };
  set("namespace", pod.namespace_name);
  set("pod", pod.name);
  set("container", container);
  if (!container.empty()) set("job", joined(pod.namespace_name, "/", container));
  for (const auto& [name, value] : pod.labels) set(label_name_of(name), value);
  for (const auto& [name, value] : pod.annotations) set(label_name_of(name), value);
  // Of the values with ; between them, what stands before the first ; that something stands in front of.
  std::string services(pod.annotation(std::string(kResource).append("service.name")));
  services.append(";").append(pod.label(kName)).append(";").append(container);
  const std::size_t begin = services.find_first_not_of(';');
  if (begin != std::string::npos) set("service_name", std::string_view(services).substr(begin, services.find(';', begin) - begin));
  const std::string resource = label_name_of(kResource);
  for (const auto& [name, value] : pod.annotations) {
    const std::string label = label_name_of(name);
    if (label.size() > resource.size() && label.starts_with(resource)) set(label.substr(resource.size()), value);
  }
  if (const std::string_view job = pod.annotation(kJobAnnotation); !job.empty()) set("job", job);
  if (const std::string_view name = pod.label(kName); !name.empty()) set("app_kubernetes_io_name", name);
  return made;
}

}  // namespace

std::string label_name_of(std::string_view name) {
  std::string label(name);
  for (char& c : label) {
    if (!names::is_name_byte(c)) c = '_';
  }
  return label;
}

Result<PodName> read_pod_name(std::string_view text) {
  const std::size_t equals = text.find('=');
  PodName read{std::string(text.substr(0, equals)), {}};
  if (read.name.empty()) return base::fail(Code::usage, "it does not begin with the name of a label or annotation of pods");
  read.as = equals == std::string_view::npos ? label_name_of(read.name) : std::string(text.substr(equals + 1));
  if (read.as.empty()) return base::fail(Code::usage, "there is no name behind the =");
  return read;
}

kube::WantedNames wanted_names(const PodLabelsSpec& spec) {
  kube::WantedNames wanted;
  switch (spec.scheme) {
    case PodScheme::weir:
      for (const std::string_view name : {kName, std::string_view("app"), std::string_view("k8s-app"), kTemplateHash})
        wanted.labels.emplace(name);
      break;
    case PodScheme::promtail:
      for (const std::string_view name : {kName, kInstance, kComponent}) wanted.labels.emplace(name);
      for (const char* const name : {"app", "instance", "component"}) wanted.labels.emplace(name);
      wanted.annotations.emplace(kube::kConfigHashAnnotation);
      break;
    case PodScheme::alloy_docs:
      wanted.labels.emplace(kName);
      break;
    case PodScheme::k8s_monitoring: {
      const auto want = [&wanted](std::string_view name) {
        spellings(name, {}, true, wanted.labels);
        spellings(name, {}, true, wanted.annotations);
        std::set<std::string, std::less<>> below;
        spellings(name, {}, false, below);
        for (const std::string& one : below) wanted.annotations.insert(std::string(kResource).append(one));
      };
      for (const std::string_view name : kKept) want(name);
      for (const std::string_view name : kDemoted) want(name);
      wanted.annotations.emplace(kJobAnnotation);
      break;
    }
  }
  for (const PodName& one : spec.labels) wanted.labels.insert(one.name);
  for (const PodName& one : spec.annotations) wanted.annotations.insert(one.name);
  for (const PodName& one : spec.metadata) {
    wanted.labels.insert(one.name);
    wanted.annotations.insert(one.name);
  }
  return wanted;
}

PodLabels::PodLabels(PodLabelsSpec spec, std::string node) : spec_(std::move(spec)), node_(std::move(node)) {}

std::vector<Given> PodLabels::labels_of(const kube::Pod& pod, std::string_view container) const {
  std::vector<Given> given;
  give(given, "namespace", pod.namespace_name, false);
  give(given, "pod", pod.name, false);
  switch (spec_.scheme) {
    case PodScheme::weir:
      as_weir(pod, container, node_, given);
      break;
    case PodScheme::promtail:
      as_promtail(pod, container, node_, given);
      break;
    case PodScheme::alloy_docs:
      as_alloy_docs(pod, container, given);
      break;
    case PodScheme::k8s_monitoring: {
      const auto made = k8s_monitoring_labels(pod, container);
      for (const auto& [name, value] : made) {
        // Those that are not kept are set to become metadata.
        if (keeps(name) || std::ranges::find(kDemoted, name) != kDemoted.end()) give(given, name, value, true);
      }
      // An empty label of the pod takes away the one that was made before.
      for (const char* const name : {"namespace", "pod", "container", "job"}) {
        if (!made.contains(std::string_view(name))) given.push_back({name, {}, true});
      }
      break;
    }
  }
  // Of several options for one label the first that the pod has counts: so they are applied from the last to the first.
  for (auto one = spec_.annotations.rbegin(); one != spec_.annotations.rend(); ++one)
    give(given, one->as, pod.annotation(one->name), true);
  for (auto one = spec_.labels.rbegin(); one != spec_.labels.rend(); ++one) give(given, one->as, pod.label(one->name), true);
  return given;
}

std::vector<Given> PodLabels::metadata_of(const kube::Pod& pod) const {
  std::vector<Given> given;
  for (const PodName& one : spec_.metadata) {
    if (std::ranges::find(given, one.as, &Given::name) != given.end()) continue;
    give(given, one.as, first_of({pod.label(one.name), pod.annotation(one.name)}), true);
  }
  return given;
}

bool PodLabels::keeps(std::string_view name) const {
  switch (spec_.scheme) {
    case PodScheme::weir:
    case PodScheme::promtail:
      return true;
    case PodScheme::alloy_docs:
      return name != "stream" && name != "filename";
    case PodScheme::k8s_monitoring:
      return std::ranges::find(kKept, name) != kKept.end();
  }
  return true;
}

}  // namespace weir::stages
