// What a scrape would show now, for tests.
#pragma once

#include "metrics/registry.h"

#include <cstdint>
#include <map>
#include <string>

namespace weir::test {

// By "NAME", or "NAME VALUE" of its label; of a histogram "NAME sum" and the like.
inline std::map<std::string, std::uint64_t> metric_values(const metrics::Registry& registry) {
  std::map<std::string, std::uint64_t> all;
  for (const metrics::Sample& sample : registry.read())
    all[std::string(sample.metric->name) + (sample.label_value.empty() ? "" : " " + sample.label_value)] = sample.value;
  return all;
}

}  // namespace weir::test
