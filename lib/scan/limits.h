// What a scan may take.
#pragma once

#include <cstddef>
#include <functional>

namespace weir::scan {

struct Limits {
  // Bytes of memory, about, for the whole process. Records that overlapping blocks hold for later may take as much again.
  std::size_t memory = 32UL << 20U;
  // Threads that read blocks. 0: one for each core that the process may use, as far as the memory reaches; a small scan has none
  // but that of its caller, and neither has one that looks for nothing in the records.
  unsigned threads = 0;
  // Asked within a block, too, by each of the threads: once it says true, the scan ends as soon as it can, as where its Watch says
  // false, which is asked then. May be null. A block may take a while where each of its records does.
  std::function<bool()> over = {};

  // Threads that read blocks, where there is enough to read.
  [[nodiscard]] unsigned workers() const;
  // Bytes of records for later: above the first they are packed, above the second the latest ones are put off, and their blocks
  // are read again. The less is packed, the less time it takes. What threads hold is taken off.
  [[nodiscard]] std::size_t plain() const { return most() * 9 / 10; }
  [[nodiscard]] std::size_t most() const;
};

}  // namespace weir::scan
