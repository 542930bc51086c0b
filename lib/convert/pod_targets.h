// What relabel rules make of the pods of a node, and which options of weir make the same.
//
// Relabel rules are programs, and the same labels can be written in many ways. So they are not compared with texts: they are run on
// pods that are made up, which differ in everything that the rules look at, and weir's own code (stages/pod_labels.h) is run on the
// same pods. A label is understood when one way to make it gives the same value on all of them.
#pragma once

#include "convert/chain.h"
#include "convert/relabel.h"
#include "convert/report.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

// What a job says of the pods besides its rules.
struct PodJob {
  std::vector<RelabelRule> rules;
  Spot spot;                       // of kubernetes_sd_configs
  std::vector<OptionWord> server;  // --kube-server and its like
};

// Puts what tail and enrich do into the chain, and the labels that the records have: also `filename`, which Promtail always adds.
// `stream` is left to the stages. Each rule has a finding.
// Returns the labels that tail and the pods give.
std::set<std::string, std::less<>> convert_pods(const PodJob& job, Chain& chain, Report& report);

}  // namespace weir::convert
