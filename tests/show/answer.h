// Records for tests of what is shown.
#pragma once

#include "record/json.h"
#include "record/record.h"
#include "show/writer.h"

#include <cstdlib>
#include <ctime>
#include <initializer_list>
#include <string>
#include <string_view>

namespace weir::test {

// Times are shown in this zone as long as it lives.
class ZoneOf {
 public:
  explicit ZoneOf(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  ~ZoneOf() {
    ::unsetenv("TZ");
    ::tzset();
  }
  ZoneOf(const ZoneOf&) = delete;
  ZoneOf& operator=(const ZoneOf&) = delete;
};

constexpr base::Timestamp kMorning = 1'777'629'600 * base::kSecond;  // 2026-05-01T10:00:00Z

// A batch that a writer takes. What is given it copies.
class Answer {
 public:
  record::Record& add(base::Timestamp time, std::string_view line, std::initializer_list<record::Label> labels) {
    record::Record record;
    record.timestamp = time;
    record.line = record::Text::bytes(batch.copy(line));
    record.labels = batch.hold(record::LabelSet::intern(labels));
    batch.records.push_back(record);
    return batch.records.back();
  }
  void add_sample(base::Timestamp time, std::string_view value, std::initializer_list<record::Label> labels) {
    record::Record& record = add(time, "", labels);
    record.sample = true;
    auto* extra = batch.make<record::Extra>();
    extra->value = batch.copy("\"" + std::string(value) + "\"");
    record.extra = extra;
  }
  void parsed(record::Record& record, std::string_view object) {
    auto* extra = batch.make<record::Extra>();
    extra->parsed = batch.copy(object);
    record.extra = extra;
  }

  // All that the writer writes of it, to the end.
  std::string text(show::Writer& writer) {
    std::string out;
    writer.begin(batch);
    for (record::Record& record : batch.records) writer.add(out, batch, record);
    writer.finish(out);
    return out;
  }

  record::Batch batch;
};

}  // namespace weir::test
