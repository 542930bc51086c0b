// Loki's answers: to queries (the first byte is e or n: entries, l: labels, s: series) and to pushes (any other byte).
#include "fuzz/fuzz.h"
#include "loki/push_reply.h"
#include "loki/query_answer.h"
#include "record/jsonl_writer.h"

#include <algorithm>
#include <string>

namespace {

using namespace weir;

void entries(std::string body, bool newest_first) {
  static loki::QueryAnswerParser parser;
  const std::size_t size = body.size();
  record::Batch batch;
  const auto answer = parser.parse_entries(body, newest_first, batch);
  if (!answer) {
    WEIR_HOLDS(!answer.error().message.empty());
    return;
  }
  WEIR_HOLDS(answer->entries == batch.records.size() && answer->entries <= size);
  WEIR_HOLDS(std::is_sorted(batch.records.begin(), batch.records.end(),
                            [](const record::Record& a, const record::Record& b) { return a.timestamp < b.timestamp; }));
  std::string out;
  for (const record::Record& record : batch.records) {
    WEIR_HOLDS(record.labels != nullptr && record.sample == answer->samples);
    record::append_jsonl(out, record);
  }
}

void reply(std::string_view body) {
  for (const int status : {204, 400, 413, 429, 500, 503, 302}) {
    (void)loki::meaning(status, body);
    WEIR_HOLDS(loki::describe(status, body).size() <= 2000);
  }
  WEIR_HOLDS(loki::first_line(body, 100).size() <= 110);
  const auto all = loki::complaints(body);
  WEIR_HOLDS(all.size() <= body.size());
  std::size_t bytes = 0;
  for (const loki::Complaint& one : all) {
    WEIR_HOLDS(!one.reason.empty());
    bytes += one.stream.size();
  }
  WEIR_HOLDS(bytes <= body.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  static loki::QueryAnswerParser parser;
  const unsigned kind = fuzz::take_byte(input);
  std::string body(input);
  if (kind == 'e' || kind == 'n') {
    entries(std::move(body), kind == 'n');
  } else if (kind == 'l') {
    if (const auto strings = parser.parse_strings(body)) WEIR_HOLDS(strings->size() <= size);
  } else if (kind == 's') {
    if (const auto series = parser.parse_series(body)) WEIR_HOLDS(series->size() <= size);
  } else {
    reply(input);
  }
  return 0;
}
