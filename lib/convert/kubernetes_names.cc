#include "convert/kubernetes_names.h"

#include "stages/pod_labels.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::convert {
namespace {

constexpr std::size_t kMostSpellings = 8;

}  // namespace

std::vector<std::string> kubernetes_names(std::string_view name) {
  // Prefixes whose spelling is known, as Prometheus writes them.
  constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kPrefixes = {
      {{"app_kubernetes_io_", "app.kubernetes.io/"},
       {"kubernetes_io_", "kubernetes.io/"},
       {"topology_kubernetes_io_", "topology.kubernetes.io/"},
       {"statefulset_kubernetes_io_", "statefulset.kubernetes.io/"},
       {"batch_kubernetes_io_", "batch.kubernetes.io/"},
       {"apps_kubernetes_io_", "apps.kubernetes.io/"},
       {"helm_sh_", "helm.sh/"},
       {"prometheus_io_", "prometheus.io/"},
       {"promtail_io_", "promtail.io/"},
       {"grafana_com_", "grafana.com/"},
       {"argocd_argoproj_io_", "argocd.argoproj.io/"}}};
  // Names of labels that everybody uses.
  constexpr std::array<std::string_view, 6> kKnown = {"k8s-app",  "pod-template-hash", "controller-revision-hash",
                                                      "job-name", "config.hash",       "pod-index"};
  std::string prefix;
  for (const auto& [written, real] : kPrefixes) {
    if (name.size() > written.size() && name.starts_with(written)) {
      prefix = real;
      name.remove_prefix(written.size());
      break;
    }
  }
  for (const std::string_view known : kKnown) {
    if (stages::label_name_of(known) == name) return {prefix + std::string(known)};
  }
  if (name.find('_') == std::string_view::npos) return {prefix + std::string(name)};
  // One sign for all of them, then a domain in front of the last part.
  std::vector<std::string> spellings;
  const auto add = [&](std::string text) {
    text.insert(0, prefix);
    if (std::ranges::find(spellings, text) == spellings.end() && spellings.size() < kMostSpellings)
      spellings.push_back(std::move(text));
  };
  for (const char sign : {'-', '_', '.'}) {
    std::string text(name);
    std::ranges::replace(text, '_', sign);
    add(std::move(text));
  }
  if (prefix.empty()) {
    for (const char sign : {'-', '_'}) {
      for (std::size_t cut = name.find('_'); cut != std::string_view::npos; cut = name.find('_', cut + 1)) {
        std::string domain(name.substr(0, cut)), rest(name.substr(cut + 1));
        std::ranges::replace(domain, '_', '.');
        std::ranges::replace(rest, '_', sign);
        add(domain + "/" + rest);
      }
    }
  }
  return spellings;
}

}  // namespace weir::convert
