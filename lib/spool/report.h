// What the user must learn about a spool: damage, and what was saved; a clock that was set; a limit that took effect.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::spool {

struct Report {
  std::vector<std::string> sentences;
  std::uint64_t lost = 0;  // records that are lost for good, as far as they can be counted; at least 1 when any are
};

}  // namespace weir::spool
