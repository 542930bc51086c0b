// How often the rules of a running chain acted, out of its metrics: for `weir rules list --metrics`.
#pragma once

#include "pipeline/stage.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace weir::stages {

struct RuleHits {
  std::uint64_t records = 0, bytes = 0;
};
using HitsById = std::map<std::string, RuleHits, std::less<>>;  // by Rule::id()

// Of the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/). Lines of other metrics, and what
// has not the form, are left out.
[[nodiscard]] HitsById parse_rule_hits(std::string_view text);

// `address`: a URL, whose path is /metrics where it has none, HOST:PORT, :PORT of this machine, or a file. Code::io also
// where the metrics have no figures of rules. Errors: usage, unreachable, network, io.
base::Result<HitsById> read_rule_hits(const std::string& address, const pipeline::Context& context);

}  // namespace weir::stages
