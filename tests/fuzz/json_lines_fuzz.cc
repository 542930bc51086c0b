// JSON lines: every line becomes a record, and what the writer writes of it is read back and written again byte for byte.
#include "fuzz/fuzz.h"
#include "record/jsonl_reader.h"
#include "record/jsonl_writer.h"
#include "support/fake_clock.h"

#include <string>

namespace {

using namespace weir;

void parse_lines(std::string_view text, record::Batch& batch, std::size_t max_line) {
  static const test::FakeClock clock;
  record::JsonlReader reader(clock, {.max_line = max_line, .max_depth = 64});
  const std::string_view kept = batch.copy(text);
  for (std::size_t at = 0; at < kept.size();) {
    const std::size_t end = std::min(kept.find('\n', at), kept.size());
    const std::size_t before = batch.records.size();
    const bool good = reader.parse(kept.substr(at, end - at), batch).ok();
    const std::size_t made = batch.records.size() - before;
    WEIR_HOLDS(good ? made <= 1 : made >= 1);
    WEIR_HOLDS(made <= (end - at) / max_line + 1);
    at = end + 1;
  }
}

std::string written(record::Batch& batch) {
  std::string out;
  for (record::Record& record : batch.records) {
    WEIR_HOLDS(record.labels != nullptr);
    record.touch();
    record::append_jsonl(out, record);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  record::Batch first, second;
  parse_lines(text, first, 4096);
  const std::string once = written(first);
  // A byte becomes six at most; a record adds its time and, where it was none, why.
  WEIR_HOLDS(once.size() <= 6 * size + first.records.size() * 400);
  parse_lines(once, second, 1 << 20);
  for (const record::Record& record : second.records) WEIR_HOLDS(!record.invalid);
  WEIR_HOLDS(second.records.size() == first.records.size());
  WEIR_HOLDS(written(second) == once);
  return 0;
}
