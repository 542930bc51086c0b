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

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::loki {

// A stream as it goes to Loki. Views into the label set and into itself, so it stays where it is.
//
// Left out are the labels `detected_level` and those that begin with `__`, which are Loki's own. Loki refuses a value with bytes
// that are not UTF-8, and one with U+FFFD: there each of these bytes is sent as `\xHH` and a backslash as `\\`, so that different
// values stay different streams. In a tenant everything that Loki takes in none is sent as `(HH)`. Metadata of each record tells
// what it was: `weir_escaped_labels` names the labels, `weir_tenant` is the tenant as a label value would be.
struct PushedStream {
  PushedStream(const record::LabelSet& set, std::string_view tenant);
  PushedStream(const PushedStream&) = delete;
  PushedStream& operator=(const PushedStream&) = delete;

  std::string tenant;
  std::string name;  // label string
  std::vector<record::Label> labels;
  std::vector<std::pair<std::string, std::string>> notes;  // metadata of each record; mostly none

 private:
  std::deque<std::string> values_;
};

// `{app="x", env="p"}`: names in bytewise order, values, which are UTF-8, quoted as Go's strconv.Quote does.
[[nodiscard]] std::string label_string(std::span<const record::Label> labels);

// What Loki takes as a tenant, and the colon that VictoriaLogs writes between account and project. Nothing else may reach a header.
[[nodiscard]] bool is_tenant(std::string_view tenant);

// Number and bytes of what append() wrote or found.
struct EncodedEntry {
  std::size_t raw = 0;        // line and metadata, as Loki counts for its rates
  std::size_t invalid = 0;    // bytes of the line that were replaced by U+FFFD
  std::size_t renamed = 0;    // metadata whose name Loki takes in no form
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
    metadata_bytes_ = metadata_count_ = metadata_renamed_ = 0;
  }

  // Prepares `record` for a stream named `stream`: decodes and repairs its line and metadata, to which `notes` are added. A refusal says why
  // Loki would not take it; its time is judged only when `now` is told.
  [[nodiscard]] std::optional<Refusal> prepare(const record::Record& record, std::string_view stream, std::optional<base::Timestamp> now,
                                               std::span<const std::pair<std::string, std::string>> notes = {});
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
  std::size_t metadata_bytes_ = 0, metadata_count_ = 0, metadata_renamed_ = 0;
  std::vector<record::Label> extended_;  // scratch for metadata with what is added to it
};

// Varints and fields, for whoever builds a request around entries.
std::size_t varint_size(std::uint64_t value);
char* write_varint(char* out, std::uint64_t value);

}  // namespace weir::loki
