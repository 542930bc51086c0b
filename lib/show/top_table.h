// How much each log and each namespace writes, as a table for people and as JSON: what `weir top` shows.
#pragma once

#include "base/clock.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::show {

struct TopCount {
  std::uint64_t records = 0, bytes = 0;                  // bytes of lines
  std::uint64_t dropped_records = 0, dropped_bytes = 0;  // of these, by rules
  std::uint64_t held_records = 0;                        // of these, by rules
  void add(const TopCount& more);
};

struct TopRow {
  std::string name;                                           // of a log "NAMESPACE/POD/CONTAINER", its path, or its labels
  std::string namespace_name, pod, container, filename = {};  // "" where it has none
  TopCount count = {};
};

enum class TopOrder : std::uint8_t { bytes, records };

struct TopReport {
  base::Timestamp time = 0;  // its end
  base::Duration over = 0;   // counted so long
  bool judged = false;       // rules were tried
  TopCount all;
  std::vector<TopRow> logs, namespaces;  // with at least one record, most first

  // Adds up the namespaces and sorts.
  void finish(TopOrder order);
};

struct TopLayout {
  std::size_t logs = 20;       // rows of logs
  std::size_t namespaces = 5;  // rows of namespaces
  std::size_t columns = 0;     // longer lines are cut; 0: none is
};

// For a terminal of so many lines.
[[nodiscard]] TopLayout layout_for(std::size_t lines, std::size_t columns, std::size_t most_logs);

[[nodiscard]] std::string top_text(const TopReport& report, const TopLayout& layout);
// One object, one line.
[[nodiscard]] std::string top_json(const TopReport& report);

}  // namespace weir::show
