// How many records there were when, in a few rows of a terminal: one for errors, one for warnings, one for all.
//
//   error        ▂    █           12
//   warn    ▂    █                30
//   all   ▂▃▅▆▇▇▆▅▃▂▂▁▁▁▁▁▁▂   1,000
//         14:03:10      14:17:55  15s a column
//
// Each row has its own scale, so that few errors among many records can be seen. A column is a round time long. Memory is bounded,
// whatever the number of records; times of any order and distance are taken.
#pragma once

#include "base/clock.h"
#include "show/level.h"
#include "show/style.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace weir::show {

// Not thread safe.
class Histogram {
 public:
  static constexpr std::size_t kLeastRecords = 5;  // fewer are seen at a glance

  void add(base::Timestamp time, Level level);

  // Lines with their newlines; "" of too few records, and where all have the same time.
  [[nodiscard]] std::string text(const Canvas& canvas) const;

 private:
  struct Counts {
    std::uint64_t errors = 0, warnings = 0, all = 0;
  };
  void coarsen();

  static constexpr std::size_t kMostSlots = 4096;
  base::Duration slot_ = base::kMillisecond;
  std::map<std::int64_t, Counts> slots_;  // by time / slot_
  Counts total_;
  base::Timestamp first_ = 0, last_ = 0;
};

}  // namespace weir::show
