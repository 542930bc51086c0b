#include "record/record.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace weir::record {
namespace {

TEST(Batch, AllocationsStayUntilClear) {
  Batch batch;
  std::vector<std::pair<char*, std::size_t>> all;
  for (std::size_t size = 1; size < 300'000; size = size * 3 / 2 + 1) {
    char* at = batch.allocate(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at) % 8, 0U);
    std::memset(at, static_cast<int>(all.size()), size);
    all.emplace_back(at, size);
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t k = 0; k < all[i].second; ++k) ASSERT_EQ(all[i].first[k], static_cast<char>(i));
  }
}

TEST(Batch, ShrinkGivesBackTheRest) {
  Batch batch;
  char* first = batch.allocate(1000);
  batch.shrink(first, 10);
  EXPECT_EQ(batch.allocate(8), first + 16);
}

TEST(Batch, HoldsLabelSetsUntilClear) {
  const std::size_t before = LabelSet::live();
  Batch batch;
  for (int i = 0; i < 500; ++i) {
    const std::string value = std::to_string(i);
    const LabelSet* set = batch.hold(LabelSet::intern({{"held", value}}));
    EXPECT_EQ(batch.hold(LabelSetRef::share(set)), set);
  }
  EXPECT_EQ(LabelSet::live(), before + 500);
  batch.clear();
  EXPECT_EQ(LabelSet::live(), before);
}

TEST(Batch, AMarkerIsAppendedAndCopiedWithAllItsViews) {
  Batch to;
  {
    Batch from;
    Marker& marker = from.append_marker(Marker::Type::generation, Source::in_file(1, 2, 0, 0));
    marker.log_key = from.copy("/pods/a/0.log");
    marker.file = FileIdentityView{.path = from.copy("/pods/a/0.log.1"), .inode = 5, .device = 7, .head_size = 3, .head_hash = 9};
    ASSERT_EQ(from.records.size(), 1U);
    EXPECT_TRUE(from.records[0].labels->empty());
    to.add_copy(from.records[0]);
  }
  const Record& record = to.records.at(0);
  EXPECT_EQ(record.source, Source::in_file(1, 2, 0, 0));
  ASSERT_TRUE(record.is_marker());
  EXPECT_EQ(record.marker->type, Marker::Type::generation);
  EXPECT_EQ(record.marker->log_key, "/pods/a/0.log");
  const FileIdentity owned = record.marker->file.with_path(std::string(record.marker->file.path));
  EXPECT_EQ(owned, (FileIdentity{.path = "/pods/a/0.log.1", .inode = 5, .device = 7, .head_size = 3, .head_hash = 9}));
}

TEST(Batch, LineIsDecodedOnceAndRawStands) {
  Batch batch;
  Record record;
  record.line = {R"(a\n\u00e9)", Text::Form::json};
  record.raw = "raw";
  EXPECT_EQ(batch.line(record), "a\n\xc3\xa9");
  EXPECT_EQ(record.line.form, Text::Form::bytes);
  const char* once = batch.line(record).data();
  EXPECT_EQ(batch.line(record).data(), once);
  EXPECT_EQ(record.raw, "raw");
}

TEST(Batch, MetadataIsSetAndReplaced) {
  Batch batch;
  Record record;
  record.raw = "raw";
  set_metadata(batch, record, "a", "1");
  set_metadata(batch, record, "b", "2");
  set_metadata(batch, record, "a", "3");
  ASSERT_EQ(record.metadata.size(), 2U);
  EXPECT_EQ(find(record.metadata, "a"), "3");
  EXPECT_EQ(find(record.metadata, "b"), "2");
  EXPECT_EQ(find(record.metadata, "c"), "");
  EXPECT_TRUE(record.raw.empty());
}

// Pieces of all sizes, smaller and larger than a chunk, in a batch that is used again and again: none is given away twice.
TEST(Batch, WhatWasAllocatedStaysAsItIs) {
  Batch batch;
  std::mt19937_64 random(11);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::pair<std::string_view, char>> pieces;
    std::size_t total = 0;
    for (int i = 0; i < 60; ++i) {
      const std::size_t size = random() % 8 == 0 ? random() % (700 << 10) : random() % 3000;
      const char fill = static_cast<char>(random());
      char* piece = batch.allocate(size);
      std::memset(piece, fill, size);
      pieces.emplace_back(std::string_view(piece, size), fill);
      total += size;
    }
    EXPECT_GE(batch.bytes(), total);
    for (const auto& [piece, fill] : pieces) EXPECT_EQ(piece.find_first_not_of(fill), std::string_view::npos);
    batch.clear();
    EXPECT_EQ(batch.bytes(), 0U);
  }
}

}  // namespace
}  // namespace weir::record
