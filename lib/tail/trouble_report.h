// What tail says of logs that cannot be read or that are read in part: each thing once or now and then, and counted.
//
// Files that cannot be read are gathered by cause: following, which goes on for ever, says so at once; reading once says it at the
// end. What was lost, torn or left out is known from the readers' figures: tell() says what has grown since it last looked.
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
  // All outlive it. The readers write to `stats`; what is said of lost stretches is taken out of it.
  TroubleReport(const ReadOptions& options, ReadStats& stats, base::Diagnostics& diagnostics)
      : options_(options), stats_(stats), diagnostics_(diagnostics) {}

  // These cannot be opened or read.
  void add(const Unreadable& unreadable);
  void add(std::string_view path, const Cause& cause);
  // The same of something that had been opened.
  void add_opened(std::string_view path, const Cause& cause);

  // What is read next: should it be odd, messages name it. To be followed by note() when that was read.
  void begin() { before_ = oddities(); }
  void note(std::string_view name) {
    if (oddities() != before_) odd_ = name;
  }

  // Says what is new. `last`: reading once is over.
  void tell(bool last);

  [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
  // Something cannot be read that does not change by itself. A link that is refused is no such thing: it is what a folder without
  // logs may hold, and following waits for logs that come.
  [[nodiscard]] bool nothing_to_wait_for() const { return unreadable_ > (options_.follow ? refused_ : 0); }
  [[nodiscard]] std::uint64_t opened_unreadable() const { return opened_unreadable_; }  // of those, what had been opened
  // Nothing could be read at all: Code::io.
  [[nodiscard]] base::Error nothing_readable() const;

 private:
  [[nodiscard]] std::uint64_t oddities() const { return stats_.malformed + stats_.split + stats_.truncated + stats_.leading_holes; }
  void tell_unreadable();
  void tell_gaps();

  const ReadOptions& options_;
  ReadStats& stats_;
  base::Diagnostics& diagnostics_;
  ReadStats told_;
  std::string odd_;  // the latest log of which one of oddities() grew
  std::uint64_t before_ = 0;
  std::uint64_t unreadable_ = 0, opened_unreadable_ = 0;
  std::uint64_t refused_ = 0;  // of the unreadable, links that lead where none may lead
  Unreadable news_;            // not said yet
};

}  // namespace weir::tail
