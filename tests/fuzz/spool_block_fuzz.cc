// Blocks of a spool. The input is read as JSON lines, whose records are packed and must come back equal; then bytes of the block
// are changed as the first four bytes say, and it must be refused or give as many records. It is also read as a block itself, as
// lines from which values are taken, and as what is left of such lines.
#include "fuzz/fuzz.h"
#include "record/jsonl_reader.h"
#include "spool/block_builder.h"
#include "spool/block_decoder.h"
#include "spool/line_values.h"
#include "support/fake_clock.h"
#include "support/random_records.h"

#include <algorithm>
#include <array>
#include <cstring>
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

void take_and_put_back(std::string_view input) {
  constexpr base::Timestamp kOrigin = 1'764'496'800'000'000'000;
  std::string lines(input);
  spool::LineValues values;
  const std::size_t left = spool::take_values(lines.data(), lines.size(), kOrigin, values);
  WEIR_HOLDS(left <= lines.size());
  if (left == lines.size()) {
    WEIR_HOLDS(lines == input);
    return;
  }
  std::array<std::string, 8> bytes;
  spool::wire::Planes times;
  for (std::size_t i = 0; i < times.size(); ++i) {
    for (const std::uint64_t time : values.times) bytes[i].push_back(static_cast<char>(time >> (8 * i)));
    times[i] = bytes[i];
  }
  std::memmove(lines.data() + (lines.size() - left), lines.data(), left);
  WEIR_HOLDS(spool::put_values_back(lines.data(), lines.size(), left, values.ids, times, kOrigin));
  WEIR_HOLDS(lines == input);
}

// Anything as what is left of lines, ids and times.
void put_back(std::string_view input, std::size_t growth) {
  const std::size_t left = input.size() / 2, ids = input.size() / 4;
  std::string lines(left + growth, '\0');
  lines.replace(growth, left, input.substr(0, left));
  const std::string_view times = input.substr(left + ids);
  (void)spool::put_values_back(
      lines.data(), lines.size(), left, input.substr(left, ids),
      {times.substr(0, times.size() / 2), {}, {}, times.substr(times.size() - times.size() / 2), {}, {}, {}, {}}, 0);
}

void expect_equal(const record::Batch& given, const record::Batch& back) {
  WEIR_HOLDS(back.records.size() == given.records.size());
  for (std::size_t i = 0; i < back.records.size(); ++i) {
    record::Record original = given.records[i];
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
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  take_and_put_back(input);
  put_back(input, size > 0 ? data[0] * std::size_t{4} : 0);
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
  for (const spool::Effort effort : {spool::Effort::fast, spool::Effort::lasting}) {
    spool::PackedBlock packed;
    builder.pack(packed, effort);
    record::Batch back;
    WEIR_HOLDS(unpack(packed.streams, packed.body, packed.info.records, back));
    expect_equal(batch, back);
    change(packed.streams, stream_place, stream_bits);
    change(packed.body, body_place, body_bits);
    record::Batch changed;
    unpack(packed.streams, packed.body, packed.info.records, changed);
  }
  builder.take();
  return 0;
}
