#include "smoke/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::smoke {
namespace {

using base::kMillisecond;
using base::kSecond;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

RunReport good() {
  RunReport report;
  report.run = "0123456789ab";
  report.streams = 4;
  report.begin = 1'700'000'000 * kSecond;
  report.took = 6'250 * kMillisecond;
  report.written = {.requests = 25, .repeats = 0, .bytes = 2048};
  report.verdict.sent = report.verdict.arrived = report.verdict.entries = 200;
  report.verdict.counted = 200;
  report.verdict.latency = {{kMillisecond}, 40 * kMillisecond, 90 * kMillisecond, 100 * kMillisecond, 12 * kSecond};
  return report;
}

RunReport bad() {
  RunReport report = good();
  report.verdict.arrived = report.verdict.entries = 192;
  report.verdict.counted = 192;
  report.verdict.findings = {{Fault::missing, 8, {"record 9 of stream 2 (plain)"}},
                             {Fault::truncated, 1, {"record 1: \"<a>\x1b[2J\xff\""}}};
  report.notes = {"3 push requests were sent again: 503"};
  return report;
}

TEST(Text, Good) {
  EXPECT_EQ(to_text(good()),
            "good: 200 records in 4 streams arrived once, in order and unchanged (run 0123456789ab)\n"
            "  sent       200 records, 2.0 KiB, in 25 push requests; the run took 6.2 s\n"
            "  read back  200 by query_range, 200 by count_over_time\n"
            "  latency    p50 40 ms, p95 90 ms, p99 100 ms, longest 12.0 s\n");
}

TEST(Text, Bad) {
  const std::string text = to_text(bad());
  EXPECT_THAT(text, StartsWith("bad: 8 records are missing, 1 record has a truncated line (run 0123456789ab)\n"
                               "  8 records are missing:\n"
                               "    record 9 of stream 2 (plain)\n"
                               "    and 7 more\n"
                               "  1 record has a truncated line:\n"
                               "    record 1: \"<a>\\x1b[2J\\xff\"\n"
                               "  sent       200 records"));
  EXPECT_THAT(text, HasSubstr("  note       3 push requests were sent again: 503\n"));
}

TEST(Text, NotReadBack) {
  RunReport report = good();
  report.read_back = false;
  report.verdict.latency = {};
  EXPECT_THAT(to_text(report), StartsWith("good: Loki took 200 records in 4 streams; they were not read back (run "));
  EXPECT_THAT(to_text(report), Not(HasSubstr("query_range")));
}

TEST(Line, OfEachOutcome) {
  const base::Timestamp now = 1'700'000'000 * kSecond + 5;
  EXPECT_EQ(to_line(good(), now),
            "2023-11-14T22:13:20Z good: 200 records in 4 streams arrived once, in order and unchanged; latency "
            "p50 40 ms, p99 100 ms (run 0123456789ab)\n");
  EXPECT_EQ(to_line(bad(), now),
            "2023-11-14T22:13:20Z bad: 8 records are missing, 1 record has a truncated line; latency p50 40 ms, "
            "p99 100 ms (run 0123456789ab); the first: record 9 of stream 2 (plain)\n");
  EXPECT_EQ(to_line(base::fail(base::Code::network, "cannot push: a\nb"), now),
            "2023-11-14T22:13:20Z no verdict: cannot push: a\\nb\n");
}

TEST(Json, OfEachOutcome) {
  EXPECT_EQ(
      to_json(good(), 0),
      R"({"good":true,"run":"0123456789ab","way":"push","time":"2023-11-14T22:13:20Z","took_ms":6250.0,"streams":4,"sent":200,)"
      R"("bytes":2048,"requests":25,"repeated_requests":0,"arrived":200,"query_range":200,"count_over_time":200,)"
      R"("latency_ms":{"p50":40.0,"p95":90.0,"p99":100.0,"max":12000.0},"findings":[],"notes":[]})"
      "\n");
  EXPECT_THAT(to_json(bad(), 0), HasSubstr(R"x("findings":[{"fault":"missing","count":8,"text":"8 records are missing",)x"
                                           R"x("examples":["record 9 of stream 2 (plain)"]},{"fault":"truncated","count":1,)x"));
  EXPECT_EQ(to_json(base::fail(base::Code::network, "cannot \"push\"").with_hint("h"), 1'700'000'000 * kSecond),
            "{\"good\":false,\"time\":\"2023-11-14T22:13:20Z\",\"error\":\"cannot \\\"push\\\"\",\"hint\":\"h\"}\n");
  RunReport uncounted = good();
  uncounted.verdict.counted.reset();
  EXPECT_THAT(to_json(uncounted, 0), HasSubstr("\"count_over_time\":null"));
}

TEST(Junit, OfEachOutcome) {
  const std::string fine = to_junit(good());
  EXPECT_THAT(fine,
              StartsWith("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"weir smoke\" tests=\"9\" "
                         "failures=\"0\" errors=\"0\" time=\"6.250\" timestamp=\"2023-11-14T22:13:20Z\">\n"
                         "    <testcase classname=\"weir.smoke\" name=\"every record arrives\"/>\n"));
  const std::string wrong = to_junit(bad());
  EXPECT_THAT(wrong, HasSubstr("tests=\"9\" failures=\"2\""));
  EXPECT_THAT(wrong,
              HasSubstr("name=\"every record arrives\">\n      <failure message=\"8 records are missing\">record 9 of stream 2 "
                        "(plain)\n</failure>\n    </testcase>\n"));
  // XML allows neither the escape character nor a byte that is no UTF-8.
  EXPECT_THAT(wrong, HasSubstr("record 1: &quot;&lt;a&gt;\\x1b[2J\\xff&quot;"));
  EXPECT_THAT(
      to_junit(base::fail(base::Code::network, "cannot push <here>")),
      HasSubstr("errors=\"1\">\n    <testcase classname=\"weir.smoke\" name=\"a verdict\">\n      <error message=\"cannot push "
                "&lt;here&gt;\"></error>\n"));
}

TEST(Junit, OnlyWhatWasChecked) {
  RunReport report = good();
  report.read_back = false;
  EXPECT_THAT(to_junit(report), HasSubstr("tests=\"1\""));
}

TEST(Junit, CountsThatDifferAreAFailure) {
  RunReport report = good();
  report.verdict.counted = 208;
  report.verdict.findings = {{Fault::repeated, 8, {"record 9 of stream 2 (plain) is stored 2 times"}}};
  EXPECT_THAT(to_junit(report), HasSubstr("name=\"count_over_time counts what query_range shows\">\n      <failure message="
                                          "\"count_over_time counts 208, query_range shows 200\">"));
  EXPECT_THAT(to_junit(report), HasSubstr("failures=\"2\""));
}

TEST(Reports, WhatTheCommandWrote) {
  RunReport report = bad();
  report.way = Way::command;
  report.command_output = {"weir push: cannot reach <it>", "a\tb"};
  EXPECT_THAT(to_text(report), HasSubstr("\n  the last lines of the command:\n    weir push: cannot reach <it>\n"));
  EXPECT_THAT(to_json(report, 0), HasSubstr(R"("command_output":["weir push: cannot reach <it>","a\tb"]})"));
  EXPECT_THAT(to_junit(report), HasSubstr("<system-err>weir push: cannot reach &lt;it&gt;\n"));
  RunReport fine = good();
  fine.way = Way::command;
  fine.command_output = {"weir push: 200 records delivered"};
  EXPECT_THAT(to_text(fine), Not(HasSubstr("last lines"))) << "nobody asks";
  EXPECT_THAT(to_json(fine, 0), HasSubstr("command_output"));
  EXPECT_THAT(to_json(bad(), 0), Not(HasSubstr("command_output"))) << "there was no command";
  EXPECT_THAT(to_junit(bad()), Not(HasSubstr("system-err")));
}

}  // namespace
}  // namespace weir::smoke
