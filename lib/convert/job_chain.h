// One pipeline before its clients: what a job of the configuration reads, and what it does with it.
#pragma once

#include "convert/chain.h"
#include "convert/report.h"

#include <functional>
#include <set>
#include <string>

namespace weir::convert {

struct JobChain {
  std::string job;  // its name
  Spot spot;        // the target in the configuration
  Chain chain;
  std::set<std::string, std::less<>> given;  // labels that tail and the pods give
};

}  // namespace weir::convert
