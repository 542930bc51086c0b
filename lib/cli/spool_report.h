// What `weir spool status` shows: what a spool (or a file of positions) says, and how far its logs are behind, as text for people
// and as JSON. It asks no running process.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/inspection.h"
#include "tail/lag.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

struct LogLag {
  std::string path;  // of the live file
  tail::Lag lag;
};

struct SpoolReport {
  std::string path;
  base::Timestamp now = 0;
  spool::SpoolStatus status;
  std::vector<LogLag> logs;  // of which something is unread, gone or in trouble: the furthest behind first

  // Sums over the logs.
  [[nodiscard]] std::uint64_t unread_bytes() const;
  [[nodiscard]] base::Duration unread_for() const;  // the age of the oldest unread line
  // The age of the oldest record that is not delivered, in the spool or in a log that is not read.
  [[nodiscard]] base::Duration behind() const;

  // Of the processes that write the spool or deliver out of it now.
  [[nodiscard]] bool is_running() const;
  [[nodiscard]] const spool::ProcessStatus* blocked() const;  // the one that is blocked for the longest time; null for none
  // Of all processes, also those that have ended; null where nothing is known.
  [[nodiscard]] const spool::ProcessStatus* latest_error() const;
  [[nodiscard]] base::Timestamp latest_success() const;
};

// Errors: those of spool::read_status().
[[nodiscard]] base::Result<SpoolReport> read_spool_report(const std::string& path, const base::Clock& clock);

[[nodiscard]] std::string spool_report_text(const SpoolReport& report);
// One object, one line.
[[nodiscard]] std::string spool_report_json(const SpoolReport& report);

}  // namespace weir::cli
