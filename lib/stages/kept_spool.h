// How a spool is written that is only to be read: an export, or records of standard input that a query sorts.
#pragma once

#include "spool/writer.h"

#include <cstdint>
#include <string>
#include <utility>

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

// Puts records into such a spool, in blocks of a bounded size. Not thread safe.
class KeptBlocks {
 public:
  // `writer` outlives it. `effort`: how small a block is made.
  KeptBlocks(spool::Writer& writer, spool::Effort effort) : writer_(writer), effort_(effort) {}

  // Errors: those of spool::Writer::append(), and Code::full where records would have to give way to new ones.
  base::Result<void> add(const record::Record& record) {
    builder_.add(record);
    return builder_.line_bytes() < kKeptBlockBytes && builder_.records() < kKeptBlockRecords ? base::Result<void>() : store();
  }
  // The rest. The same errors.
  base::Result<void> store() {
    if (builder_.empty()) return {};
    const std::uint64_t bytes = builder_.line_bytes();
    auto stored = writer_.append(builder_, nullptr, nullptr, effort_);
    if (!stored) return std::move(stored).error();
    // On a full disk a spool without consumers makes room by itself.
    if (stored->evicted_delivered + stored->evicted_held + stored->evicted_undelivered > 0)
      return base::fail(base::Code::full, "cannot store all records: the disk is full");
    line_bytes_ += bytes;
    builder_.give(builder_.take());
    return {};
  }
  // Of the records that are stored.
  [[nodiscard]] std::uint64_t line_bytes() const { return line_bytes_; }

 private:
  spool::Writer& writer_;
  const spool::Effort effort_;
  spool::BlockBuilder builder_;
  std::uint64_t line_bytes_ = 0;
};

}  // namespace weir::stages
