#include "record/gap.h"

#include <gtest/gtest.h>

namespace weir::record {
namespace {

TEST(GapReport, NamesTheLogAndWhatItLost) {
  struct Case {
    std::vector<Label> labels, metadata;
    std::string log;
    std::optional<std::uint64_t> bytes;
  };
  const Case cases[] = {
      {{{"namespace", "shop"}, {"pod", "web"}, {"container", "app"}, {"stream", "stdout"}},
       {{"pod_uid", "1"}, {kGapBytes, "12"}},
       "shop/web/app",
       12},
      {{{"filename", "/var/log/a.log"}}, {{kGapBytes, "unknown"}}, "/var/log/a.log", std::nullopt},
      {{{"namespace", "shop"}, {"pod", "web"}}, {{"filename", "/x"}, {kGapBytes, "0"}}, "shop/web", 0},
      {{{"job", "x"}}, {{"filename", "/x"}, {kGapBytes, "7"}}, "/x", 7},
      {{{"job", "x"}}, {{kGapBytes, "7 bytes"}}, "", std::nullopt},
      {{{"job", "x"}}, {{kGapBytes, "99999999999999999999999"}}, "", std::nullopt},
  };
  for (const Case& one : cases) {
    Record record;
    const LabelSetRef labels = LabelSet::intern(one.labels);
    record.labels = labels.get();
    std::vector<Label> metadata = one.metadata;
    record.metadata = metadata;
    ASSERT_TRUE(is_gap(record));
    EXPECT_EQ(gap_report(record).log, one.log);
    EXPECT_EQ(gap_report(record).bytes, one.bytes) << one.log;
  }
}

TEST(LostData, InWords) {
  LostData lost;
  lost.add("a", std::nullopt);
  EXPECT_EQ(lost.text(), "1 log lost data: a, of unknown size");
  lost.add("b", 2048);
  lost.add("b", 2048);
  EXPECT_EQ(lost.text(), "2 logs lost data: a, b, at least 4.0 KiB");
  lost = {};
  lost.add("", 5);
  EXPECT_EQ(lost.text(), "1 log lost data: 5 B");
  for (const char* const log : {"d", "c", "b", "a"}) lost.add(log, 1);
  EXPECT_EQ(lost.text(), "5 logs lost data: a, b, c, …, 9 B");
  EXPECT_EQ(lost.parts, 5U);
}

TEST(LostData, KeepsABoundedNumberOfNames) {
  LostData lost;
  for (std::size_t i = 0; i < LostData::kMostLogs + 50; ++i) lost.add(std::to_string(1000 + i), 1);
  lost.add("1000", 1);
  lost.add(std::string(5000, 'x'), 1);
  EXPECT_EQ(lost.logs.size(), LostData::kMostLogs);
  EXPECT_EQ(lost.bytes, LostData::kMostLogs + 52);
  EXPECT_EQ(lost.logs.at("1000"), 2U);
  EXPECT_TRUE(lost.text().starts_with("at least 100 logs lost data: 1000, ")) << lost.text();
}

}  // namespace
}  // namespace weir::record
