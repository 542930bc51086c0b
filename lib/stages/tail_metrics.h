// What tail shows of its logs: how far behind each is, and which of them log most. The worst few have a row of their own.
#pragma once

#include "base/clock.h"
#include "metrics/registry.h"
#include "metrics/worst.h"
#include "pipeline/stage.h"
#include "tail/journal_lag.h"
#include "tail/log_set.h"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace weir::stages {

// For the thread that reads the logs.
class TailMetrics {
 public:
  static constexpr std::size_t kWorst = 5;
  static constexpr base::Duration kRateOver = 10 * base::kSecond;  // at least

  // Counts in `block`, which outlives it.
  explicit TailMetrics(metrics::Block& block);

  // Looks at all logs; null: no files are read. Costs a system call a file, and a read where something is unread: not once a batch.
  void look(const tail::LogSet* logs, const tail::JournalLag& journal, base::Monotonic now, base::Timestamp wall);

 private:
  struct Seen {
    const tail::LogReader* reader = nullptr;
    std::uint64_t unread = 0, behind = 0, rate = 0;
  };
  void show(metrics::Table& table, metrics::Worst& worst, const std::vector<Seen>& logs, std::uint64_t Seen::*value,
            base::Monotonic now) const;

  metrics::Gauge logs_, unread_, oldest_, journal_unread_, journal_lag_;
  metrics::Table log_unread_, log_lag_, log_rate_;
  metrics::Worst worst_unread_{kWorst}, worst_lag_{kWorst}, worst_rate_{kWorst};
  // What each log had written when rates were last worked out, by its number.
  std::unordered_map<std::uint32_t, std::uint64_t> written_;
  base::Monotonic written_at_ = base::kNever;
};

}  // namespace weir::stages
