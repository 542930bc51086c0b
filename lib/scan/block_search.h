// Looks for what matches in one block after the other: one for each thread.
#pragma once

#include "base/result.h"
#include "base/time_range.h"
#include "record/record.h"
#include "scan/matcher.h"
#include "scan/run.h"
#include "spool/reader.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::scan {

// A block of one of several spools.
struct Block {
  std::size_t spool = 0;  // index of its path
  spool::BlockInfo info = {};
};

// Whether a record in this state is wanted. Any thread may ask.
using WantedState = std::function<bool(spool::State)>;

// Whose records are wanted: "" are those without a tenant, nullopt those of all tenants.
using WantedTenant = std::optional<std::string>;
[[nodiscard]] inline bool takes(const WantedTenant& wanted, std::string_view tenant) { return !wanted || *wanted == tenant; }

struct Found {
  enum class Kind : std::uint8_t { read, evicted, unreadable, cut_short };
  Kind kind = Kind::read;
  Run run;                             // in the order of time, and where times are equal in the order of storing
  std::vector<base::Timestamp> times;  // in place of a run, in the order of storing
  std::string why;                     // it is unreadable
};

// The readers of several spools, in the order of their paths.
using Readers = std::vector<std::shared_ptr<spool::Reader>>;

// Not thread safe.
class BlockSearch {
 public:
  // `times`: what is found is times alone. `first`: a run has no more than so many records of the block, those of the earliest
  // times; 0: all. `over`: that of Limits. `memory`: of the runs; it must outlive them and the search.
  BlockSearch(Readers readers, std::unique_ptr<Matcher> matcher, WantedState wanted, WantedTenant tenant, bool times,
              std::uint64_t first, std::function<bool()> over, FrameMemory& memory)
      : readers_(std::move(readers)),
        matcher_(std::move(matcher)),
        wanted_(std::move(wanted)),
        tenant_(std::move(tenant)),
        times_(times),
        first_(first),
        over_(std::move(over)),
        writer_(memory) {}

  // Errors: io of the reader, those of the matcher.
  base::Result<Found> search(const Block& block, const base::TimeRange& range);
  [[nodiscard]] const Matcher& matcher() const { return *matcher_; }

 private:
  // False: it is over.
  base::Result<bool> match();
  void sort();

  Readers readers_;
  std::unique_ptr<Matcher> matcher_;
  WantedState wanted_;
  WantedTenant tenant_;
  bool times_;
  std::uint64_t first_;
  std::function<bool()> over_;
  record::Batch loaded_;
  std::vector<spool::State> states_;
  Matches matches_;
  RunWriter writer_;
};

}  // namespace weir::scan
