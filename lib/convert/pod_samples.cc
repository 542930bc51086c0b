#include "convert/pod_samples.h"

#include "convert/kubernetes_names.h"
#include "convert/words.h"
#include "stages/pod_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::convert {
namespace {

constexpr std::size_t kMixedSamples = 40;
constexpr std::size_t kMostSamples = 160;

// Owners of all kinds, with and without what looks like the hash of a ReplicaSet.
struct Owner {
  std::string_view kind, name;
};
constexpr std::array<Owner, 9> kOwners = {{{"", ""},
                                           {"ReplicaSet", "web-5d8f7c9b4d"},
                                           {"ReplicaSet", "shop.api-5d8f7c9b"},
                                           {"DaemonSet", "node-agent"},
                                           {"StatefulSet", "db"},
                                           {"Job", "backup-28571234"},
                                           {"ReplicaSet", "web-5d8f7c9b4dz"},
                                           {"Node", kNode},
                                           {"ReplicaSet", "a-b-1234567890"}}};

void set_value(kube::Pod::Values& values, std::string_view name, std::string_view value) {
  auto found = std::ranges::lower_bound(values, name, {}, [](const auto& pair) { return std::string_view(pair.first); });
  if (found != values.end() && found->first == name) {
    found->second = value;
  } else {
    values.insert(found, {std::string(name), std::string(value)});
  }
}

// The meta labels of Prometheus's discovery of pods.
void fill_meta(PodSample& sample) {
  const auto set = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) sample.meta.insert_or_assign(std::string(kMeta).append(name), std::string(value));
  };
  const kube::Pod& pod = sample.pod;
  set("namespace", pod.namespace_name);
  set("pod_name", pod.name);
  set("pod_uid", pod.uid);
  set("pod_node_name", kNode);
  set("pod_container_name", sample.container);
  set("pod_container_init", "false");
  set("pod_phase", "Running");
  set("pod_ready", "true");
  set("pod_ip", "10.0.0." + std::to_string(1 + pod.name.size()));
  set("pod_host_ip", "192.168.0.7");
  set("pod_container_image", "registry.example/" + sample.container + ":1");
  set("pod_container_id", "containerd://" + pod.uid);
  set("pod_controller_kind", sample.is_static ? "Node" : pod.owner_kind);
  set("pod_controller_name", sample.is_static ? kNode : std::string_view(pod.owner_name));
  for (const auto& [name, value] : pod.labels) {
    const std::string label = stages::label_name_of(name);
    set("pod_label_" + label, value);
    set("pod_labelpresent_" + label, "true");
  }
  for (const auto& [name, value] : pod.annotations) {
    const std::string label = stages::label_name_of(name);
    set("pod_annotation_" + label, value);
    set("pod_annotationpresent_" + label, "true");
  }
}

}  // namespace

PodSamples::PodSamples(const std::vector<RelabelRule>& rules) {
  for (const char* const name : {"app.kubernetes.io/name", "app", "name", "k8s-app", "app.kubernetes.io/instance", "instance",
                                 "app.kubernetes.io/component", "component"}) {
    labels_.insert(name);
  }
  for (const RelabelRule& rule : rules) {
    for (const std::string& source : rule.sources) {
      for (const std::string_view prefix : {std::string_view("__meta_kubernetes_pod_labelpresent_"), kLabel}) {
        if (source.starts_with(prefix)) labels_.insert(kubernetes_names(source.substr(prefix.size())).front());
      }
      for (const std::string_view prefix : {std::string_view("__meta_kubernetes_pod_annotationpresent_"), kAnnotation}) {
        if (source.starts_with(prefix)) annotations_.insert(kubernetes_names(source.substr(prefix.size())).front());
      }
    }
  }
  annotations_.erase(std::string(kube::kConfigHashAnnotation));
  for (std::size_t i = 0; i < kMixedSamples; ++i) mixed(i);
  for (const RelabelRule& rule : rules) special(rule);
}

// The same numbers in every run.
std::size_t PodSamples::random() {
  state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
  return static_cast<std::size_t>(state_ >> 33U);
}

PodSample PodSamples::basic(std::size_t i) {
  PodSample sample;
  const Owner& owner = kOwners[i % kOwners.size()];
  sample.is_static = owner.kind == "Node";
  sample.pod.uid = fmt::format("0f3c{:04x}-1111-4222-8333-0123456789ab", i);
  sample.pod.namespace_name = fmt::format("ns-{}", i);
  sample.pod.name = fmt::format("{}-x{}y", owner.name.empty() ? "bare" : owner.name, i);
  if (!sample.is_static) sample.pod.owner_kind = owner.kind, sample.pod.owner_name = owner.name;
  sample.container = fmt::format("c{}", i);
  sample.path_uid = sample.pod.uid;
  if (sample.is_static) {
    sample.path_uid = fmt::format("{:032x}", 0x77770000ULL + i);
    set_value(sample.pod.annotations, kube::kConfigHashAnnotation, sample.path_uid);
  }
  return sample;
}

void PodSamples::add(PodSample sample) {
  fill_meta(sample);
  samples_.push_back(std::move(sample));
}

void PodSamples::mixed(std::size_t i) {
  PodSample sample = basic(i);
  // First none, then all, then a part of them.
  const auto wanted = [&](std::size_t which) {
    if (i < kOwners.size()) return false;
    if (i < 2 * kOwners.size()) return true;
    static_cast<void>(which);
    return random() % 2 == 0;
  };
  std::size_t n = 0;
  for (const std::string& name : labels_) {
    if (wanted(n++)) set_value(sample.pod.labels, name, fmt::format("l{}s{}", n, i));
  }
  for (const std::string& name : annotations_) {
    if (wanted(n++)) set_value(sample.pod.annotations, name, fmt::format("a{}s{}", n, i));
  }
  add(std::move(sample));
}

// Pods with the values that a rule speaks of.
void PodSamples::special(const RelabelRule& rule) {
  for (const std::string& word : literal_words(rule.regex)) {
    // What no name of Kubernetes can be.
    if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != std::string::npos) continue;
    for (const std::string& source : rule.sources) {
      if (samples_.size() >= kMostSamples) return;
      // Says that a pod is a static one, and of which name its folder is.
      if (source.ends_with("_kubernetes_io_config_hash")) continue;
      PodSample sample = basic(samples_.size());
      if (source == "__meta_kubernetes_namespace") {
        sample.pod.namespace_name = word;
      } else if (source == "__meta_kubernetes_pod_name") {
        sample.pod.name = word;
      } else if (source == "__meta_kubernetes_pod_container_name") {
        sample.container = word;
      } else if (source.starts_with(kLabel)) {
        set_value(sample.pod.labels, kubernetes_names(source.substr(kLabel.size())).front(), word);
      } else if (source.starts_with(kAnnotation)) {
        set_value(sample.pod.annotations, kubernetes_names(source.substr(kAnnotation.size())).front(), word);
      } else if (!source.starts_with(kMeta)) {
        continue;
      }
      fill_meta(sample);
      if (source.find("present_") != std::string::npos || !sample.meta.contains(source)) sample.meta[source] = word;
      if (source.starts_with("__meta_kubernetes_pod_phase") || source.starts_with("__meta_kubernetes_pod_container_") ||
          source.starts_with("__meta_kubernetes_pod_controller_kind") || source.starts_with("__meta_kubernetes_pod_ready")) {
        if (source != "__meta_kubernetes_pod_container_name") sample.meta[source] = word;
      }
      samples_.push_back(std::move(sample));
    }
  }
}

}  // namespace weir::convert
