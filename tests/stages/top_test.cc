#include "stages/top.h"

#include "spool/writer.h"
#include "support/collect.h"
#include "support/run_stage.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using show::TopOrder;
using show::TopReport;

std::string line(std::string_view pod, std::string_view text, std::string_view more = "") {
  return fmt::format(R"({{"line":"{}","labels":{{"namespace":"{}","pod":"{}","container":"app"{}}}}})", text,
                     pod == "dns" ? "kube-system" : "shop", pod, more);
}

class RememberingView : public TopView {
 public:
  bool goes_on() override { return !asked_to_end; }
  base::Result<bool> show(const TopReport& report) override {
    reports.push_back(report);
    return reports.size() != leaves_after;
  }
  std::vector<TopReport> reports;
  bool asked_to_end = false;
  std::size_t leaves_after = 0;
};

class TopTest : public testing::Test {
 protected:
  void make(const TopSpec& spec) {
    auto made = make_top(spec, view_, test_.context);
    ASSERT_TRUE(made) << made.error().message;
    top_ = std::move(*made);
    nudge();
  }
  pipeline::Flow take(const std::vector<std::string>& lines) {
    record::JsonlReader reader(test_.clock);
    record::Batch batch;
    for (const std::string& text : lines) EXPECT_TRUE(reader.parse(batch.copy(text), batch));
    auto flow = top_->consume(batch, out_);
    EXPECT_TRUE(flow);
    return *flow;
  }
  // Into the spool, as a block of its own.
  void store(const std::string& text) {
    if (!writer_) {
      spool::WriterOptions options;
      options.path = dir_ / "s.db";
      options.min_free = 0;
      writer_ = std::move(*spool::Writer::open(options, test_.clock, nullptr));
    }
    record::JsonlReader reader(test_.clock);
    record::Batch batch;
    ASSERT_TRUE(reader.parse(batch.copy(text), batch));
    spool::BlockBuilder builder;
    for (const record::Record& record : batch.records) builder.add(record);
    ASSERT_TRUE(writer_->append(builder, nullptr));
  }
  base::Monotonic nudge() { return *top_->nudge(test_.clock.monotonic(), out_); }
  // "name records bytes dropped_bytes" of each.
  static std::vector<std::string> brief(const std::vector<show::TopRow>& rows) {
    std::vector<std::string> out;
    for (const show::TopRow& row : rows)
      out.push_back(fmt::format("{} {} {} {}", row.name, row.count.records, row.count.bytes, row.count.dropped_bytes));
    return out;
  }
  using Rows = std::vector<std::string>;

  test::TestContext test_;
  test::TempDir dir_;
  RememberingView view_;
  test::LinesOutlet out_;
  std::unique_ptr<pipeline::Stage> top_;
  std::unique_ptr<spool::Writer> writer_;  // of store()
};

TEST_F(TopTest, CountsByLogAndNamespaceInEachInterval) {
  make({});
  take({line("web", "12345"), line("dns", "1"), line("web", "1", R"(,"stream":"stderr")"), line("db", "12")});
  EXPECT_EQ(view_.reports.size(), 0U);
  test_.clock.advance(2 * base::kSecond);
  EXPECT_EQ(nudge(), test_.clock.monotonic() + 2 * base::kSecond);
  ASSERT_EQ(view_.reports.size(), 1U);
  const TopReport& first = view_.reports[0];
  EXPECT_EQ(first.over, 2 * base::kSecond);
  EXPECT_EQ(brief(first.logs), (Rows{"shop/web/app 2 6 0", "shop/db/app 1 2 0", "kube-system/dns/app 1 1 0"}));
  EXPECT_EQ(brief(first.namespaces), (Rows{"shop 3 8 0", "kube-system 1 1 0"}));
  EXPECT_EQ(first.all.records, 4U);
  take({line("db", "1")});
  test_.clock.advance(3 * base::kSecond);
  take({line("db", "1")});  // a busy chain is not nudged
  ASSERT_EQ(view_.reports.size(), 2U);
  EXPECT_EQ(brief(view_.reports[1].logs), (Rows{"shop/db/app 2 2 0"})) << "who wrote nothing is left out";
  EXPECT_EQ(view_.reports[1].over, 3 * base::kSecond);
  EXPECT_FALSE(test_.stop->stopped());
}

TEST_F(TopTest, EndsAfterItsReportsOrWhenNobodyWantsMore) {
  make({.count = 2});
  test_.clock.advance(2 * base::kSecond);
  EXPECT_NE(nudge(), base::kNever);
  test_.clock.advance(2 * base::kSecond);
  EXPECT_EQ(nudge(), base::kNever);
  EXPECT_TRUE(test_.stop->stopped());
  EXPECT_EQ(test_.stop->signal(), 0);
  EXPECT_EQ(take({line("web", "x")}), pipeline::Flow::done);
  EXPECT_EQ(view_.reports.size(), 2U);
}

TEST_F(TopTest, EndsWhenAKeyAsksForIt) {
  make({});
  view_.asked_to_end = true;
  EXPECT_EQ(nudge(), base::kNever);
  EXPECT_TRUE(test_.stop->stopped());
  EXPECT_EQ(view_.reports.size(), 0U);
}

TEST_F(TopTest, EndsWhenTheReaderLeaves) {
  view_.leaves_after = 1;
  make({});
  test_.clock.advance(2 * base::kSecond);
  nudge();
  EXPECT_TRUE(test_.stop->stopped());
}

TEST_F(TopTest, RulesJudgeAndTakeNothingAway) {
  dir_.write("rules", "drop {pod=\"web\"} |= \"debug\"\nhold {pod=\"db\"}\n");
  make({.order = TopOrder::records, .rules = {dir_ / "rules"}});
  take({line("web", "debug 1"), line("web", "info"), line("web", "debug 2"), line("db", "held")});
  test_.clock.advance(2 * base::kSecond);
  nudge();
  ASSERT_EQ(view_.reports.size(), 1U);
  EXPECT_TRUE(view_.reports[0].judged);
  EXPECT_EQ(brief(view_.reports[0].logs), (Rows{"shop/web/app 3 18 14", "shop/db/app 1 4 0"}));
  EXPECT_EQ(view_.reports[0].all.dropped_records, 2U);
  EXPECT_EQ(view_.reports[0].all.held_records, 1U);
}

TEST_F(TopTest, RulesThatCannotBeUsedAreAnError) {
  dir_.write("rules", "drip {pod=\"web\"}\n");
  EXPECT_EQ(make_top({.rules = {dir_ / "rules"}}, view_, test_.context).error().code, base::Code::config);
}

TEST(TopNames, OfALog) {
  const std::pair<std::vector<record::Label>, std::string> cases[] = {
      {{{"namespace", "a"}, {"pod", "b"}, {"container", "c"}, {"stream", "stdout"}}, "a/b/c"},
      {{{"filename", "/var/log/x"}, {"stream", "stdout"}}, "/var/log/x"},
      {{{"job", "j"}, {"app", "x"}, {"stream", "stdout"}}, R"({app="x", job="j"})"},
      {{}, "{}"},
  };
  for (const auto& [labels, name] : cases) {
    LogRates rates;
    std::vector<record::Label> copy = labels;
    const record::LabelSetRef set = record::LabelSet::intern({copy.data(), copy.size()});
    rates.add(*set, {.records = 1, .bytes = 1});
    EXPECT_EQ(rates.take(0, 1, TopOrder::bytes, false).logs.front().name, name);
  }
}

TopReport report_of(std::size_t logs, bool judged) {
  TopReport report{.time = 0, .over = 2 * base::kSecond, .judged = judged, .all = {}, .logs = {}, .namespaces = {}};
  for (std::size_t i = 0; i < logs; ++i) {
    show::TopRow row{
        .name = fmt::format("ns{0}/p{1}/c", i % 2, i), .namespace_name = fmt::format("ns{}", i % 2), .pod = {}, .container = {}};
    row.count = {.records = 2 * (i + 1), .bytes = 2048 * (i + 1), .dropped_records = 1, .dropped_bytes = 1024 * (i + 1)};
    report.logs.push_back(std::move(row));
  }
  report.finish(TopOrder::bytes);
  return report;
}

TEST(TopTable, ForPeople) {
  EXPECT_EQ(show::top_text(report_of(0, false), {}), "0 logs: 0.0 records a second, 0 B a second, over 2.0 s\n");
  EXPECT_EQ(show::top_text(report_of(3, true), {.logs = 2}),
            "3 logs: 6.0 records a second, 6.0 KiB a second, over 2.0 s; rules drop 50% of the bytes\n"
            "\n"
            "  RECORDS/s     BYTES/s  SHARE  DROPPED NAMESPACE\n"
            "        4.0     4.0 KiB    67%      50% ns0\n"
            "        2.0     2.0 KiB    33%      50% ns1\n"
            "\n"
            "  RECORDS/s     BYTES/s  SHARE  DROPPED LOG\n"
            "        3.0     3.0 KiB    50%      50% ns0/p2/c\n"
            "        2.0     2.0 KiB    33%      50% ns1/p1/c\n"
            "                               … and 1 more\n");
}

TEST(TopTable, FitsATerminal) {
  TopReport report = report_of(500, true);
  report.logs.front().name = "\x1b[31mred\n\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4";
  for (const std::size_t lines : {1U, 5U, 10U, 24U, 60U, 200U}) {
    const std::string text = show::top_text(report, show::layout_for(lines, 50, 1000));
    const auto rows = static_cast<std::size_t>(std::ranges::count(text, '\n'));
    EXPECT_LT(rows, std::max<std::size_t>(lines, 11)) << lines;
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    std::size_t columns = 0;
    for (const char c : text) {
      columns = c == '\n' ? 0 : columns + ((static_cast<unsigned char>(c) & 0xc0U) != 0x80 ? 1 : 0);
      ASSERT_LE(columns, 50U) << text;
    }
  }
}

TEST(TopTable, AsJson) {
  const std::string json = show::top_json(report_of(1, true));
  EXPECT_EQ(json,
            R"({"time":"1970-01-01T00:00:00Z","interval_seconds":2.000,"records":2,"bytes":2048,"records_per_second":1.000,)"
            R"("bytes_per_second":1024.000,"dropped_records":1,"dropped_bytes":1024,"held_records":0,)"
            R"("namespaces":[{"namespace":"ns0","records":2,"bytes":2048,"records_per_second":1.000,"bytes_per_second":1024.000,)"
            R"("dropped_records":1,"dropped_bytes":1024,"held_records":0}],)"
            R"("logs":[{"log":"ns0/p0/c","namespace":"ns0","pod":null,"container":null,"filename":null,"records":2,"bytes":2048,)"
            R"("records_per_second":1.000,"bytes_per_second":1024.000,"dropped_records":1,"dropped_bytes":1024,"held_records":0}]})"
            "\n");
  EXPECT_EQ(show::top_json(report_of(0, false)),
            R"({"time":"1970-01-01T00:00:00Z","interval_seconds":2.000,"records":0,"bytes":0,"records_per_second":0.000,)"
            R"("bytes_per_second":0.000,"namespaces":[],"logs":[]})"
            "\n");
}

TEST_F(TopTest, OfASpoolWhatWasStoredLately) {
  store(line("old", "of an hour ago"));
  test_.clock.advance(base::kHour);
  store(line("web", "12345"));
  SpoolRates rates(std::move(*spool::Reader::open(dir_ / "s.db")), base::kMinute, TopOrder::bytes);
  auto report = rates.read(test_.clock.wall());
  ASSERT_TRUE(report);
  EXPECT_EQ(brief(report->logs), (Rows{"shop/web/app 1 5 0"}));
  EXPECT_EQ(report->over, base::kMinute);
  test_.clock.advance(30 * base::kSecond);
  store(line("web", "1"));
  EXPECT_EQ(brief(rates.read(test_.clock.wall())->logs), (Rows{"shop/web/app 2 6 0"}));
  test_.clock.advance(40 * base::kSecond);
  EXPECT_EQ(brief(rates.read(test_.clock.wall())->logs), (Rows{"shop/web/app 1 1 0"})) << "the first is older than a minute";
  test_.clock.advance(base::kHour);
  EXPECT_EQ(rates.read(test_.clock.wall())->logs.size(), 0U);
}

TEST_F(TopTest, OfAYoungSpoolTheTimeSinceItsFirstBlock) {
  store(line("web", "a backlog of days"));
  test_.clock.advance(10 * base::kSecond);
  store(line("web", "1"));
  SpoolRates rates(std::move(*spool::Reader::open(dir_ / "s.db")), base::kMinute, TopOrder::bytes);
  const auto report = rates.read(test_.clock.wall());
  EXPECT_EQ(brief(report->logs), (Rows{"shop/web/app 1 1 0"}));
  EXPECT_EQ(report->over, 10 * base::kSecond);
}

}  // namespace
}  // namespace weir::stages
