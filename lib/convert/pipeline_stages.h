// The stages of a job (`pipeline_stages`) as stages of weir.
//
// Promtail runs them one after the other on a line, its time, its labels and a table of extracted values. What a stage takes out of
// a line is nothing by itself: it counts when a later stage makes a label, a time or a decision of it. So this keeps, for each
// extracted value, where it comes from, and puts into the chain what later stages do with it.
#pragma once

#include "convert/chain.h"
#include "convert/report.h"

#include <string>

namespace weir::convert {

struct StagesInput {
  std::string job;         // its name
  std::size_t line = 0;    // of the target
  bool from_files = true;  // lines of files, which may be in the format of a container runtime; the journal's are not
};

// Puts the stages into the chain. The chain knows the labels that the records have so far. Each stage has a finding.
void convert_stages(const yaml::Node& list, const Spot& spot, const StagesInput& input, Chain& chain, Report& report);

// A Go duration ("1h30m") as weir writes it; "" for no duration.
[[nodiscard]] std::string duration_word(std::string_view go_duration);
// Of tail --max-line.
inline constexpr std::uint64_t kLeastLine = 64, kMostLine = 64 << 20;
[[nodiscard]] bool is_zero(std::string_view duration);  // "0s", "0h0m"
// A size as Promtail reads it ("8kb", "2M" by 1024); nothing for no size.
[[nodiscard]] std::optional<std::uint64_t> size_of(std::string_view text);

}  // namespace weir::convert
