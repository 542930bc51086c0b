// The body of a push request: protobuf in one snappy block. Decoding serves the rare request that has to be taken apart.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "loki/push_pages.h"
#include "record/label_set.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::loki {

// One stream of a request. `entries` holds what PushEncoder::append() wrote.
struct BodyStream {
  std::string_view labels;
  const PageBuffer* entries = nullptr;
};

[[nodiscard]] std::string encode_body(std::span<const BodyStream> streams);
// The same, with memory that is used again: fresh pages cost more than what is written into them.
[[nodiscard]] std::string encode_body(std::span<const BodyStream> streams, std::string& scratch);

// Holds views into its DecodedBody.
struct DecodedEntry {
  base::Timestamp timestamp = 0;
  std::string_view field;  // the whole `entries` field, with tag and length
  std::string_view line;
  std::vector<record::Label> metadata;

  [[nodiscard]] std::size_t raw() const;  // bytes of line and metadata
};

struct DecodedStream {
  std::string_view labels;
  std::vector<DecodedEntry> entries;
};

struct DecodedBody {
  std::string bytes;  // uncompressed
  std::vector<DecodedStream> streams;
};

// Error: Code::parse.
base::Result<DecodedBody> decode_body(std::string_view body);

}  // namespace weir::loki
