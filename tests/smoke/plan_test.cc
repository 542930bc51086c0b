#include "smoke/plan.h"

#include "base/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace weir::smoke {
namespace {

PlanSpec spec(std::uint32_t records, Form form = Form::metadata, Large large = Large::all) {
  return {.run = "0123456789ab", .seed = 1, .records = records, .streams = 4, .large = large, .form = form, .begin = 1'000'000'000};
}

std::vector<record::Label> labels(const PlannedRecord& record) {
  std::vector<record::Label> found;
  for (const auto& [name, value] : record.metadata) found.push_back({name, value});
  return found;
}

TEST(Plan, BatchesCoverAllRecordsOfOneStreamEach) {
  for (const std::uint32_t records : {1U, 7U, 8U, 9U, 200U, 203U}) {
    const Plan plan(spec(records));
    std::uint32_t next = 1;
    for (std::uint32_t index = 0; index < plan.batches(); ++index) {
      const PlannedBatch batch = plan.batch(index);
      EXPECT_EQ(batch.first, next);
      for (std::uint32_t number = batch.first; number < batch.first + batch.size; ++number)
        EXPECT_EQ(plan.stream_of(number), batch.stream) << number;
      next += batch.size;
    }
    EXPECT_EQ(next, records + 1);
  }
  EXPECT_EQ(Plan(spec(9)).streams(), 2U);
  EXPECT_EQ(Plan(spec(200)).streams(), 4U);
}

TEST(Plan, IsTheSameEachTimeAndAnotherWithAnotherSeed) {
  const Plan one(spec(40)), same(spec(40));
  PlanSpec other_spec = spec(40);
  other_spec.seed = 2;
  const Plan other(other_spec);
  std::size_t differ = 0;
  for (std::uint32_t number = 1; number <= 40; ++number) {
    EXPECT_EQ(one.record(number).line, same.record(number).line);
    EXPECT_EQ(one.record(number).metadata, same.record(number).metadata);
    differ += one.record(number).line != other.record(number).line ? 1 : 0;
  }
  EXPECT_GT(differ, 20U);
}

TEST(Plan, HoldsWhatIsEasilyDamaged) {
  for (const Form form : {Form::metadata, Form::line}) {
    const Plan plan(spec(200, form));
    std::map<Kind, int> kinds;
    bool beyond_ascii = false, newline = false, tab = false, quote = false;
    for (std::uint32_t number = 1; number <= 200; ++number) {
      const PlannedRecord record = plan.record(number);
      ++kinds[record.kind];
      EXPECT_TRUE(base::is_utf8(record.line)) << number;
      for (const char c : record.line) {
        beyond_ascii = beyond_ascii || static_cast<unsigned char>(c) >= 0x80;
        newline = newline || c == '\n';
        tab = tab || c == '\t';
        quote = quote || c == '"';
      }
    }
    EXPECT_EQ(kinds.size(), 8U);
    EXPECT_TRUE(beyond_ascii && tab && quote);
    EXPECT_EQ(newline, form == Form::metadata) << "a log file holds one line a record";
  }
}

TEST(Plan, LargeLinesCloseABlockOfLoki) {
  constexpr std::size_t kBlock = 256 << 10;
  const Plan plan(spec(200));
  for (std::uint32_t index = 0; index < plan.batches(); ++index) {
    std::size_t bytes = 0;
    for (std::uint32_t i = 0; i < plan.batch(index).size; ++i) bytes += plan.record(plan.batch(index).first + i).line.size();
    EXPECT_GT(bytes, kBlock) << index;
  }
  const auto large = [](const Plan& some) {
    std::uint32_t count = 0;
    for (std::uint32_t number = 1; number <= some.records(); ++number) {
      if (some.kind_of(number) != Kind::large) continue;
      EXPECT_EQ(some.record(number).line.size(), kLargeLine);
      ++count;
    }
    return count;
  };
  EXPECT_EQ(large(plan), 75U);
  EXPECT_EQ(large(Plan(spec(200, Form::line, Large::one))), 3U);
  EXPECT_EQ(large(Plan(spec(200, Form::line, Large::none))), 0U);
  EXPECT_EQ(large(Plan(spec(3))), 0U);
}

// Loki before 3.7 takes such a pair for one record, whatever its metadata.
TEST(Plan, NoStreamHasOneLineTwiceAtOneTime) {
  for (const Form form : {Form::metadata, Form::line}) {
    const Plan plan(spec(200, form));
    std::set<std::tuple<std::uint32_t, base::Timestamp, std::string>> seen;
    std::set<std::pair<std::uint32_t, base::Timestamp>> times;
    std::map<std::string, int> lines;
    for (std::uint32_t number = 1; number <= 200; ++number) {
      const PlannedRecord record = plan.record(number);
      EXPECT_TRUE(seen.emplace(record.stream, record.time, record.line).second) << number;
      times.emplace(record.stream, record.time);
      ++lines[record.line];
    }
    EXPECT_EQ(times.size(), 175U) << "one pair at one time in each batch";
    EXPECT_THAT(lines, testing::Contains(testing::Pair(testing::_, 25))) << "one line that is the same in each batch";
  }
}

TEST(Plan, TimesNeverGoBack) {
  const Plan plan(spec(100));
  for (std::uint32_t number = 2; number <= 100; ++number) EXPECT_LE(plan.time_of(number - 1), plan.time_of(number));
  EXPECT_EQ(plan.time_of(1), 1'000'000'000);
  EXPECT_EQ(plan.time_of(100), plan.last_time());
}

TEST(Identify, FindsEachRecord) {
  for (const Form form : {Form::metadata, Form::line}) {
    const Plan plan(spec(48, form));
    for (std::uint32_t number = 1; number <= 48; ++number) {
      const PlannedRecord record = plan.record(number);
      const auto identity = identify(plan, record.line, labels(record));
      ASSERT_TRUE(identity) << number;
      if (form == Form::line && record.kind == Kind::same_line) {
        EXPECT_TRUE(identity->same);
      } else {
        EXPECT_EQ(identity->number, number);
      }
    }
  }
}

TEST(Identify, Success) {
  const Plan plan(spec(48, Form::line));
  const auto f = [&](std::string_view line, std::uint32_t number) {
    const auto identity = identify(plan, line, {});
    ASSERT_TRUE(identity) << line;
    EXPECT_EQ(identity->number, number) << line;
  };
  f("weir-smoke run=0123456789ab record=17 text", 17);
  f("    weir-smoke run=0123456789ab record=48 ", 48);
  f("2026-11-30 INFO weir-smoke run=0123456789ab record=1 x", 1);
}

TEST(Identify, Failure) {
  const Plan plan(spec(48, Form::line));
  for (const std::string_view line :
       {"", "text", "weir-smoke run=0123456789ab record=", "weir-smoke run=0123456789ab record=17",  // cut within the number
        "weir-smoke run=0123456789ab record=0 x", "weir-smoke run=0123456789ab record=49 x",
        "weir-smoke run=0123456789ab record=1x x", "weir-smoke run=0123456789ac record=17 x"}) {
    EXPECT_FALSE(identify(plan, line, {})) << line;
  }
  const Plan other(spec(48));
  const std::vector<record::Label> another_run = {{kRunName, "ffffffffffff"}, {kRecordName, "1"}};
  const std::vector<record::Label> no_number = {{kRunName, "0123456789ab"}};
  EXPECT_FALSE(identify(other, "x", another_run));
  EXPECT_FALSE(identify(other, "x", no_number));
  EXPECT_FALSE(identify(other, "x", {}));
}

TEST(NewRunId, IsHexAndDiffers) {
  const auto one = new_run_id(), other = new_run_id();
  ASSERT_TRUE(one && other);
  EXPECT_THAT(*one, testing::MatchesRegex("[0-9a-f]{12}"));
  EXPECT_NE(*one, *other);
}

}  // namespace
}  // namespace weir::smoke
