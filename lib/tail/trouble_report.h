// What tail reports of logs that it cannot read, or not whole: once, or now and then, and counted.
//
// Files that cannot be read are gathered by cause. A tail that follows reports them at once, one that reads once at its end. What
// was lost, split or left out is known from the counts of the readers: report() says what has grown since its last call.
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "tail/log_reader.h"
#include "tail/unreadable.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::tail {

// Not thread safe.
class TroubleReport {
 public:
  // All outlive it. The readers write to `stats`; report() takes the lines of lost parts out of it.
  TroubleReport(const ReadOptions& options, ReadStats& stats, base::Diagnostics& diagnostics)
      : options_(options), stats_(stats), diagnostics_(diagnostics) {}

  // These cannot be opened or read.
  void add(const Unreadable& unreadable);
  void add(std::string_view path, const Cause& cause);
  // The same of something that had been opened.
  void add_opened(std::string_view path, const Cause& cause);

  // Around each read: should it find a malformed, split or truncated text, messages name what was read.
  void begin() { before_ = oddities(); }
  void note(std::string_view name) {
    if (oddities() != before_) odd_ = name;
  }

  // Reports what is new. `last`: reading once is over.
  void report(bool last);

  [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
  // Something cannot be read that does not change by itself. A link that is refused is no such thing: it is what a folder without
  // logs may hold, and following waits for logs that come.
  [[nodiscard]] bool nothing_to_wait_for() const { return unreadable_ > (options_.follow ? refused_ : 0); }
  [[nodiscard]] std::uint64_t opened_unreadable() const { return opened_unreadable_; }  // of those, what had been opened
  // Nothing could be read at all: Code::io.
  [[nodiscard]] base::Error nothing_readable() const;

 private:
  [[nodiscard]] std::uint64_t oddities() const { return stats_.malformed + stats_.split + stats_.truncated + stats_.leading_holes; }
  void report_unreadable();
  void report_gaps();

  const ReadOptions& options_;
  ReadStats& stats_;
  base::Diagnostics& diagnostics_;
  ReadStats reported_;
  std::string odd_;  // the latest log of which one of oddities() grew
  std::uint64_t before_ = 0;
  std::uint64_t unreadable_ = 0, opened_unreadable_ = 0;
  std::uint64_t refused_ = 0;  // of the unreadable, links that lead where none may lead
  Unreadable unreported_;      // not reported yet
};

}  // namespace weir::tail
