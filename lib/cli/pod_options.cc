#include "cli/pod_options.h"

#include "cli/kube_options.h"
#include "cli/value_options.h"
#include "kube/object_name.h"

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <array>
#include <cctype>
#include <string_view>
#include <utility>

namespace weir::cli {
namespace {

using base::Code;
using base::Result;

constexpr const char* kGroup = "Kubernetes";
constexpr std::string_view kCacheSuffix = "-pods";  // behind the name of the keeper's file
constexpr int kKubeletPort = 10250;
// While too much waits, the whole chain does.
constexpr base::Duration kLongestWait = base::kMinute;

std::string_view variable(const char* (*environment)(const char* name), const char* name) {
  const char* const value = environment == nullptr ? nullptr : environment(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

// A kubelet calls its node by the host's name in small letters, where nobody tells it another one.
std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  std::string lower(name.data());
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

}  // namespace

void declare(CLI::App& app, PodOptions& options) {
  using From = PodOptions::From;
  using stages::PodScheme;
  add_choice<From>(app, "--kubernetes", options.from,
                   {{"api", From::api}, {"kubelet", From::kubelet}, {"path", From::path}, {"none", From::none}},
                   "where the labels of a record's pod come from: the API server (`api`), the `kubelet`, only the `path` of its "
                   "file, or `none`");
  const auto names = [&app](const std::string& option, std::vector<stages::PodName>& list, const std::string& type,
                            const std::string& what) {
    add_value(
        app, option,
        [&list](const std::string& text) -> Result<void> {
          auto name = stages::read_pod_name(text);
          if (!name) return std::move(name).error();
          list.push_back(*std::move(name));
          return {};
        },
        what, Times::repeated)
        ->type_name(type);
  };
  names("--pod-label", options.labels.labels, "NAME[=LABEL]", "make a label of the pod's label NAME (repeatable)");
  names("--pod-annotation", options.labels.annotations, "NAME[=LABEL]", "make a label of the pod's annotation NAME (repeatable)");
  names("--pod-metadata", options.labels.metadata, "NAME[=KEY]",
        "add the pod's label NAME, or else its annotation NAME, as metadata (repeatable)");
  add_choice<PodScheme>(
      app, "--labels-like", options.labels.scheme,
      {{"promtail", PodScheme::promtail}, {"alloy-docs", PodScheme::alloy_docs}, {"k8s-monitoring", PodScheme::k8s_monitoring}},
      "set the labels that another agent's usual configuration sets, so that dashboards keep working");
  app.add_option("--node-name", options.node_name,
                 "name of this node, for the label node_name and for the API server (default: $NODE_NAME, else the host's name)")
      ->type_name("NAME")
      ->group(kGroup);
  declare_kube(app, options.access);
  app.add_option("--kubelet", options.kubelet, "URL of the kubelet (default: https://$NODE_IP:10250, or $HOST_IP)")
      ->type_name("URL")
      ->group(kGroup);
  app.add_option("--kubelet-ca", options.kubelet_ca, "PEM file with the authority of the kubelet's certificate")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_flag("--kubelet-insecure", options.kubelet_insecure,
               "do not check the kubelet's certificate: whoever can take its address then gets the token")
      ->group(kGroup);
  app.add_option("--pod-cache", options.cache_file,
                 "file in which the pods are kept for the next start (default: beside the file with the positions, where this "
                 "process keeps them)")
      ->type_name("FILE")
      ->group(kGroup);
  add_duration(app, "--wait", options.knowledge.wait,
               "how long records of a pod that is not known yet wait for it; 0 for not at all")
      ->group(kGroup);
  using Unknown = stages::PodKnowledgeSpec::Unknown;
  add_value(
      app, "--exclude-pod-label",
      [&options](const std::string& text) -> Result<void> {
        const std::size_t equals = text.find('=');
        if (equals == 0 || equals == std::string::npos || equals + 1 == text.size())
          return base::fail(Code::usage, "it is not NAME=VALUE").with_hint("write --exclude-pod-label NAME=VALUE");
        options.knowledge.exclude_labels.emplace_back(text.substr(0, equals), text.substr(equals + 1));
        return {};
      },
      "leave out the logs of pods that have this label, beside those with the annotation weir.io/exclude: \"true\" (repeatable)",
      Times::repeated)
      ->type_name("NAME=VALUE")
      ->group(kGroup);
  add_choice<Unknown>(app, "--exclude-unknown", options.knowledge.unknown, {{"wait", Unknown::wait}, {"pass", Unknown::pass}},
                      "what tail in the same process does with a log whose pod is not known yet: open it after the --wait "
                      "(`wait`), or at once (`pass`)")
      ->group(kGroup);
  add_value(
      app, "--ignore-exclude-in",
      [&options](const std::string& text) -> Result<void> {
        options.knowledge.never_excluded.insert(text);
        return {};
      },
      "leave no pod of this namespace out, whatever it says (repeatable)", Times::repeated)
      ->type_name("NAMESPACE")
      ->group(kGroup);
}

Result<void> check(const PodOptions& options) {
  using From = PodOptions::From;
  const auto needs = [&options](std::string_view option, std::string_view what) {
    return base::fail(Code::usage, "{} needs --kubernetes {}", option, what)
        .with_hint(options.from == From::none ? "--kubernetes none looks for no pod" : "without it nobody is asked for pods");
  };
  constexpr std::string_view kEither = "api or kubelet";
  if (!options.asks()) {
    const stages::PodLabelsSpec& labels = options.labels;
    if (labels.scheme != stages::PodScheme::weir) return needs("--labels-like", kEither);
    if (!labels.labels.empty()) return needs("--pod-label", kEither);
    if (!labels.annotations.empty()) return needs("--pod-annotation", kEither);
    if (!labels.metadata.empty()) return needs("--pod-metadata", kEither);
    if (!options.node_name.empty()) return needs("--node-name", kEither);
    if (!options.cache_file.empty()) return needs("--pod-cache", kEither);
    if (!options.access.token_file.empty()) return needs("--kube-token-file", kEither);
    const stages::PodKnowledgeSpec unset, &given = options.knowledge;
    if (given.wait != unset.wait) return needs("--wait", kEither);
    if (!given.exclude_labels.empty()) return needs("--exclude-pod-label", kEither);
    if (given.unknown != unset.unknown) return needs("--exclude-unknown", kEither);
    if (!given.never_excluded.empty()) return needs("--ignore-exclude-in", kEither);
  }
  if (!options.node_name.empty() && !kube::is_dns_subdomain(options.node_name)) {
    return base::fail(Code::usage, "--node-name: '{}' is no name of a node", base::escape_control(options.node_name))
        .with_hint("it has small letters, digits, - and . (kubectl get nodes)");
  }
  if (options.knowledge.wait > kLongestWait) {
    return base::fail(Code::usage, "--wait may be 1m at most")
        .with_hint("while too many records wait for their pods, the whole chain waits");
  }
  if (options.from != From::api) {
    if (!options.access.server.empty()) return needs("--kube-server", "api");
    if (!options.access.ca_file.empty()) return needs("--kube-ca", "api");
  }
  if (options.from != From::kubelet) {
    if (!options.kubelet.empty()) return needs("--kubelet", "kubelet");
    if (!options.kubelet_ca.empty()) return needs("--kubelet-ca", "kubelet");
    if (options.kubelet_insecure) return needs("--kubelet-insecure", "kubelet");
    return {};
  }
  if (options.kubelet_insecure && !options.kubelet_ca.empty()) {
    return base::fail(Code::usage, "--kubelet-ca and --kubelet-insecure contradict each other").with_hint("leave one of them out");
  }
  const bool has_tls = !options.kubelet.starts_with("http://");
  if (has_tls && !options.kubelet_insecure && options.kubelet_ca.empty()) {
    return base::fail(Code::usage, "--kubernetes kubelet needs --kubelet-ca FILE, to check the kubelet's certificate")
        .with_hint("where its certificate is self-signed, as by default: --kubelet-insecure, or --kubernetes api");
  }
  return {};
}

Result<kube::PodsSpec> pods_spec(const PodOptions& options, const std::optional<std::string>& keeper,
                                 const char* (*environment)(const char* name)) {
  kube::PodsSpec spec;
  spec.from = options.from == PodOptions::From::kubelet ? kube::PodsSpec::From::kubelet : kube::PodsSpec::From::api;
  spec.access = options.access;
  spec.wanted = stages::wanted_names(options.labels);
  for (const auto& [name, value] : options.knowledge.exclude_labels) spec.wanted.labels.insert(name);
  spec.kubelet = options.kubelet;
  spec.kubelet_ca = options.kubelet_ca;
  spec.kubelet_insecure = options.kubelet_insecure;
  spec.cache_file = !options.cache_file.empty() ? options.cache_file : keeper ? *keeper + std::string(kCacheSuffix) : std::string();

  spec.node = !options.node_name.empty() ? options.node_name : std::string(variable(environment, "NODE_NAME"));
  if (spec.node.empty()) {
    // There the host's name is that of the pod.
    if (!variable(environment, "KUBERNETES_SERVICE_HOST").empty()) {
      return base::fail(Code::config, "the name of this node is not known: NODE_NAME is not set, and --node-name is not given")
          .with_hint("in the pod's spec: env: [{name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]");
    }
    spec.node = host_name();
    if (spec.node.empty()) return base::fail(Code::config, "the name of this node is not known").with_hint("--node-name NAME");
  }
  if (spec.from == kube::PodsSpec::From::kubelet && spec.kubelet.empty()) {
    std::string_view address = variable(environment, "NODE_IP");
    if (address.empty()) address = variable(environment, "HOST_IP");
    if (address.empty()) {
      return base::fail(Code::config, "the address of the kubelet is not known: neither NODE_IP nor HOST_IP is set")
          .with_hint(
              "--kubelet https://ADDRESS:10250; or in the pod's spec: env: [{name: NODE_IP, valueFrom: {fieldRef: {fieldPath: "
              "status.hostIP}}}]");
    }
    const bool six = address.find(':') != std::string_view::npos;
    spec.kubelet =
        six ? fmt::format("https://[{}]:{}", address, kKubeletPort) : fmt::format("https://{}:{}", address, kKubeletPort);
  }
  return spec;
}

}  // namespace weir::cli
