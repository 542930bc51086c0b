// The jobs of scrape_configs as chains: what they read, their relabel rules and their stages.
#pragma once

#include "convert/job_chain.h"
#include "convert/report.h"
#include "convert/settings.h"

#include <vector>

namespace weir::convert {

// `settings` apply to each job. What weir does not read has a finding. At most 500 jobs and 2,000 chains; more are a mistake.
[[nodiscard]] std::vector<JobChain> convert_jobs(const yaml::Node& list, const Spot& spot, const Settings& settings,
                                                 Report& report);

}  // namespace weir::convert
