#include "show/row_writer.h"

#include "show/answer.h"
#include "show/screen.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::show {
namespace {

using base::kSecond;
using test::kMorning;

std::string csv_of(test::Answer& answer, bool terminal = false) {
  CsvWriter writer(terminal, true);
  return answer.text(writer);
}

TEST(Csv, Cells) {
  const auto f = [](std::string_view value, const std::string& cell) {
    std::string out;
    append_csv_cell(out, value);
    EXPECT_EQ(out, cell);
  };
  f("", "");
  f("plain text, no", "\"plain text, no\"");
  f("a b;c", "a b;c");
  f(R"(say "hi")", R"("say ""hi""")");
  f("a\nb", "\"a\nb\"");
  f("a\rb", "\"a\rb\"");
  f("\"", "\"\"\"\"");
  f("=1+1", "=1+1");
}

TEST(Csv, LogsAndWhatWasParsed) {
  const test::ZoneOf here("UTC-2");
  test::Answer answer;
  answer.add(kMorning, "one, two", {{"namespace", "shop"}, {"pod", "a"}});
  answer.parsed(answer.batch.records.back(), R"({"status":"500","line":"x","pod":"parsed","escaped":"a\"b"})");
  answer.add(kMorning + 1, "", {{"zone", "z"}});
  EXPECT_EQ(csv_of(answer),
            "timestamp,escaped,label_line,namespace,pod,status,zone,line,other_labels\n"
            "2026-05-01T12:00:00.000000000+02:00,\"a\"\"b\",x,shop,parsed,500,,\"one, two\",\n"
            "2026-05-01T12:00:00.000000001+02:00,,,,,,z,,\n");
}

TEST(Csv, Samples) {
  const test::ZoneOf here("UTC0");
  test::Answer answer;
  answer.add_sample(kMorning, "0.1", {{"pod", "a"}});
  answer.add_sample(kMorning + kSecond, "NaN", {{"pod", "a"}});
  EXPECT_EQ(csv_of(answer),
            "timestamp,pod,value,other_labels\n"
            "2026-05-01T10:00:00.000000000Z,a,0.1,\n"
            "2026-05-01T10:00:01.000000000Z,a,NaN,\n");
}

TEST(Csv, LabelsWithoutAColumnStandLast) {
  const test::ZoneOf here("UTC0");
  test::Answer answer;
  for (int i = 0; i < 1000; ++i) answer.add(kMorning, "x", {{"pod", "a"}});
  answer.add(kMorning, "y", {{"pod", "b"}, {"new", "n\"1"}});
  const std::string text = csv_of(answer);
  EXPECT_TRUE(text.starts_with("timestamp,pod,line,other_labels\n2026-05-01T10:00:00.000000000Z,a,x,\n"));
  EXPECT_TRUE(text.ends_with("\n2026-05-01T10:00:00.000000000Z,b,y,\"{\"\"new\"\":\"\"n\\\"\"1\"\"}\"\n"))
      << text.substr(text.size() - 100);
}

TEST(Csv, OnATerminalNothingDrivesIt) {
  test::Answer answer;
  answer.add(kMorning, "a\x1b[31m\nb", {{"p\x7f", "\u009b"}});
  test::expect_fits(csv_of(answer, true), 1000);
}

TEST(Csv, HoldsFewRecordsAndNotForEver) {
  std::string out;
  test::Answer answer;
  for (int i = 0; i < 10; ++i) answer.add(kMorning, std::string(200 << 10, 'x'), {});
  CsvWriter writer(false, true);
  EXPECT_EQ(writer.patience(), base::kNever);
  EXPECT_EQ(CsvWriter(false, false).patience(), kSecond);
  EXPECT_FALSE(writer.holds());
  std::size_t held = 0;
  for (record::Record& record : answer.batch.records) {
    writer.add(out, answer.batch, record);
    if (writer.holds()) ++held;
  }
  EXPECT_GT(held, 2U);
  EXPECT_LT(held, 8U);
  EXPECT_EQ(std::ranges::count(out, '\n'), 11);
}

TEST(LogTable, OnAScreen) {
  const test::ZoneOf here("UTC0");
  test::Answer answer;
  answer.add(kMorning, "GET / took very long, and what is said of it does not fit", {{"namespace", "shop"}, {"pod", "web-1"}});
  answer.parsed(answer.batch.records.back(), R"({"status":"500"})");
  answer.add(kMorning + kSecond, "two", {{"namespace", "shop"}, {"pod", "web-22"}});
  answer.add(kMorning + 86400 * kSecond, "three", {{"namespace", "shop"}, {"pod", "web-1"}, {"zone", "b"}});
  LogTable table(true, true, {.width = 62}, true);
  const std::string text = answer.text(table);
  test::expect_fits(text, 62);
  EXPECT_EQ(text,
            "2026-05-01 UTC  {namespace=\"shop\"}\n"
            "TIME         pod    status zone LINE\n"
            "10:00:00.000 web-1  500         GET / took very long, and what\n"
            "                                is said of it does not fit\n"
            "10:00:01.000 web-22             two\n"
            "2026-05-02 UTC\n"
            "10:00:00.000 web-1         b    three\n");
}

TEST(LogTable, InAPipeNothingIsCut) {
  const test::ZoneOf here("UTC0");
  test::Answer answer;
  const std::string pod(90, 'p'), line(500, 'x');
  answer.add(kMorning, line, {{"pod", pod}});
  answer.add(kMorning, "a\nb", {{"pod", "q"}});
  LogTable table(false, false, {}, true);
  EXPECT_EQ(answer.text(table), "TIME                    pod" + std::string(88, ' ') + "LINE\n2026-05-01 10:00:00.000 " + pod +
                                    " " + line + "\n2026-05-01 10:00:00.000 q" + std::string(90, ' ') + "a\\nb\n");
}

TEST(LogTable, ManyLabelsLeaveRoomForTheLine) {
  test::Answer answer;
  for (int i = 0; i < 3; ++i) {
    const std::string value = "value-of-a-label-" + std::to_string(i);
    answer.add(kMorning, "x", {{"a", value}, {"b", value}, {"c", value}, {"d", value}, {"pod", value}});
  }
  LogTable table(true, true, {.width = 80}, true);
  const std::string text = answer.text(table);
  test::expect_fits(text, 80);
  EXPECT_NE(text.find("without room here: c, d\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace weir::show
