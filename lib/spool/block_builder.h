// The open block of a buffer: records as they arrive, and the packed form in which they are stored (weir-spool.5).
#pragma once

#include "record/record.h"
#include "spool/block_info.h"
#include "spool/compression.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::spool {

struct PackedBlock {
  BlockInfo info;  // id and stored are the writer's to set
  std::string streams;
  std::string body;
};

// Keeps its memory from block to block. Not thread safe.
class BlockBuilder {
 public:
  BlockBuilder();

  // Copies the record: everything but source, marker, raw, `parsed` and `value`. The line is decoded.
  void add(const record::Record& record);

  [[nodiscard]] bool empty() const { return batch_.records.empty(); }
  [[nodiscard]] std::uint32_t records() const { return static_cast<std::uint32_t>(batch_.records.size()); }
  [[nodiscard]] std::uint64_t line_bytes() const { return line_bytes_; }
  [[nodiscard]] std::uint32_t held() const { return held_; }
  // The copies, in order of arrival: ordinal i is records[i].
  [[nodiscard]] const record::Batch& batch() const { return batch_; }

  // Packs the records that were added. `packed` keeps its memory for the next call.
  void pack(PackedBlock& packed, Effort effort = Effort::fast);

  // Returns the copies and starts over. `fresh` is cleared and becomes the memory of the next block.
  record::Batch take(record::Batch fresh = record::Batch());
  // Gives memory to a builder that has no records yet. `fresh` is cleared.
  void give(record::Batch fresh);

 private:
  struct Stream {
    const record::LabelSet* labels;
    std::string_view tenant;
    std::uint32_t last_set;  // of its latest record
    std::uint32_t records;
    std::uint64_t line_bytes;
    base::Timestamp min, max;
  };

  std::uint32_t stream_of(const record::Record& record);
  std::uint32_t set_of(std::span<const record::Label> metadata, std::uint32_t guess);
  void pack_streams(std::string& out);
  void put_columns(std::string& out, bool lengths);
  void put_times(std::string& out);
  void put_planes(std::string& out, std::span<const std::uint64_t> numbers);
  void put_sets(std::string& out);
  void put_column(std::string& out);  // section_, which is empty then
  void start_over();

  record::Batch batch_;
  std::uint64_t line_bytes_ = 0;
  std::uint32_t held_ = 0;
  std::vector<Stream> streams_;
  std::vector<std::uint32_t> stream_slots_;           // open addressing, index + 1
  std::vector<std::span<const record::Label>> sets_;  // of metadata; the first is the empty one
  std::vector<std::uint32_t> set_slots_;
  std::vector<std::uint32_t> record_stream_, record_set_;  // by ordinal

  std::array<std::optional<Compressor>, 3> compressors_;  // by effort
  Compressor* compressor_ = nullptr;                      // of the call in progress
  std::vector<std::uint32_t> grouped_, starts_;           // ordinals, stream by stream
  std::string section_, frame_;
  std::size_t last_records_ = 0;  // of the block before
};

}  // namespace weir::spool
