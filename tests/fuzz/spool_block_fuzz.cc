// Blocks of a spool. The input is read as JSON lines, whose records are packed and must come back equal; then bytes of the block
// are changed as the first four bytes say, and it must be refused or give as many records. It is also read as a block itself.
#include "fuzz/fuzz.h"
#include "record/jsonl_reader.h"
#include "spool/block_builder.h"
#include "spool/block_decoder.h"
#include "support/fake_clock.h"
#include "support/random_records.h"

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace weir;

bool unpack(const std::string& streams, const std::string& body, std::uint32_t expected, record::Batch& batch) {
  static spool::BlockDecoder decoder;
  auto read = decoder.streams(streams);
  if (!read) return false;
  std::vector<std::uint32_t> ordinals;
  if (!decoder.records(body, *read, expected, {}, batch, ordinals)) return false;
  WEIR_HOLDS(ordinals.size() == batch.records.size() && batch.records.size() <= expected);
  for (const record::Record& record : batch.records) WEIR_HOLDS(record.labels != nullptr);
  return true;
}

void change(std::string& bytes, unsigned where, unsigned what) {
  if (!bytes.empty())
    bytes[where * bytes.size() / 256] = static_cast<char>(bytes[where * bytes.size() / 256] ^ static_cast<int>(what));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  record::Batch raw;
  unpack(std::string(input.substr(0, size / 2)), std::string(input.substr(size / 2)), 8192, raw);

  const unsigned stream_place = fuzz::take_byte(input), stream_bits = fuzz::take_byte(input);
  const unsigned body_place = fuzz::take_byte(input), body_bits = fuzz::take_byte(input);
  static const test::FakeClock clock;
  record::JsonlReader reader(clock);
  record::Batch batch;
  const std::string_view kept = batch.copy(input);
  for (std::size_t at = 0; at < kept.size();) {
    const std::size_t end = std::min(kept.find('\n', at), kept.size());
    (void)reader.parse(kept.substr(at, end - at), batch).ok();
    at = end + 1;
  }
  std::erase_if(batch.records, [](const record::Record& record) { return record.is_marker() || record.sample; });
  if (batch.records.empty()) return 0;
  static spool::BlockBuilder builder;
  for (const record::Record& record : batch.records) builder.add(record);
  spool::PackedBlock packed;
  builder.pack(packed);
  builder.take();
  record::Batch back;
  WEIR_HOLDS(unpack(packed.streams, packed.body, packed.info.records, back));
  WEIR_HOLDS(back.records.size() == batch.records.size());
  for (std::size_t i = 0; i < back.records.size(); ++i) {
    record::Record original = batch.records[i];
    const record::Extra* extra = original.extra;
    record::Extra stored;
    if (extra != nullptr) {  // neither `parsed` nor `value` is stored
      stored.unknown = extra->unknown;
      stored.rejected = extra->rejected;
      original.extra = stored.unknown.empty() && stored.rejected.empty() ? nullptr : &stored;
    }
    const std::string stored_text = test::describe(back.records[i]), given_text = test::describe(original);
    if (stored_text != given_text) std::fprintf(stderr, "stored %s\ngiven  %s\n", stored_text.c_str(), given_text.c_str());
    WEIR_HOLDS(stored_text == given_text);
  }
  change(packed.streams, stream_place, stream_bits);
  change(packed.body, body_place, body_bits);
  record::Batch changed;
  unpack(packed.streams, packed.body, packed.info.records, changed);
  return 0;
}
