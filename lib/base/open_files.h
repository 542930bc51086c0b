// How many files this process may have open.
#pragma once

#include <cstdint>

namespace weir::base {

// Raises it to what the system allows. Returns what holds then.
std::uint64_t raise_open_files();

}  // namespace weir::base
