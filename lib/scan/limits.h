// What a scan may take.
#pragma once

#include <cstddef>

namespace weir::scan {

struct Limits {
  // Bytes of memory, about, for the whole process. Records that overlapping blocks hold for later may take as much again.
  std::size_t memory = 32UL << 20U;
  // Threads that read blocks. 0: one for each core that the process may use, as far as the memory reaches; a small scan has none
  // but that of its caller.
  unsigned threads = 0;

  // Threads that read blocks, where there is enough to read.
  [[nodiscard]] unsigned workers() const;
  // Bytes of records for later: above the first they are packed, above the second the latest ones are put off, and their blocks
  // are read again.
  [[nodiscard]] std::size_t plain() const { return memory / 2; }
  [[nodiscard]] std::size_t most() const { return memory + memory / 4; }
};

}  // namespace weir::scan
