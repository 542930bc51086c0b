// Records -> the entries of Loki's push request, written straight into the memory in which they wait.
//
// The wire format is that of pkg/push/push.proto of Loki: PushRequest{1: streams}, stream{1: labels, 2: entries},
// entry{1: timestamp, 2: line, 3: metadata pairs}. https://protobuf.dev/programming-guides/encoding/
#pragma once

#include "base/clock.h"
#include "loki/limits.h"
#include "loki/push_pages.h"
#include "record/label_set.h"
#include "record/record.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::loki {

// The labels that go to Loki: all but `detected_level` and names that begin with `__`, which are Loki's own.
[[nodiscard]] std::vector<record::Label> pushed_labels(const record::LabelSet& set);

// `{app="x", env="p"}`: names in bytewise order, values quoted as Go's strconv.Quote does, bytes that are not UTF-8 as U+FFFD.
[[nodiscard]] std::string label_string(std::span<const record::Label> labels);

// A name of structured metadata as Loki makes it: everything outside [A-Za-z0-9_] becomes `_`, runs of `_` one, `key_` in front
// of a digit. Loki answers 500 to a name with nothing but underscores; it becomes `weir_unnamed`.
[[nodiscard]] bool is_metadata_name(std::string_view name);  // would be left as it is
[[nodiscard]] std::string metadata_name(std::string_view name);

// Number and bytes of what append() wrote or found.
struct EncodedEntry {
  std::size_t raw = 0;        // line and metadata, as Loki counts for its rates
  std::size_t invalid = 0;    // bytes of the line that were replaced by U+FFFD
};

// Not thread safe; keeps its scratch memory.
class PushEncoder {
 public:
  explicit PushEncoder(const PushLimits& limits, bool with_metadata = true) : limits_(limits), with_metadata_(with_metadata) {}

  void set_metadata(bool send) {
    with_metadata_ = send;
    same_.clear();
    same_count_ = 0;
    metadata_.clear();
    metadata_bytes_ = metadata_count_ = 0;
  }

  // Prepares `record` for a stream named `stream`: decodes and repairs its line and metadata. A refusal says why Loki would not take it.
  [[nodiscard]] std::optional<Refusal> prepare(const record::Record& record, std::string_view stream, base::Timestamp now);
  // What prepare() found; valid until the next one.
  [[nodiscard]] const EncodedEntry& prepared() const { return entry_; }
  // Appends the prepared record as a complete `entries` field.
  void append(PageBuffer& out) const;

 private:
  void encode_metadata(std::span<const record::Label> metadata);
  void add_pair(std::string_view name, std::string_view value);

  const PushLimits limits_;
  bool with_metadata_;
  EncodedEntry entry_;
  base::Timestamp timestamp_ = 0;
  std::string_view line_;
  std::string decoded_;  // scratch for the line
  std::string repaired_;

  // Neighbours mostly share their metadata (the pod's uid), so the fields written for the latest record are kept.
  std::string same_;  // its names and values as they came, each with its length
  std::size_t same_count_ = 0;
  std::string metadata_;  // the fields
  std::size_t metadata_bytes_ = 0, metadata_count_ = 0;
};

// Varints and fields, for whoever builds a request around entries.
std::size_t varint_size(std::uint64_t value);
char* write_varint(char* out, std::uint64_t value);

}  // namespace weir::loki
