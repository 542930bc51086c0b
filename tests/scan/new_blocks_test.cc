#include "scan/new_blocks.h"

#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace weir::scan {
namespace {

class NewBlocksTest : public ::testing::Test {
 protected:
  void store(const std::string& line) { test::make_spool(path, {{{{"app", "x"}}, 1, line}}, context); }
  void remove() {
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(path).parent_path()))
      std::filesystem::remove(entry.path());
  }
  test::TempDir dir;
  std::string path = dir / "spool.db";
  test::TestContext context;
};

TEST_F(NewBlocksTest, GivesEachBlockOnce) {
  store("one");
  store("two");
  auto blocks = NewBlocks::open(path);
  ASSERT_TRUE(blocks.ok()) << blocks.error().message;
  EXPECT_EQ(*blocks->look(), NewBlocks::Change::none);
  const auto first = blocks->take();
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->size(), 2U);
  EXPECT_LT((*first)[0].id, (*first)[1].id);
  EXPECT_EQ(blocks->take()->size(), 0U);
  const KnownBlocks known = blocks->known();
  store("three");
  EXPECT_EQ(*blocks->look(), NewBlocks::Change::committed);
  EXPECT_EQ(*blocks->look(), NewBlocks::Change::none);
  const auto more = blocks->take();
  ASSERT_EQ(more->size(), 1U);
  EXPECT_FALSE(known.has(more->front().id));
  EXPECT_TRUE(known.has(first->back().id));
  EXPECT_TRUE(blocks->known().has(more->front().id));
}

TEST_F(NewBlocksTest, SeesAnotherFile) {
  store("one");
  auto blocks = NewBlocks::open(path);
  ASSERT_TRUE(blocks.ok());
  EXPECT_EQ(blocks->take()->size(), 1U);
  const std::uint64_t one = blocks->reader().spool();
  remove();
  EXPECT_EQ(*blocks->look(), NewBlocks::Change::removed);
  std::ofstream(path).close();  // a writer is about to make its file
  EXPECT_EQ(*blocks->look(), NewBlocks::Change::removed);
  EXPECT_EQ(blocks->take()->size(), 0U);
  store("other");
  EXPECT_EQ(*blocks->look(), NewBlocks::Change::replaced);
  EXPECT_NE(blocks->reader().spool(), one);
  EXPECT_EQ(blocks->take()->size(), 1U);
  EXPECT_EQ(*blocks->look(), NewBlocks::Change::none);
  store("more");
  EXPECT_EQ(*blocks->look(), NewBlocks::Change::committed);
  EXPECT_EQ(blocks->take()->size(), 1U);
}

TEST_F(NewBlocksTest, WhatWasCommittedBeforeTheRemovalComesFirst) {
  store("one");
  auto blocks = NewBlocks::open(path);
  ASSERT_TRUE(blocks.ok());
  EXPECT_EQ(blocks->take()->size(), 1U);
  store("two");
  remove();
  store("another");
  EXPECT_EQ(*blocks->look(), NewBlocks::Change::committed);
  const auto last = blocks->take();
  ASSERT_EQ(last->size(), 1U);
  record::Batch batch;
  EXPECT_TRUE(*blocks->reader().load(last->front().id, {}, batch));
  ASSERT_EQ(batch.records.size(), 1U);
  EXPECT_EQ(batch.line(batch.records[0]), "two");
  EXPECT_EQ(*blocks->look(), NewBlocks::Change::replaced);
  EXPECT_EQ(blocks->take()->size(), 1U);
}

TEST_F(NewBlocksTest, ThereIsNone) {
  EXPECT_FALSE(NewBlocks::open_if_there(path)->has_value());
  std::ofstream(path).close();
  EXPECT_FALSE(NewBlocks::open_if_there(path)->has_value());
  EXPECT_FALSE(NewBlocks::open(path).ok());
  store("one");
  auto blocks = NewBlocks::open_if_there(path);
  ASSERT_TRUE(blocks.ok() && blocks->has_value());
  EXPECT_EQ((*blocks)->take()->size(), 1U);
}

TEST_F(NewBlocksTest, NeedsASpool) { EXPECT_FALSE(NewBlocks::open(path).ok()); }

}  // namespace
}  // namespace weir::scan
