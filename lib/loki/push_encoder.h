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

  void set_metadata(bool send) { with_metadata_ = send; }

  // Prepares `record` for a stream named `stream`: decodes and repairs its line and metadata. A refusal says why Loki would not take it.
  [[nodiscard]] std::optional<Refusal> prepare(const record::Record& record, std::string_view stream, base::Timestamp now);
  // What prepare() found; valid until the next one.
  [[nodiscard]] const EncodedEntry& prepared() const { return entry_; }
  // Appends the prepared record as a complete `entries` field.
  void append(PageBuffer& out) const;

 private:
  struct Pair {
    std::string_view name, value;
  };
  std::string_view keep(std::string text);

  const PushLimits limits_;
  bool with_metadata_;
  EncodedEntry entry_;
  base::Timestamp timestamp_ = 0;
  std::string_view line_;
  std::vector<Pair> metadata_;
  std::string decoded_;                       // scratch for the line
  std::string repaired_;
  std::vector<std::unique_ptr<std::string>> kept_;  // repaired names and values, stable while the record is at hand
  std::size_t kept_used_ = 0;
};

// Varints and fields, for whoever builds a request around entries.
std::size_t varint_size(std::uint64_t value);
char* write_varint(char* out, std::uint64_t value);

}  // namespace weir::loki
