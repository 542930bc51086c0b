// A spool with a few records, for tests of what reads spools.
#pragma once

#include "spool/writer.h"
#include "support/collect.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

namespace weir::test {

struct StoredRecord {
  std::map<std::string, std::string> labels;
  base::Timestamp time = 0;
  std::string line;
  std::map<std::string, std::string> metadata = {};
  std::string tenant = {};
};

// One block.
inline void make_spool(const std::string& path, const std::vector<StoredRecord>& records, TestContext& context) {
  auto writer = spool::Writer::open({.path = path, .min_free = 0, .retain = 1'000'000 * base::kHour}, context.clock, nullptr);
  ASSERT_TRUE(writer.ok()) << writer.error().message;
  spool::BlockBuilder builder;
  record::Batch batch;
  for (const StoredRecord& stored : records) {
    std::vector<record::Label> labels;
    for (const auto& [name, value] : stored.labels) labels.push_back({name, value});
    record::Record record;
    record.timestamp = stored.time;
    record.labels = batch.hold(record::LabelSet::intern(labels));
    record.line = record::Text::bytes(stored.line);
    record.tenant = stored.tenant;
    for (const auto& [name, value] : stored.metadata) record::set_metadata(batch, record, name, value);
    builder.add(record);
  }
  ASSERT_TRUE((*writer)->append(builder, nullptr, nullptr, spool::Effort::fast).ok());
  if (!builder.empty()) builder.take();
  ASSERT_TRUE((*writer)->close().ok());
}

}  // namespace weir::test
