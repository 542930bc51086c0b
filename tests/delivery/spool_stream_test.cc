#include "delivery/spool_stream.h"

#include "record/jsonl_writer.h"

#include <gtest/gtest.h>

namespace weir::delivery {
namespace {

struct Given {
  std::uint32_t ordinal;
  bool held = false;
};

// "1 4 |5": the places of what remains, and that of the block's marker. `placed`: they come out of the file.
std::string finished(const std::vector<Given>& given, bool placed, const spool::PlaceSet* skip = nullptr) {
  record::Batch batch;
  for (const Given& one : given) {
    record::Record& record = batch.records.emplace_back();
    record.labels = batch.hold(record::LabelSet::empty());
    record.line = record::Text::bytes("x");
    record.held = one.held;
    // In memory they still have the place in their log.
    record.source = placed ? record::Source::in_spool(7, 3, one.ordinal) : record::Source::in_file(1, 1, 0, 100 + one.ordinal);
  }
  const std::uint64_t bytes = finish_block(batch, 7, 3, skip);
  EXPECT_EQ(bytes, batch.records.size() - 1);
  std::string out;
  for (const record::Record& record : batch.records) {
    EXPECT_EQ(record.source.spool, 7U);
    EXPECT_EQ(record.source.block, 3U);
    out += fmt::format("{}{} ", record.is_marker() ? "|" : "", record.source.ordinal);
  }
  return out;
}

TEST(FinishBlock, PlacesAreThoseOfTheBlock) {
  EXPECT_EQ(finished({{0}, {1}, {2}}, false), "0 1 2 |3 ");
  EXPECT_EQ(finished({{0}, {1, true}, {2}}, false), "0 2 |3 ");
  EXPECT_EQ(finished({{0}, {1, true}, {2}}, true), "0 2 |3 ");
  EXPECT_EQ(finished({}, true), "|0 ");
}

// The reader leaves out the first copy of a released record.
TEST(FinishBlock, WhatTheReaderLeftOutMovesNoPlace) {
  EXPECT_EQ(finished({{1}, {4}, {5, true}}, true), "1 4 |6 ");
  spool::PlaceSet skip({3, 2});
  EXPECT_EQ(finished({{1}, {4}, {6}}, true, &skip), "4 6 |7 ");
}

}  // namespace
}  // namespace weir::delivery
