// Encodes records as the entries of Loki's push request, straight into the memory in which they wait.
//
// The wire format is that of pkg/push/push.proto of Loki: PushRequest{1: streams}, stream{1: labels, 2: entries}, entry{1:
// timestamp, 2: line, 3: metadata pairs}. https://protobuf.dev/programming-guides/encoding/
#pragma once

#include "base/clock.h"
#include "loki/limits.h"
#include "loki/push_pages.h"
#include "names/tenant.h"
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

// A stream as it goes to Loki. It holds views into the label set and into itself, so it does not move.
//
// The label `detected_level` and labels that begin with `__` are Loki's own and are not sent. Loki refuses a label value that
// is not UTF-8 or that holds U+FFFD. In such a value each of these bytes is sent as `\xHH` and a backslash as `\\`, so that
// different values stay different streams. A byte that Loki accepts in no tenant is sent as `(HH)`. The metadata of each record
// keeps the original: `weir_escaped_labels` names the escaped labels, and `weir_tenant` is the tenant in the form of a label
// value.
struct PushedStream {
  PushedStream(const record::LabelSet& set, std::string_view tenant);
  PushedStream(const PushedStream&) = delete;
  PushedStream& operator=(const PushedStream&) = delete;

  std::string tenant;
  std::string name;  // the label string
  std::vector<record::Label> labels;
  std::vector<std::pair<std::string, std::string>> notes;  // metadata for each record; mostly empty

 private:
  std::deque<std::string> values_;
};

// `{app="x", env="p"}`: names in bytewise order. Values are UTF-8, quoted as Go's strconv.Quote does.
[[nodiscard]] std::string label_string(std::span<const record::Label> labels);

using names::is_tenant;  // nothing else may get into a header

// Numbers about the prepared record.
struct EncodedEntry {
  std::size_t raw = 0;      // bytes of line and metadata, as Loki counts them for its rate limits
  std::size_t invalid = 0;  // bytes of the line that were replaced by U+FFFD
  std::size_t renamed = 0;  // metadata with a name that Loki never accepts
};

// Not thread safe. Keeps its scratch memory between records.
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

  // Prepares `record` for a stream named `stream`: decodes and repairs line and metadata, and adds `notes` to the metadata. A
  // refusal says why Loki would not take the record. The time is checked only when `now` is given.
  [[nodiscard]] std::optional<Refusal> prepare(const record::Record& record, std::string_view stream,
                                               std::optional<base::Timestamp> now,
                                               std::span<const std::pair<std::string, std::string>> notes = {});
  // The numbers of the latest prepare(). Valid until the next one.
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

  // Neighbouring records mostly share their metadata (the pod's uid). So the fields written for the latest record are kept.
  std::string same_;  // its names and values as they came, each after its length
  std::size_t same_count_ = 0;
  std::string metadata_;  // the encoded fields
  std::size_t metadata_bytes_ = 0, metadata_count_ = 0, metadata_renamed_ = 0;
  std::vector<record::Label> extended_;  // scratch for metadata with the notes added
};

// Varints and fields, for code that builds a request around entries.
std::size_t varint_size(std::uint64_t value);
char* write_varint(char* out, std::uint64_t value);

}  // namespace weir::loki
