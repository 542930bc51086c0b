// Writes the text for weir run and the texts of the rules.
#pragma once

#include "convert/clients.h"
#include "convert/conversion.h"
#include "convert/job_chain.h"
#include "convert/report.h"
#include "convert/settings.h"

#include <vector>

namespace weir::convert {

// Each job becomes a pipeline for the clients with the same external labels: the first of these is its push, the others are pushes
// of its spool. The head of the text says what differs; all findings of the report go into the result.
[[nodiscard]] Conversion write_pipelines(const std::vector<JobChain>& jobs, const std::vector<Client>& clients,
                                         const Settings& settings, const Options& options, Report& report);

}  // namespace weir::convert
