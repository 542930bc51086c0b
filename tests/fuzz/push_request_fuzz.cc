// What clients push (loki/push_reader.h). The first byte chooses the form: j JSON, o the JSON of the old endpoint, g JSON in gzip,
// d in deflate, s protobuf in snappy, l a label string; any other: protobuf that this packs.
#include "fuzz/fuzz.h"
#include "loki/push_labels.h"
#include "loki/push_reader.h"
#include "record/jsonl_writer.h"

#include <snappy.h>

#include <string>

namespace {

using namespace weir;

constexpr std::size_t kMostUnpacked = 1 << 20;

void push(std::string_view body, std::string_view type, std::string_view encoding, bool old) {
  static loki::PushReader reader(
      {.limits = {.max_age = 0, .max_ahead = 0}, .max_behind = base::kHour, .most_unpacked = kMostUnpacked});
  record::Batch batch;
  const auto verdict =
      reader.read({.content_type = type, .content_encoding = encoding, .old_endpoint = old, .tenant = "t", .body = body}, 1, batch);
  WEIR_HOLDS(verdict.records == batch.records.size());
  WEIR_HOLDS((verdict.status == 204) == verdict.text.empty());
  WEIR_HOLDS(verdict.text.empty() || verdict.text.back() == '\n');
  std::uint64_t bytes = 0;
  std::string out;
  for (const record::Record& record : batch.records) {
    WEIR_HOLDS(record.labels != nullptr && record.labels->size() > 0);
    bytes += record.line.data.size();
    record::append_jsonl(out, record);
    out.clear();
  }
  WEIR_HOLDS(verdict.bytes == bytes && bytes <= kMostUnpacked);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  constexpr std::string_view kJson = "application/json", kProtobuf = "application/x-protobuf";
  switch (fuzz::take_byte(input)) {
    case 'j':
      push(input, kJson, "", false);
      break;
    case 'o':
      push(input, kJson, "", true);
      break;
    case 'g':
      push(input, kJson, "gzip", false);
      break;
    case 'd':
      push(input, kJson, "deflate", false);
      break;
    case 's':
      push(input, kProtobuf, "", false);
      break;
    case 'l': {
      const auto read = loki::read_pushed_labels(input);
      WEIR_HOLDS(!read.error || read.labels.empty());
      break;
    }
    default: {
      std::string block;
      snappy::Compress(input.data(), input.size(), &block);
      push(block, kProtobuf, "", false);
    }
  }
  return 0;
}
