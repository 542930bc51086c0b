// kubernetes_sd_configs as what tail and enrich do with the pods of a node.
#pragma once

#include "convert/job_chain.h"
#include "convert/relabel.h"
#include "convert/report.h"

#include <string>
#include <vector>

namespace weir::convert {

// One chain for each entry with the role pod; others have a finding. Each rule has a finding.
[[nodiscard]] std::vector<JobChain> convert_pod_discovery(const yaml::Node& configs, const Spot& spot, const std::string& job,
                                                          const std::vector<RelabelRule>& rules, Report& report);

}  // namespace weir::convert
