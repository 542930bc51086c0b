// What happened to a spool that people must hear of: damage that was set aside, and what was saved of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::spool {

struct News {
  std::vector<std::string> sentences;
  std::uint64_t lost = 0;  // records that nobody will pass on, as far as they can be counted; at least 1 when some are
};

}  // namespace weir::spool
