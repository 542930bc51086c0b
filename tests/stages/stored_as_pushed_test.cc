#include "stages/stored_as_pushed.h"

#include "record/jsonl_writer.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

std::string pushed(std::initializer_list<record::Label> labels, std::string_view line,
                   std::initializer_list<record::Label> metadata = {}) {
  StoredAsPushed stored;
  record::Batch batch;
  record::Record record;
  record.timestamp = 1;
  record.labels = batch.hold(record::LabelSet::intern(labels));
  record.line = record::Text::bytes(batch.copy(line));
  for (const auto& label : metadata) record::set_metadata(batch, record, label.name, label.value);
  stored.apply(record, batch);
  std::string text;
  record::append_jsonl(text, record);
  const auto at = text.find("\"line\"");
  return text.substr(at, text.size() - at - 2);
}

TEST(StoredAsPushed, WhatLokiAdds) {
  EXPECT_EQ(pushed({{"app", "x"}}, "level=error"),
            R"("line":"level=error","labels":{"app":"x","service_name":"x"},"metadata":{"detected_level":"error"})");
  EXPECT_EQ(pushed({{"pod", "p"}}, "?"),
            R"("line":"?","labels":{"pod":"p","service_name":"unknown_service"},"metadata":{"detected_level":"unknown"})");
}

TEST(StoredAsPushed, WhatIsThereStays) {
  EXPECT_EQ(pushed({{"service_name", "s"}}, "error", {{"detected_level", "debug"}}),
            R"("line":"error","labels":{"service_name":"s"},"metadata":{"detected_level":"debug"})");
}

TEST(StoredAsPushed, WhatPushChanges) {
  EXPECT_EQ(pushed({{"service_name", "s"}, {"__path__", "/x"}},
                   "a\xff"
                   "b",
                   {{"detected_level", "info"}}),
            "\"line\":\"a\xef\xbf\xbd"
            "b\",\"labels\":{\"service_name\":\"s\"},\"metadata\":{\"detected_level\":\"info\",\"weir_invalid_utf8\":\"1\"}");
}

TEST(StoredAsPushed, MetadataAsLokiHasIt) {
  EXPECT_EQ(pushed({{"service_name", "s"}}, "x", {{"trace.id", "a\xff"}, {"empty", ""}, {"9", "z"}, {"a", "b"}}),
            R"("line":"x","labels":{"service_name":"s"},)"
            R"("metadata":{"a":"b","detected_level":"unknown","key_9":"z","trace_id":"a "})");
}

}  // namespace
}  // namespace weir::stages
