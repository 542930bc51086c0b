// The targets of static_configs as paths and constant labels.
#pragma once

#include "convert/job_chain.h"
#include "convert/relabel.h"
#include "convert/report.h"

#include <string>
#include <vector>

namespace weir::convert {

// The relabel rules run on each target. Targets with the same labels are one chain, which has what tail reads, the constant labels,
// and a rule for the paths that are left out. Each rule and each target has a finding.
[[nodiscard]] std::vector<JobChain> convert_static_targets(const yaml::Node& configs, const Spot& spot, const std::string& job,
                                                           const std::vector<RelabelRule>& rules, Report& report);

}  // namespace weir::convert
