// The options that say where enrich learns of the pods of this node, and which labels they give.
#pragma once

#include "base/result.h"
#include "kube/pods.h"
#include "pipeline/stage.h"
#include "stages/pod_knowledge.h"
#include "stages/pod_labels.h"

#include <cstdint>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace weir::cli {

// Filled by parsing.
struct PodOptions {
  enum class From : std::uint8_t { api, kubelet, path, none };  // --kubernetes
  From from = From::path;
  stages::PodLabelsSpec labels;   // --pod-label, --pod-annotation, --pod-metadata, --labels-like
  kube::Access access;            // --kube-server, --kube-token-file, --kube-ca
  std::string node_name;          // --node-name; "" for NODE_NAME, else the host's name
  std::string kubelet;            // --kubelet; "" for https://NODE_IP:10250
  std::string kubelet_ca;         // --kubelet-ca
  bool kubelet_insecure = false;  // --kubelet-insecure
  std::string cache_file;         // --pod-cache; "" for a file beside the keeper's
  // --wait, --exclude-pod-label, --exclude-unknown, --ignore-exclude-in
  stages::PodKnowledgeSpec knowledge;

  // Somebody is asked for pods.
  [[nodiscard]] bool asks() const { return from == From::api || from == From::kubelet; }
};

// Adds the options to `app`, most of them in the group "Kubernetes". `options` must outlive the parse.
void declare(CLI::App& app, PodOptions& options);

// What the options alone can tell. Error: Code::usage.
[[nodiscard]] base::Result<void> check(const PodOptions& options);

// What is asked for, where options.asks(): completed from the environment (`environment` as in pipeline::Context; may be null) and
// the name of this host. `keeper`: the file in which this process keeps positions. Errors: Code::config, where the node's name or
// the kubelet's address is not known: says what to give.
[[nodiscard]] base::Result<kube::PodsSpec> pods_spec(const PodOptions& options, const std::optional<std::string>& keeper,
                                                     const char* (*environment)(const char* name));

}  // namespace weir::cli
