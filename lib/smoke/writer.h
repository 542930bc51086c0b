// The three ways in which the records of a run are handed over: pushed to Loki, written to logs that a command reads, printed for
// an agent that reads this process's output.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "smoke/plan.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weir::smoke {

// Batches that were not taken, and why.
struct Refused {
  std::uint32_t first = 0, size = 0;  // records
  std::string words;
};

struct WriteReport {
  std::uint64_t requests = 0;  // push requests, repeats included
  std::uint64_t repeats = 0;   // of them, those that were sent again since the answer to the first was none, or said so
  std::uint64_t bytes = 0;     // of lines
  std::vector<Refused> refused;
  std::string trouble;  // the latest reason for a repeat, in words; "" for none
};

// One thread calls write() and finish(); any thread may call give_up() and report().
class Writer {
 public:
  virtual ~Writer() = default;

  // Hands over a batch. Does not wait for an answer. An error is final.
  virtual base::Result<void> write(const PlannedBatch& batch) = 0;
  // Returns when all that was written is where it should be, or was given up; at `deadline` at the latest.
  virtual base::Result<void> finish(base::Monotonic deadline) = 0;
  // Has finish() return at once.
  virtual void give_up() {}
  [[nodiscard]] virtual WriteReport report() const = 0;
};

}  // namespace weir::smoke
