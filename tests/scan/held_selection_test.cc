#include "scan/held_selection.h"

#include "spool/inspection.h"
#include "spool/writer.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace weir::scan {
namespace {

using base::Timestamp;

struct Line {
  Timestamp time;
  std::string text;
  std::string pod = "p";
  bool held = true;
};

using Found = std::vector<std::pair<std::uint64_t, std::vector<std::uint32_t>>>;

class HeldSelectionTest : public ::testing::Test {
 protected:
  void store(const std::vector<std::vector<Line>>& blocks) {
    auto writer = spool::Writer::open({.path = path_, .min_free = 0, .retain = 1000 * base::kHour}, context_.clock, nullptr);
    ASSERT_TRUE(writer) << writer.error().message;
    spool::BlockBuilder builder;
    for (const auto& block : blocks) {
      record::Batch batch;
      for (const Line& line : block) {
        record::Record& record = batch.records.emplace_back();
        record.timestamp = line.time;
        record.labels = batch.hold(record::LabelSet::intern({{"namespace", "shop"}, {"pod", line.pod}}));
        record.line = record::Text::bytes(line.text);
        record.held = line.held;
        builder.add(record);
      }
      ASSERT_TRUE((*writer)->append(builder, nullptr));
      builder.take();
    }
    ASSERT_TRUE((*writer)->close());
  }

  Found select(const std::string& query, const spool::TimeRange& range = {}) {
    Found found;
    auto selected = select_held(path_, query, range, context_.diagnostics, nullptr,
                                [&](std::uint64_t block, const spool::OrdinalSet& ordinals) -> base::Result<void> {
                                  std::vector<std::uint32_t> all;
                                  for (const auto& one : ordinals.stretches())
                                    for (std::uint32_t i = one.from; i < one.to; ++i) all.push_back(i);
                                  found.emplace_back(block, all);
                                  return {};
                                });
    EXPECT_TRUE(selected) << selected.error().message;
    if (selected) selected_ = *selected;
    return found;
  }

  test::TempDir dir_;
  const std::string path_ = dir_ / "spool.db";
  test::TestContext context_;
  HeldSelected selected_;
};

TEST_F(HeldSelectionTest, SelectsHeldRecordsByLabelTimeAndLine) {
  store({{{10, "get a"}, {11, "get b", "q"}, {12, "get c", "p", false}, {13, "put d"}},
         {{20, "get e", "p", false}},
         {{30, "get f"}, {31, "get g"}}});
  struct Case {
    std::string query;
    spool::TimeRange range;
    Found found;
  };
  for (const Case& one :
       {Case{"", {}, {{1, {0, 1, 3}}, {3, {0, 1}}}}, Case{"{pod=\"p\"}", {}, {{1, {0, 3}}, {3, {0, 1}}}},
        Case{"{pod=\"q\"}", {}, {{1, {1}}}}, Case{"{pod=\"none\"}", {}, {}}, Case{"|= \"get\"", {}, {{1, {0, 1}}, {3, {0, 1}}}},
        Case{"|= \"nowhere\"", {}, {}}, Case{"", {11, 31}, {{1, {1, 3}}, {3, {0}}}}, Case{"", {20, 21}, {}},
        Case{"{pod=\"p\"} |= \"put\"", {0, 30}, {{1, {3}}}}}) {
    EXPECT_EQ(select(one.query, one.range), one.found) << one.query << " " << one.range.from;
  }
  select("{pod=\"p\"}");
  EXPECT_EQ(selected_.blocks, 2U);
  EXPECT_EQ(selected_.records, 4U);
  EXPECT_EQ(selected_.line_bytes, 20U);
}

TEST_F(HeldSelectionTest, ABadQueryIsSaidBeforeAnythingIsLeftInTheSpool) {
  store({{{10, "a"}}});
  auto asked = ask_for_release(path_, {"one", "{pod=", {}}, 0, context_.clock, context_.diagnostics, nullptr);
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, base::Code::config);
  EXPECT_TRUE(spool::read_status(path_)->releases.empty());
}

TEST_F(HeldSelectionTest, AsksOnceForEachId) {
  store({{{10, "a"}, {11, "b", "q"}}, {{20, "c"}}});
  const spool::ReleaseOrder order{"one", "{pod=\"p\"}", {10, 21}};
  auto asked = ask_for_release(path_, order, 0, context_.clock, context_.diagnostics, nullptr);
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_FALSE(asked->known);
  EXPECT_EQ(asked->selected.records, 2U);
  EXPECT_EQ(asked->row.pending, 2U);
  EXPECT_EQ(asked->row.query, order.query);
  EXPECT_EQ(asked->row.from, 10);
  EXPECT_EQ(asked->row.to, 21);
  asked = ask_for_release(path_, order, 0, context_.clock, context_.diagnostics, nullptr);
  ASSERT_TRUE(asked);
  EXPECT_TRUE(asked->known);
  // Where nothing matches, the id can be used again.
  for (int i = 0; i < 2; ++i) {
    asked = ask_for_release(path_, {"two", "{pod=\"none\"}", {}}, 0, context_.clock, context_.diagnostics, nullptr);
    ASSERT_TRUE(asked);
    EXPECT_FALSE(asked->known);
    EXPECT_EQ(asked->selected.records, 0U);
  }
  asked = ask_for_release(path_, {"two", "{pod=\"q\"}", {}}, 0, context_.clock, context_.diagnostics, nullptr);
  ASSERT_TRUE(asked);
  EXPECT_FALSE(asked->known);
}

TEST_F(HeldSelectionTest, WhatIsReleasedIsNotSelectedAgain) {
  store({{{10, "a"}, {11, "b", "q"}}});
  ASSERT_TRUE(ask_for_release(path_, {"one", "{pod=\"p\"}", {}}, 0, context_.clock, context_.diagnostics, nullptr));
  ASSERT_EQ(*spool::release_here(path_, context_.clock, nullptr, context_.diagnostics), spool::Releaser::here);
  EXPECT_EQ(select(""), (Found{{1, {1}}}));
}

TEST_F(HeldSelectionTest, EndsWhenItIsToldTo) {
  store({{{10, "a"}}});
  auto stop = base::Stop::create();
  ASSERT_TRUE(stop);
  (*stop)->request();
  auto asked = ask_for_release(path_, {"one", "", {}}, 0, context_.clock, context_.diagnostics, stop->get());
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, base::Code::interrupted);
  EXPECT_TRUE(spool::read_status(path_)->releases.empty());
}

}  // namespace
}  // namespace weir::scan
