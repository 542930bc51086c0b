#include "convert/pod_discovery.h"

#include "base/diagnostics.h"
#include "convert/clients.h"
#include "convert/pod_targets.h"

#include <fmt/format.h>

#include <utility>

namespace weir::convert {
namespace {

// Which pods of the node.
void read_namespaces(const yaml::Node& namespaces, const Spot& spot, Chain& chain, Report& report) {
  MapReader which(namespaces, spot, report);
  if (const yaml::Node* list = which.take("names"); list != nullptr) {
    for (const std::string& one : texts_of(*list, which.spot("names"), report)) chain.tail.push_back({"--namespace", one});
  }
  if (which.boolean("own_namespace", false))
    report.missing(which.spot("own_namespace"), "weir does not know its own namespace", "name it: tail --namespace NAME");
  which.finish();
}

void read_selectors(const yaml::Node& selectors, const Spot& spot, Report& report) {
  for (const yaml::Node& selector : selectors.items) {
    MapReader one(selector, spot, report);
    (void)one.take("role");
    const std::string label = one.text("label"), field = one.text("field");
    if (!label.empty()) {
      report.missing(spot, "weir selects no pods by a selector of labels", "leave pods out: enrich --exclude-pod-label NAME=VALUE");
    }
    if (!field.empty() && !field.starts_with("spec.nodeName=")) {
      report.missing(spot, fmt::format("weir selects no pods by the field {}", base::escape_control(field)),
                     "it reads the pods of its node");
    }
    one.finish();
  }
}

}  // namespace

std::vector<JobChain> convert_pod_discovery(const yaml::Node& configs, const Spot& spot, const std::string& job,
                                            const std::vector<RelabelRule>& rules, Report& report) {
  std::vector<JobChain> chains;
  for (std::size_t i = 0; i < configs.items.size() && !report.failed(); ++i) {
    Spot own = spot.index(i);
    own.place = configs.items[i].place;
    MapReader map(configs.items[i], own, report);
    if (const std::string role = map.text("role"); role != "pod") {
      report.missing(map.spot("role"), fmt::format("weir finds pods, no targets of the role '{}'", base::escape_control(role)),
                     "logs are those of pods: role pod");
      continue;
    }
    JobChain made{.job = job, .spot = own};
    const PodJob pods{rules, own, kube_access(map, report)};
    if (const yaml::Node* namespaces = map.take("namespaces"); namespaces != nullptr)
      read_namespaces(*namespaces, map.spot("namespaces"), made.chain, report);
    if (const yaml::Node* selectors = map.take("selectors"); selectors != nullptr)
      read_selectors(*selectors, map.spot("selectors"), report);
    if (map.has("attach_metadata"))
      report.note(map.spot("attach_metadata"), "weir asks for pods only, not for their nodes and namespaces");
    map.finish();
    made.given = convert_pods(pods, made.chain, report);
    if (made.chain.paths.empty()) made.chain.paths.emplace_back("/var/log/pods");
    report.exact(own, "the records also get the pod's uid as metadata pod_uid");
    chains.push_back(std::move(made));
  }
  return chains;
}

}  // namespace weir::convert
