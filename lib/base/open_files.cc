#include "base/open_files.h"

#include <sys/resource.h>

#include <limits>

namespace weir::base {

std::uint64_t raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::numeric_limits<std::uint64_t>::max();
  const rlimit most{limit.rlim_max, limit.rlim_max};
  if (limit.rlim_cur < limit.rlim_max && ::setrlimit(RLIMIT_NOFILE, &most) == 0) return most.rlim_cur;
  return limit.rlim_cur;
}

}  // namespace weir::base
