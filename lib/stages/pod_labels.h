// Which labels and which metadata a pod gives to the records of its logs: pure functions of the pod, the container, the node and
// the options. Worked out once a label set, not once a record.
//
// The schemes of other agents are those of their charts at the versions below. They were read as relabel rules, and are written
// here as plain steps; tests/stages/pod_labels_test.cc holds them against the rules.
//
//   promtail        the Helm chart promtail 6.16.4 of grafana/helm-charts (values.yaml, config.snippets)
//   alloy-docs      the page "Collect Kubernetes logs and forward them to Loki" of Alloy's documentation (grafana/alloy at 092f4ad,
//                   docs/sources/collect/logs-in-kubernetes.md), with the label that its component loki.source.kubernetes adds
//   k8s-monitoring  the Helm chart k8s-monitoring 3.0.2 of grafana/k8s-monitoring-helm (feature-pod-logs)
#pragma once

#include "base/result.h"
#include "kube/pod.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::stages {

enum class PodScheme : std::uint8_t { weir, promtail, alloy_docs, k8s_monitoring };

// A label or an annotation of pods, and what it is called in Loki.
struct PodName {
  std::string name;  // app.kubernetes.io/version
  std::string as;    // app_kubernetes_io_version
  friend bool operator==(const PodName&, const PodName&) = default;
};

struct PodLabelsSpec {
  PodScheme scheme = PodScheme::weir;
  std::vector<PodName> labels;       // labels of the pod that become labels
  std::vector<PodName> annotations;  // annotations of the pod that become labels
  std::vector<PodName> metadata;     // labels of the pod, or else annotations, that become metadata
  [[nodiscard]] bool asks_for_nothing() const {
    return scheme == PodScheme::weir && labels.empty() && annotations.empty() && metadata.empty();
  }
};

// A name of Kubernetes as Prometheus, Promtail and Alloy write it in a label: whatever is no letter, digit or _ becomes _.
[[nodiscard]] std::string label_name_of(std::string_view name);

// "NAME" or "NAME=AS", as an option has it. Error: Code::usage; the message is the cause alone.
[[nodiscard]] base::Result<PodName> read_pod_name(std::string_view text);

// What of the labels and annotations of pods is needed.
[[nodiscard]] kube::WantedNames wanted_names(const PodLabelsSpec& spec);

class PodLabels {
 public:
  // `node`: the name of this node; "" where it is not known.
  PodLabels(PodLabelsSpec spec, std::string node);

  struct Given {
    std::string name;
    std::string value;      // "" only where `replaces`: the record's label of this name goes
    bool replaces = false;  // also what the record has under this name; else only where that is missing
  };
  // In the order in which they are to be applied. `container` may be "".
  [[nodiscard]] std::vector<Given> labels_of(const kube::Pod& pod, std::string_view container) const;
  // Replaces the record's metadata of the same name. Names are unique.
  [[nodiscard]] std::vector<Given> metadata_of(const kube::Pod& pod) const;

  // Whether the scheme leaves the label `name` in the index. False: the record's label of this name becomes metadata.
  [[nodiscard]] bool keeps(std::string_view name) const;

 private:
  PodLabelsSpec spec_;
  std::string node_;
};

}  // namespace weir::stages
