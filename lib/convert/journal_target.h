// The job of a journal, with its relabel rules, as options of tail and labels of enrich.
#pragma once

#include "convert/chain.h"
#include "convert/relabel.h"
#include "convert/report.h"

#include <set>
#include <string>
#include <vector>

namespace weir::convert {

// Puts what tail and enrich do into the chain, and the labels that the records have. Each rule has a finding. Returns the labels
// that tail gives.
std::set<std::string, std::less<>> convert_journal(const yaml::Node& journal, const Spot& spot,
                                                   const std::vector<RelabelRule>& rules, Chain& chain, Report& report);

}  // namespace weir::convert
