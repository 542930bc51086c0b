// How somebody follows long work on a spool, and ends it.
#pragma once

#include <cstdint>
#include <functional>

namespace weir::spool {

// Called again and again with how many bytes of the work are done, and with all. False ends the work with Code::interrupted. Empty:
// nobody follows.
using Watch = std::function<bool(std::uint64_t done, std::uint64_t all)>;

}  // namespace weir::spool
