// What a stage counts of its records, as values: what exit code, summary and tests go by, read from the cells that a scrape reads.
#pragma once

#include "metrics/registry.h"
#include "record/record.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace weir::pipeline {

// By metrics::Account. Bytes are those of lines, decoded or as they came.
struct Counters {
  std::uint64_t records_in = 0, bytes_in = 0;
  std::uint64_t records_added = 0;
  std::uint64_t records_out = 0, bytes_out = 0;
  std::uint64_t held = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t rejected = 0;
  std::uint64_t invalid = 0;
  std::uint64_t lost = 0;
  std::uint64_t unreadable_files = 0;
  std::map<std::string, std::uint64_t, std::less<>> dropped, rejected_by_reason;

  // Enters what a cell, or a sample of the registry, holds.
  void enter(const metrics::Metric& metric, std::string_view label_value, std::uint64_t value);

  // Records that came in and of which nobody knows what became of them; negative: of some more became than came. 0 between two
  // batches, or something is counted in a wrong place.
  [[nodiscard]] std::int64_t unaccounted() const;
};

// On the thread that writes the block, or when it is done.
[[nodiscard]] Counters counters_of(const metrics::Block& block);

// Adds up several blocks, as those of two threads of one stage.
[[nodiscard]] Counters counters_of(std::span<const metrics::Block* const> blocks);

// Of one stage ("filter") in what the registry has read; "" for all together.
[[nodiscard]] Counters counters_of(std::span<const metrics::Sample> samples, std::string_view stage);

// Records with a line, or samples: all but markers.
struct Tally {
  std::uint64_t records = 0, bytes = 0;

  void add(const record::Record& record) {
    ++records;
    bytes += record.line.data.size();
  }
};
[[nodiscard]] Tally tally_of(const record::Batch& batch);

}  // namespace weir::pipeline
