#include "scan/volume.h"

#include "scan/stream_sums.h"
#include "sqlite/database.h"
#include "support/collect.h"
#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

namespace weir::scan {
namespace {

using base::kSecond;
using record::LabelSet;

std::string text(const std::vector<Volume>& volumes) {
  std::string out;
  for (const Volume& one : volumes)
    out += (one.name.empty() ? std::string(one.labels->json()) : one.name) + "=" + std::to_string(one.bytes) + " ";
  return out;
}

void add_three(VolumeSum& sum) {
  sum.add(*LabelSet::intern({{"app", "x"}, {"pod", "a"}}), 10);
  sum.add(*LabelSet::intern({{"app", "x"}, {"pod", "b"}}), 5);
  sum.add(*LabelSet::intern({{"app", "y"}}), 30);
  sum.add(*LabelSet::intern({{"app", "x"}, {"pod", "a"}}), 1);
}

TEST(VolumeSum, ByLabels) {
  const auto f = [](VolumeSum::Options options, std::size_t most, std::string_view expected) {
    VolumeSum sum(std::move(options));
    add_three(sum);
    EXPECT_EQ(text(sum.largest(most)), expected);
  };
  f({}, 0, R"({"app":"y"}=30 {"app":"x","pod":"a"}=11 {"app":"x","pod":"b"}=5 )");
  f({}, 1, R"({"app":"y"}=30 )");
  f({.selector = {"app"}}, 0, R"({"app":"y"}=30 {"app":"x"}=16 )");
  f({.by = {"pod"}, .selector = {"app"}}, 0, R"({"pod":"a"}=11 {"pod":"b"}=5 )");
  f({.selector = {"app"}, .by_name = true}, 0, "app=46 pod=16 ");
  f({.by = {"pod"}, .by_name = true}, 0, "pod=16 ");
}

TEST(VolumeSum, NamesOfASelector) {
  EXPECT_EQ(selector_names(R"({app="x", pod!="a"} |= "z")"), (std::set<std::string>{"app", "pod"}));
  EXPECT_TRUE(selector_names("{").empty());
  EXPECT_TRUE(selector_names("").empty());
}

class StreamSumsTest : public ::testing::Test {
 protected:
  using Sums = std::map<std::string, std::pair<std::uint64_t, std::uint64_t>>;
  // By labels and the cell of the time: records, bytes.
  Sums sums(const StreamSums& how, std::uint64_t blocks) {
    Sums found;
    auto counted = sum_streams({&path, 1}, {}, how, context.diagnostics, [&](const StreamSum& part) {
      auto& sum = found[std::string(part.labels->json()) + (how.cell > 0 ? " " + std::to_string(part.time / how.cell) : "")];
      sum.first += part.records;
      sum.second += part.bytes;
    });
    EXPECT_TRUE(counted.ok());
    EXPECT_EQ(counted ? *counted : 0, blocks);
    return found;
  }
  void SetUp() override {
    test::make_spool(path, {{{{"app", "x"}}, 10 * kSecond, "1"}, {{{"app", "y"}}, 20 * kSecond, "22"}}, context);
    test::make_spool(path, {{{{"app", "x"}}, 30 * kSecond, "333"}, {{{"app", "x"}}, 40 * kSecond, "4444", {}, "red"}}, context);
  }
  test::TempDir dir;
  std::string path = dir / "spool.db";
  test::TestContext context;
};

TEST_F(StreamSumsTest, WholeBlocksAndEnds) {
  EXPECT_EQ(sums({}, 2), (Sums{{R"({"app":"x"})", {3, 8}}, {R"({"app":"y"})", {1, 2}}}));
  EXPECT_EQ(sums({.range = {20 * kSecond, 40 * kSecond}}, 2), (Sums{{R"({"app":"x"})", {1, 3}}, {R"({"app":"y"})", {1, 2}}}));
  EXPECT_EQ(sums({.range = {11 * kSecond, 20 * kSecond}}, 0), Sums());
  EXPECT_EQ(sums({.range = {5 * kSecond, 5 * kSecond}}, 0), Sums());
}

TEST_F(StreamSumsTest, OfOneTenant) {
  EXPECT_EQ(sums({.tenant = ""}, 2), (Sums{{R"({"app":"x"})", {2, 4}}, {R"({"app":"y"})", {1, 2}}}));
  EXPECT_EQ(sums({.tenant = "red"}, 1), (Sums{{R"({"app":"x"})", {1, 4}}}));
  EXPECT_EQ(sums({.range = {0, 35 * kSecond}, .tenant = "red"}, 0), Sums());
}

TEST_F(StreamSumsTest, InCells) {
  EXPECT_EQ(
      sums({.cell = 20 * kSecond}, 2),
      (Sums{
          {R"({"app":"x"} 0)", {1, 1}}, {R"({"app":"y"} 1)", {1, 2}}, {R"({"app":"x"} 1)", {1, 3}}, {R"({"app":"x"} 2)", {1, 4}}}));
  EXPECT_EQ(sums({.cell = 100 * kSecond}, 2), (Sums{{R"({"app":"x"} 0)", {3, 8}}, {R"({"app":"y"} 0)", {1, 2}}}));
}

// A block is said once, whether its list of streams, its records or both cannot be read.
TEST_F(StreamSumsTest, SaysWhatCannotBeRead) {
  test::make_spool(path, {{{{"app", "x"}}, 50 * kSecond, "55555"}}, context);
  auto database = sqlite::Database::open(path, sqlite::Access::write, 0);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE(database->execute("UPDATE bodies SET body = x'00' WHERE block = 2").ok());
  ASSERT_TRUE(database->execute("UPDATE blocks SET streams = x'ff00' WHERE id = 1").ok());
  Damage damage(context.diagnostics);
  for (int turn = 0; turn < 2; ++turn) {
    Sums found;
    auto counted = sum_streams({&path, 1}, {}, {.range = {35 * kSecond, 60 * kSecond}}, damage, [&](const StreamSum& part) {
      found[std::string(part.labels->json())] = {part.records, part.bytes};
    });
    EXPECT_TRUE(counted.ok());
    EXPECT_EQ(found, (Sums{{R"({"app":"x"})", {1, 5}}}));
  }
  EXPECT_EQ(damage.unreadable(), 1U);
  EXPECT_TRUE(sum_streams({&path, 1}, {}, {}, damage, [](const StreamSum&) {}).ok());
  EXPECT_EQ(damage.unreadable(), 2U);
  EXPECT_EQ(context.diagnostics.said().size(), 2U);
}

TEST_F(StreamSumsTest, SaysThatTheLogIsMissing) {
  auto writer = spool::Writer::open({.path = path, .min_free = 0, .retain = 1'000'000 * base::kHour}, context.clock, nullptr);
  ASSERT_TRUE(writer.ok());
  spool::BlockBuilder builder;
  record::Batch batch;
  record::Record record;
  record.timestamp = 50 * kSecond;
  record.labels = batch.hold(LabelSet::intern({{"app", "x"}}));
  record.line = record::Text::bytes("55555");
  builder.add(record);
  ASSERT_TRUE((*writer)->append(builder, nullptr, nullptr, spool::Effort::fast).ok());
  const std::string copy = dir / "copy.db";
  std::filesystem::copy_file(path, copy);
  Damage damage(context.diagnostics);
  EXPECT_TRUE(sum_streams({&copy, 1}, {}, {}, damage, [](const StreamSum&) {}).ok());
  EXPECT_EQ(damage.unreadable(), 1U);
  EXPECT_EQ(context.diagnostics.said().size(), 1U);
}

}  // namespace
}  // namespace weir::scan
