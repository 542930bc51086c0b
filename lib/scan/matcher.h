// What of the records of a block counts, and as what.
#pragma once

#include "base/result.h"
#include "record/record.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::scan {

// What came of the records of a block: some of them as they are, or others that were made of them.
struct Matches {
  struct One {
    base::Timestamp time;
    std::uint32_t index;  // in the block's batch, or in `made`
    bool made;
  };
  std::vector<One> all;
  record::Batch made;

  void clear() {
    all.clear();
    made.clear();
  }
  void add_made(record::Record record) {
    made.records.push_back(record);
    all.push_back({record.timestamp, static_cast<std::uint32_t>(made.records.size() - 1), true});
  }
};

// Not thread safe: one for each thread.
class Matcher {
 public:
  virtual ~Matcher() = default;
  [[nodiscard]] virtual bool selects(const record::LabelSet& labels) const = 0;
  // As spool::LoadOptions has them. They stay as long as the matcher.
  [[nodiscard]] virtual std::span<const std::vector<std::string>> needles() const = 0;
  [[nodiscard]] virtual bool reads_line() const = 0;
  // The block begins whose records come next, in the order of storing.
  virtual void begin() {}
  // Appends what comes of records[index] of the block's batch, if anything. An error ends the scan.
  virtual base::Result<void> take(record::Batch& block, std::uint32_t index, Matches& out) = 0;
  // Where a scan may be cut in two: the first such time that is not before this one. What comes of records before it has an earlier
  // time, and tells nothing of later records.
  [[nodiscard]] virtual base::Timestamp cut(base::Timestamp time) const { return time; }
};

using MakeMatcher = std::function<base::Result<std::unique_ptr<Matcher>>()>;

}  // namespace weir::scan
