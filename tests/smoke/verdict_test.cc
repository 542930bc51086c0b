#include "smoke/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace weir::smoke {
namespace {

using base::kMillisecond;
using base::kSecond;
using testing::ElementsAre;
using testing::HasSubstr;

// What a run of 24 records in 3 streams reads back, to be damaged.
struct Entry {
  base::Timestamp time = 0;
  std::string line;
  Labels metadata, labels;
};

class Verdicts : public testing::Test {
 protected:
  explicit Verdicts(Form form = Form::metadata)
      : plan_({.run = "0123456789ab", .records = 24, .streams = 3, .large = Large::one, .form = form, .begin = 1'000'000'000}) {
    expected_.only_these = true;
    for (int stream = 1; stream <= 3; ++stream) expected_.labels.push_back({{"job", "weir-smoke"}, {"s", std::to_string(stream)}});
    for (std::uint32_t number = 1; number <= 24; ++number) {
      const PlannedRecord record = plan_.record(number);
      Entry entry{record.time, record.line, record.metadata, expected_.labels[record.stream - 1]};
      entry.metadata.emplace_back("detected_level", "info");    // Loki adds it
      entry.labels.emplace_back("service_name", "weir-smoke");  // and this
      entries_.push_back(std::move(entry));
    }
  }

  Entry& entry(std::uint32_t number) { return entries_[number - 1]; }
  void drop(std::uint32_t number) { dropped_.push_back(number); }

  // Of all that was sent at 0 and seen after 40 ms, unless `tell` says otherwise.
  Verdict verdict(const std::function<void(Judge&)>& tell = {}) {
    Judge judge(plan_, expected_, 10 * kSecond);
    for (std::uint32_t index = 0; index < plan_.batches(); ++index)
      judge.sent(plan_.batch(index).first, plan_.batch(index).size, 0);
    std::uint64_t count = 0;
    for (const bool last : {false, true}) {
      judge.look();
      for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (std::find(dropped_.begin(), dropped_.end(), i + 1) != dropped_.end()) continue;
        std::vector<record::Label> metadata, labels;
        for (const auto& [name, value] : entries_[i].metadata) metadata.push_back({name, value});
        for (const auto& [name, value] : entries_[i].labels) labels.push_back({name, value});
        const Arrived arrived{entries_[i].time, entries_[i].line, metadata, labels};
        if (last) {
          judge.take(arrived);
          ++count;
        } else {
          judge.seen(arrived, 40 * kMillisecond);
        }
      }
    }
    unseen_ = judge.unseen();
    judge.counted(count);
    if (tell) tell(judge);
    return judge.verdict();
  }

  static void expect(const Verdict& verdict, Fault fault, std::uint64_t count, const std::string& example) {
    ASSERT_EQ(verdict.findings.size(), 1U);
    EXPECT_EQ(verdict.findings[0].fault, fault) << name_of(verdict.findings[0].fault);
    EXPECT_EQ(verdict.findings[0].count, count);
    ASSERT_FALSE(verdict.findings[0].examples.empty());
    EXPECT_EQ(verdict.findings[0].examples[0], example);
    EXPECT_EQ(verdict.count_of(fault), count);
    EXPECT_FALSE(verdict.good());
  }

  const Plan plan_;
  Expectation expected_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> dropped_;
  std::uint32_t unseen_ = 0;
};

class LineVerdicts : public Verdicts {
 protected:
  LineVerdicts() : Verdicts(Form::line) {}
};

TEST_F(Verdicts, Good) {
  const Verdict found = verdict();
  EXPECT_TRUE(found.good());
  EXPECT_EQ(found.sent, 24U);
  EXPECT_EQ(found.arrived, 24U);
  EXPECT_EQ(found.entries, 24U);
  EXPECT_EQ(found.counted, 24U);
  EXPECT_EQ(found.latency.all.size(), 24U);
  EXPECT_EQ(found.latency.p99, 40 * kMillisecond);
  EXPECT_EQ(unseen_, 0U);
}

TEST_F(Verdicts, Missing) {
  drop(9);
  drop(11);
  expect(verdict(), Fault::missing, 2, "record 9 of stream 2 (plain)");
  EXPECT_EQ(unseen_, 2U);
}

TEST_F(Verdicts, AtMostThreeExamples) {
  for (std::uint32_t number = 1; number <= 8; ++number) drop(number);
  const Verdict found = verdict();
  EXPECT_EQ(found.findings[0].count, 8U);
  EXPECT_EQ(found.findings[0].examples.size(), kExamples);
}

TEST_F(Verdicts, RefusedIsNotMissing) {
  drop(9);
  const Verdict found = verdict([](Judge& judge) {
    judge.refused(9, 8, "400 Bad Request: too old");
    EXPECT_EQ(judge.awaited(), 0U);
  });
  expect(found, Fault::refused, 1, "record 9 of stream 2 (plain): 400 Bad Request: too old");
}

TEST_F(Verdicts, WhatWasNotSentIsNotMissing) {
  Judge judge(plan_, expected_, kSecond);
  judge.sent(1, 8, 0);
  EXPECT_EQ(judge.verdict().findings[0].count, 8U);
  EXPECT_EQ(judge.first_unseen(), 1U);
}

TEST_F(Verdicts, RepeatedInTheList) {
  entries_.insert(entries_.begin() + 3, entries_[3]);
  expect(verdict(), Fault::repeated, 1, "record 4 of stream 1 (multi-line)");
}

TEST_F(Verdicts, RepeatedByCount) {
  expect(verdict([](Judge& judge) {
           judge.counted(32);
           judge.stored_times(9, 2);
         }),
         Fault::repeated, 8, "record 9 of stream 2 (plain) is stored 2 times");
  expect(verdict([](Judge& judge) { judge.counted(32); }), Fault::repeated, 8, "count_over_time counts 32, query_range shows 24");
}

// What is not shown is counted: whether it is stored twice is not known then.
TEST_F(Verdicts, CountedAndNotShown) {
  for (std::uint32_t number = 1; number <= 24; ++number) drop(number);
  const Verdict none = verdict([](Judge& judge) { judge.counted(24); });
  EXPECT_EQ(none.count_of(Fault::missing), 24U);
  EXPECT_EQ(none.count_of(Fault::repeated), 0U);
  EXPECT_EQ(none.count_of(Fault::count), 24U);
  const Verdict more = verdict([](Judge& judge) { judge.counted(30); });
  EXPECT_EQ(more.count_of(Fault::repeated), 6U) << "more than were sent";
  EXPECT_EQ(more.count_of(Fault::count), 24U);
}

TEST_F(Verdicts, RepeatedWhereOthersAreMissing) {
  drop(3);
  const Verdict found = verdict([](Judge& judge) {
    judge.counted(24);
    judge.stored_times(9, 2);
  });
  EXPECT_EQ(found.count_of(Fault::missing), 1U);
  EXPECT_EQ(found.count_of(Fault::repeated), 1U) << "Loki says which";
  EXPECT_EQ(found.count_of(Fault::count), 0U);
}

// Seen while they were awaited, and not there in the end.
TEST_F(Verdicts, NoLatencyOfWhatIsMissing) {
  Judge judge(plan_, expected_, 10 * kSecond);
  judge.sent(1, 8, 0);
  for (const std::uint32_t number : {1U, 2U}) {
    const Entry& one = entry(number);
    std::vector<record::Label> metadata;
    for (const auto& [name, value] : one.metadata) metadata.push_back({name, value});
    const Arrived arrived{one.time, one.line, metadata, {}};
    judge.seen(arrived, number * kSecond);
    if (number == 2) judge.take(arrived);
  }
  EXPECT_THAT(judge.verdict().latency.all, ElementsAre(2 * kSecond));
}

TEST_F(Verdicts, CountedTooFew) {
  expect(verdict([](Judge& judge) { judge.counted(20); }), Fault::count, 4, "count_over_time counts 20, query_range shows 24");
}

TEST_F(Verdicts, Truncated) {
  const std::string whole = entry(9).line;
  entry(9).line.resize(10);
  expect(verdict(), Fault::truncated, 1,
         "record 9 of stream 2 (plain): 10 of " + std::to_string(whole.size()) + " bytes are there");
  entry(9).line.clear();
  EXPECT_EQ(verdict().count_of(Fault::truncated), 1U);
}

TEST_F(Verdicts, Changed) {
  const std::string whole = entry(9).line;
  entry(9).line[3] = '#';
  expect(
      verdict(), Fault::changed, 1,
      "record 9 of stream 2 (plain), from byte 3 on: \"" + entry(9).line.substr(3) + "\" instead of \"" + whole.substr(3) + "\"");
  entry(9).line = whole + " ";
  EXPECT_EQ(verdict().count_of(Fault::changed), 1U);
}

TEST_F(Verdicts, ExamplesCutNoCharacter) {
  entry(3).line = "\u65e5" + entry(3).line + "\u65e5\u65e5\u65e5\u65e5\u65e5\u65e5\u65e5\u65e5\u65e5\u65e5\u65e5\u65e5\u65e5";
  const std::string example = verdict().findings[0].examples[0];
  for (const char* broken : {"\xe6\xe2", "\xe6\x97\xe2"}) EXPECT_THAT(example, testing::Not(HasSubstr(broken)));
}

TEST_F(Verdicts, Metadata) {
  entry(9).metadata[2].second = "x";
  EXPECT_THAT(verdict().findings[0].examples[0],
              testing::StartsWith("record 9 of stream 2 (plain): weir_smoke_note is \"x\" instead of"));
  entry(9).metadata.erase(entry(9).metadata.begin() + 2);
  expect(verdict(), Fault::metadata, 1, "record 9 of stream 2 (plain): weir_smoke_note is missing");
}

TEST_F(Verdicts, Time) {
  // The last of its stream, so that the order stays.
  entry(24).time += 1;
  expect(verdict(), Fault::time, 1,
         "record 24 of stream 3 (quotes): 1970-01-01T00:00:01.575000001Z instead of 1970-01-01T00:00:01.575Z");
}

TEST_F(Verdicts, TimesThatAreNotKnown) {
  expected_.times = false;
  for (Entry& one : entries_) one.time += kSecond;
  EXPECT_TRUE(verdict().good());
}

TEST_F(Verdicts, LabelsChanged) {
  entry(9).labels[1].second = "7";
  expect(verdict(), Fault::labels, 1, "record 9 of stream 2 (plain): s=\"7\" instead of \"2\"");
  entry(9).labels.erase(entry(9).labels.begin() + 1);
  expect(verdict(), Fault::labels, 1, "record 9 of stream 2 (plain): s=\"2\" is missing");
}

TEST_F(Verdicts, LabelsAdded) {
  entry(9).labels.emplace_back("cluster", "eu");
  expect(verdict(), Fault::labels, 1, "record 9 of stream 2 (plain): cluster=\"eu\" was added");
  expected_.only_these = false;
  EXPECT_TRUE(verdict().good());
}

TEST_F(Verdicts, Elsewhere) {
  drop(9);
  for (const bool known : {true, false}) {
    if (!known) expected_ = {};
    const Verdict found = verdict([this](Judge& judge) {
      const PlannedRecord record = plan_.record(9);
      std::vector<record::Label> metadata;
      for (const auto& [name, value] : record.metadata) metadata.push_back({name, value});
      const std::vector<record::Label> labels = {{"job", "other"}, {"s", "2"}};
      judge.take_elsewhere({record.time, record.line, metadata, labels});
      judge.counted(24);
    });
    expect(found, Fault::labels, 1,
           known ? "record 9 of stream 2 (plain): job=\"other\" instead of \"weir-smoke\""
                 : "record 9 of stream 2 (plain) is not in the selected streams, but in {job=\"other\", s=\"2\"}");
  }
}

TEST_F(Verdicts, Order) {
  expected_.times = false;
  std::swap(entry(5).time, entry(6).time);
  std::swap(entry(5), entry(6));
  expect(verdict(), Fault::order, 1, "record 5 of stream 1 (same line) stands behind record 6");
}

TEST_F(Verdicts, OrderAtOneTimeIsLokisOwn) {
  std::swap(entry(1), entry(2));
  EXPECT_TRUE(verdict().good());
}

TEST_F(Verdicts, Unexpected) {
  Entry strange = entry(1);
  strange.metadata[1].second = "25";
  entries_.push_back(strange);
  const Verdict found = verdict();
  EXPECT_EQ(found.count_of(Fault::unexpected), 1U);
  EXPECT_THAT(found.findings[0].examples[0], HasSubstr(" at 1970-01-01T00:00:01Z"));
}

TEST_F(Verdicts, Late) {
  drop(17);
  const Verdict found = verdict([this](Judge& judge) {
    dropped_.clear();
    const PlannedRecord record = plan_.record(17);
    std::vector<record::Label> metadata, labels = {{"job", "weir-smoke"}, {"s", "3"}};
    for (const auto& [name, value] : record.metadata) metadata.push_back({name, value});
    const Arrived arrived{record.time, record.line, metadata, labels};
    judge.seen(arrived, 12 * kSecond);
    judge.seen(arrived, 20 * kSecond);  // the first look counts
    judge.take(arrived);
    judge.counted(24);
  });
  expect(found, Fault::late, 1, "record 17 of stream 3 (plain) came after 12.0 s, 10.0 s are allowed");
  EXPECT_EQ(found.latency.most, 12 * kSecond);
  EXPECT_EQ(found.latency.p50, 40 * kMillisecond);
}

TEST_F(Verdicts, Command) {
  expect(verdict([](Judge& judge) { judge.command_failed("it ended with exit code 3"); }), Fault::command, 1,
         "it ended with exit code 3");
}

TEST_F(Verdicts, SeveralFaultsInTheirOrder) {
  drop(1);
  entry(9).line.resize(4);
  entry(17).labels[0].second = "x";
  std::vector<Fault> faults;
  for (const Finding& finding : verdict().findings) faults.push_back(finding.fault);
  EXPECT_THAT(faults, ElementsAre(Fault::missing, Fault::truncated, Fault::labels));
}

TEST_F(LineVerdicts, Good) {
  EXPECT_TRUE(verdict().good());
  EXPECT_EQ(unseen_, 0U);
}

TEST_F(LineVerdicts, GoodWithoutTimes) {
  expected_.times = false;
  for (Entry& one : entries_) one.time += kSecond;
  EXPECT_TRUE(verdict().good());
  EXPECT_EQ(unseen_, 0U);
}

TEST_F(LineVerdicts, OneOfTheSameLinesIsMissing) {
  drop(13);
  expect(verdict(), Fault::missing, 1, "record 13 of stream 2 (same line)");
}

TEST_F(LineVerdicts, OneOfTheSameLinesIsThereTwice) {
  expected_.times = false;
  entries_.push_back(entry(21));
  EXPECT_EQ(verdict().count_of(Fault::repeated), 1U);
}

// A stage that joins lines makes one record of a line and those behind it that begin with spaces.
TEST_F(LineVerdicts, JoinedLines) {
  entry(3).line += "\n" + entry(4).line;
  drop(4);
  const Verdict found = verdict();
  EXPECT_TRUE(found.good()) << sentence(found.findings[0].fault, found.findings[0].count);
  EXPECT_EQ(found.joined, 1U);
  EXPECT_EQ(found.arrived, 24U);
  EXPECT_EQ(found.entries, 23U);
  EXPECT_EQ(unseen_, 0U);
}

TEST_F(Verdicts, SawEachStream) {
  for (std::uint32_t number = 9; number <= 16; ++number) drop(number);
  verdict([](Judge& judge) { EXPECT_FALSE(judge.saw_each_stream()); });
  dropped_.pop_back();
  verdict([](Judge& judge) { EXPECT_TRUE(judge.saw_each_stream()); });
}

TEST(Sentence, SaysHowMany) {
  for (std::size_t i = 0; i < kFaults; ++i) {
    const auto fault = static_cast<Fault>(i);
    EXPECT_FALSE(name_of(fault).empty());
    EXPECT_FALSE(sentence(fault, 1).empty());
    EXPECT_FALSE(sentence(fault, 2).empty());
  }
  EXPECT_EQ(sentence(Fault::missing, 1), "1 record is missing");
  EXPECT_EQ(sentence(Fault::missing, 1234), "1,234 records are missing");
}

TEST(Percentiles, OfManyAndOfOne) {
  const Plan plan({.run = "a", .records = 100, .streams = 1, .large = Large::none});
  Judge judge(plan, {}, 0);
  judge.sent(1, 100, 0);
  for (std::uint32_t number = 1; number <= 100; ++number) {
    const PlannedRecord record = plan.record(number);
    std::vector<record::Label> metadata;
    for (const auto& [name, value] : record.metadata) metadata.push_back({name, value});
    const Arrived arrived{record.time, record.line, metadata, {}};
    judge.seen(arrived, number * kMillisecond);
    judge.take(arrived);
    if (number == 1) {
      EXPECT_EQ(judge.verdict().latency.p50, kMillisecond);
      EXPECT_EQ(judge.verdict().latency.p99, kMillisecond);
    }
  }
  const Latency latency = judge.verdict().latency;
  EXPECT_EQ(latency.p50, 50 * kMillisecond);
  EXPECT_EQ(latency.p95, 95 * kMillisecond);
  EXPECT_EQ(latency.p99, 99 * kMillisecond);
  EXPECT_EQ(latency.most, 100 * kMillisecond);
}

}  // namespace
}  // namespace weir::smoke
