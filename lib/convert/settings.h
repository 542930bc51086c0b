// What a configuration of Promtail says besides its clients and its jobs.
#pragma once

#include "convert/chain.h"
#include "convert/report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::convert {

struct Settings {
  std::string positions;        // Promtail's file with its positions, from which tail goes on; may hold variables
  std::string metrics;          // ADDRESS:PORT for --metrics of run; "" for none
  std::vector<RuleLine> rules;  // for each pipeline, behind its own
  std::uint64_t max_line = 0;   // bytes, at which tail splits a line of a file; 0: where it does so by itself
};

// Takes all keys of the configuration except clients and scrape_configs.
[[nodiscard]] Settings read_settings(MapReader& root, Report& report);

}  // namespace weir::convert
