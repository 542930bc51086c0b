// How a spool is written that is only to be read: an export, or records of standard input that a query sorts.
#pragma once

#include "spool/writer.h"

#include <cstdint>
#include <string>

namespace weir::stages {

inline constexpr std::uint64_t kKeptBlockBytes = 1 << 20;  // of lines, as in a buffer
inline constexpr std::uint32_t kKeptBlockRecords = 8192;   // so that short lines take no more memory than long ones

// Nothing in it is ever too old or too much, and nothing is synced.
inline spool::WriterOptions keep_all(const std::string& path) {
  spool::WriterOptions options;
  options.path = path;
  options.sync = spool::Sync::off;
  options.rejected_max = options.max_size / 10;
  options.max_size = std::uint64_t{1} << 50;
  options.min_free = 0;
  options.limits_last = false;
  options.retain = options.hold = base::kNever / 2;
  options.wait = 0;
  return options;
}

}  // namespace weir::stages
