// What `weir spool status` shows: what a spool (or a file of positions) says, and how far its logs are behind, as text for people
// and as JSON. It asks no running process.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "spool/inspection.h"
#include "tail/journal_lag.h"
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
  std::vector<tail::StoredJournal> journals;  // that may go on
  std::vector<LogLag> logs;                   // of which something is unread, gone or in trouble: the furthest behind first

  // False: some log or journal cannot be read. The sums over the logs, and behind(), are then of what is known: the least that it
  // can be.
  [[nodiscard]] bool bytes_known() const;
  [[nodiscard]] bool times_known() const;
  [[nodiscard]] std::uint64_t unread_bytes() const;  // of the logs that are files
  [[nodiscard]] base::Duration unread_for() const;   // the age of the oldest unread line, or entry of a journal
  // How late delivery out of the spool is: the age of an undelivered record by its own time, or the time since it was stored,
  // whichever is less; the longest of these.
  [[nodiscard]] base::Duration undelivered_for() const;
  // The longer of both: what is not delivered out of the spool, and what is not read.
  [[nodiscard]] base::Duration behind() const;

  // Of the processes that write the spool or deliver out of it now.
  [[nodiscard]] bool is_running() const;
  // Those that are blocked: the writer first, which keeps the logs from being read, then those that have waited longest. One
  // process that does both stands there once for each of its reasons.
  [[nodiscard]] std::vector<const spool::ProcessStatus*> blocked() const;
  [[nodiscard]] bool is_full() const;  // the writer waits for room
  // spool::SpoolStatus::full_in(); 0 when it is full.
  [[nodiscard]] std::optional<base::Duration> full_in() const;
  // Of all processes, also those that have ended; null where nothing is known.
  [[nodiscard]] const spool::ProcessStatus* latest_error() const;
  [[nodiscard]] base::Timestamp latest_success() const;
};

// Errors: those of spool::read_status().
[[nodiscard]] base::Result<SpoolReport> read_spool_report(const std::string& path, const base::Clock& clock);

// How late delivery is, as --max-behind asks: whether it is later than `most`. Error: io, when that is not known, because a log
// cannot be read and what is known is not later.
[[nodiscard]] base::Result<bool> is_behind(const SpoolReport& report, base::Duration most);

[[nodiscard]] std::string spool_report_text(const SpoolReport& report);
// One object, one line.
[[nodiscard]] std::string spool_report_json(const SpoolReport& report);

}  // namespace weir::cli
