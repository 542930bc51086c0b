#include "cli/spool_report.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weir::cli {
namespace {

constexpr base::Timestamp kNow = 1'760'000'000 * base::kSecond;

spool::ProcessStatus process(std::uint64_t pid) { return {.pid = pid, .command = "weir run", .started = kNow - base::kHour}; }

SpoolReport empty() {
  SpoolReport report{.path = "s.db", .now = kNow, .status = {}, .journals = {}, .logs = {}};
  report.status.created = kNow - 24 * base::kHour;
  return report;
}

LogLag lag(std::string path, std::uint64_t bytes, base::Duration behind, bool by_file = false) {
  return {std::move(path),
          {.bytes = bytes, .files = 1, .oldest = behind == 0 ? 0 : kNow - behind, .by_file = by_file, .gone = 0, .trouble = {}}};
}

TEST(SpoolReport, WhatItSays) {
  struct Case {
    const char* what;
    void (*set)(SpoolReport&);
    const char* text;  // a line of the text; "-" in front: no line begins so
    const char* json;  // stands in the JSON
  };
  const Case cases[] = {
      {"nothing was ever there", [](SpoolReport&) {}, "writer        none", R"("running":false)"},
      {"a process of which only the lock tells",
       [](SpoolReport& report) {
         report.status.writing = true;
         report.status.writer_pid = 7;
       },
       "writer        process 7\n", R"("writer":{"running":true,"pid":7,"command":null)"},
      {"the status is of the process before",
       [](SpoolReport& report) {
         report.status.writing = true;
         report.status.writer_pid = 7;
         report.status.writer = process(6);
         report.status.writer->blocked = "a disk";
       },
       "-blocked", R"("pid":7,"command":null)"},
      {"all who are blocked, the writer first",
       [](SpoolReport& report) {
         report.status.writing = true;
         report.status.writer_pid = 7;
         report.status.writer = process(7);
         report.status.writer->blocked = "full";
         report.status.writer->blocked_since = kNow - base::kMinute;
         report.status.consumers.push_back({.name = "main", .connected = true, .pid = 8, .process = process(8)});
         report.status.consumers[0].process->blocked = "no Loki";
         report.status.consumers[0].process->blocked_since = kNow - 5 * base::kMinute;
       },
       "blocked       for 1 minute: full\nblocked       for 5 minutes: no Loki\n",
       R"("blocked":"full","blocked_since":"2025-10-09T08:52:20Z")"},
      {"of consumers, the one that has waited longest comes first",
       [](SpoolReport& report) {
         for (const std::uint64_t pid : {7, 8}) {
           report.status.consumers.push_back({.name = "c", .connected = true, .pid = pid, .process = process(pid)});
           report.status.consumers.back().process->blocked = pid == 7 ? "no Loki" : "no network";
           report.status.consumers.back().process->blocked_since = kNow - static_cast<base::Duration>(pid) * base::kMinute;
         }
       },
       "blocked       for 8 minutes: no network\nblocked       for 7 minutes: no Loki\n", R"("blocked":"no network")"},
      {"one process does both",
       [](SpoolReport& report) {
         report.status.writing = true;
         report.status.writer_pid = 7;
         report.status.writer = process(7);
         report.status.consumers.push_back({.name = "main", .connected = true, .pid = 7, .process = process(7)});
       },
       "-delivers", R"("running":true)"},
      {"an error that is over, of one that has ended",
       [](SpoolReport& report) {
         report.status.writer = process(7);
         report.status.writer->ended = kNow - base::kSecond;
         report.status.writer->error = "no room";
         report.status.writer->error_at = kNow - base::kMinute;
       },
       "last error    2025-10-09T08:52:20Z (1 minute ago): no room\n",
       R"("last_error":"no room","last_error_at":"2025-10-09T08:52:20Z")"},
      {"unread lines are older than undelivered records",
       [](SpoolReport& report) {
         report.status.consumers.push_back({.name = "main", .oldest = kNow - base::kMinute, .late_since = kNow - base::kMinute});
         report.logs = {lag("/var/log/pods/shop_web_1/app/0.log", 2048, base::kHour),
                        lag("/var/log/x.log", 10, base::kMinute, true), lag("/var/log/open.log", 5, 0)};
       },
       "behind        1 hour; the oldest undelivered record is of 2025-10-09T08:52:20Z (1 minute ago)\n"
       "unread        2.0 KiB in 3 logs\n"
       "              shop/web/app: 2.0 KiB, 1 hour behind\n"
       "              /var/log/x.log: 10 B, at least 1 minute behind\n"
       "              /var/log/open.log: 5 B\n",
       R"("oldest_undelivered":"2025-10-09T08:52:20Z","undelivered_seconds":60.000,"unread_bytes":2063,"unread_seconds":3600.000)"},
      {"lines were old when they were stored",
       [](SpoolReport& report) {
         report.status.consumers.push_back({.name = "main", .oldest = kNow - base::kHour, .late_since = kNow - 2 * base::kMinute});
       },
       "behind        2 minutes; the oldest undelivered record is of 2025-10-09T07:53:20Z (1 hour ago); undelivered records have "
       "waited in the spool for up to 2 minutes\n",
       R"("behind_seconds":120.000,"oldest_undelivered":"2025-10-09T07:53:20Z","undelivered_seconds":120.000)"},
      {"lines were stored a moment after they were written",
       [](SpoolReport& report) {
         report.status.consumers.push_back(
             {.name = "main", .oldest = kNow - base::kHour, .late_since = kNow - base::kHour + base::kSecond});
       },
       "behind        59 minutes; the oldest undelivered record is of 2025-10-09T07:53:20Z (1 hour ago)\n",
       R"("behind_seconds":3599.000)"},
      {"entries of the journal are not read",
       [](SpoolReport& report) {
         report.journals = {{.id = "a",
                             .place = {.entry = 1234, .folder = "/j"},
                             .found = true,
                             .time = kNow - base::kHour,
                             .lag = {.entries = 5, .oldest = kNow - 2 * base::kMinute},
                             .trouble = {}}};
       },
       "journal       entry 1,234 in /j, of 2025-10-09T07:53:20Z (1 hour ago); up to 5 entries are unread, 2 minutes behind\n",
       R"("unread_seconds":120.000)"},
      {"a journal that cannot be read",
       [](SpoolReport& report) {
         report.journals = {{.id = "a", .place = {.entry = 1, .folder = "/j"}, .trouble = "cannot read /j: Permission denied"}};
       },
       "journal       entry 1 in /j; how far it is behind is not known\n"
       "trouble       cannot read /j: Permission denied\n",
       R"("behind_seconds":null)"},
      {"a journal that is not there",
       [](SpoolReport& report) { report.journals = {{.id = "a", .place = {.entry = 1, .folder = "/j"}, .trouble = {}}}; },
       "journal       entry 1 in /j; no file of this journal is there\n",
       R"("entry":1,"time":null,"unread_entries":null,"oldest":null,"seconds":null,"trouble":null}])"},
      {"nothing is late", [](SpoolReport& report) { report.status.consumers.push_back({.name = "main"}); },
       "behind        nothing\n", R"("behind_seconds":0.000,"oldest_undelivered":null)"},
      {"of many logs the furthest behind are named",
       [](SpoolReport& report) {
         report.logs = {lag("/gone", 0, 0)};
         for (int i = 0; i < 7; ++i) report.logs.push_back(lag(fmt::format("/{}", i), 1, base::kMinute));
       },
       "unread        7 B in 7 logs\n"
       "              /0: 1 B, 1 minute behind\n"
       "              /1: 1 B, 1 minute behind\n"
       "              /2: 1 B, 1 minute behind\n"
       "              /3: 1 B, 1 minute behind\n"
       "              /4: 1 B, 1 minute behind\n"
       "lost          nothing",
       R"("unread_bytes":7)"},
      {"a spool that fills up",
       [](SpoolReport& report) {
         report.status.consumers.push_back({.name = "main"});
         report.status.max_size = 1 << 30;
         report.status.room_bytes = 3600 << 10;
         report.status.inflow = 1024;
         report.status.drops_oldest = true;
       },
       "full in       1 hour if nothing is delivered, at 1.0 KiB a second; then the oldest records are lost\n",
       R"("full_in_seconds":3600.000,"inflow_bytes_per_second":1024)"},
      {"a spool whose writer waits for room, with a little room left",
       [](SpoolReport& report) {
         report.status.consumers.push_back({.name = "main"});
         report.status.max_size = 1 << 30;
         report.status.room_bytes = 4096;
         report.status.inflow = 1024;
         report.status.writing = true;
         report.status.writer_pid = 7;
         report.status.writer = process(7);
         report.status.writer->blocked = "the disk is full";
         report.status.writer->blocked_since = report.status.writer->full_since = kNow - base::kMinute;
       },
       "full          now: the logs wait until there is room\n", R"("full_in_seconds":0.000)"},
      {"a writer that waited for room and was killed",
       [](SpoolReport& report) {
         report.status.writer = process(7);
         report.status.writer->blocked = "the disk is full";
         report.status.writer->blocked_since = report.status.writer->full_since = kNow - base::kMinute;
       },
       "-full", R"("full_in_seconds":null)"},
      {"of an older release's spool nobody knows the limit",
       [](SpoolReport& report) {
         report.status.consumers.push_back({.name = "main"});
         report.status.inflow = 1024;
       },
       "-full in", R"("full_in_seconds":null)"},
      {"nothing was lost", [](SpoolReport&) {}, "lost          nothing since 2025-10-08T08:53:20Z (1 day ago)\n", R"("gaps":0)"},
      {"logs that lost data",
       [](SpoolReport& report) {
         spool::Losses& losses = report.status.losses;
         losses.add_gap("shop/web/app", 12 << 10, kNow - base::kHour);
         losses.add_gap("shop/db/app", std::nullopt, kNow - base::kMinute);
         losses.add_gap("shop/db/app", 0, kNow - base::kMinute);
         losses.held_shed = 3;
         report.status.evicted_undelivered = 5;
       },
       "lost          2 logs lost data: shop/db/app, shop/web/app, at least 12.0 KiB; the last time 1 minute ago\n"
       "              5 undelivered records were evicted\n"
       "              3 held records were not stored\n"
       "              counted since 2025-10-08T08:53:20Z (1 day ago)\n",
       R"("gaps":3,"gap_bytes":12288,"gaps_of_unknown_size":1)"},
      {"a file that is gone while nothing runs",
       [](SpoolReport& report) {
         report.logs = {lag("/x", 0, 0)};
         report.logs[0].lag.gone = 2;
       },
       "gone          2 files were removed since the last run before their end was read\n", R"("gone_files":2)"},
      {"a chain that runs may still have it open",
       [](SpoolReport& report) {
         report.status.writing = true;
         report.logs = {lag("/x", 0, 0)};
         report.logs[0].lag.gone = 2;
       },
       "-gone", R"("gone_files":2)"},
      {"a log that cannot be read",
       [](SpoolReport& report) {
         report.logs = {lag("/x", 0, 0)};
         report.logs[0].lag.trouble = "cannot open /x: Permission denied";
       },
       "behind        unknown\ntrouble       cannot open /x: Permission denied\n",
       R"("unread":[{"log":"/x","path":"/x","unread_bytes":null,"unread_files":null,"oldest":null,"oldest_is_of_file":false,)"
       R"("seconds":null,"gone_files":0,"trouble":"cannot open /x: Permission denied"}])"},
      {"what is known beside it is the least",
       [](SpoolReport& report) {
         report.logs = {lag("/y", 10, base::kHour), lag("/x", 0, 0)};
         report.logs[1].lag.trouble = "cannot open /x: Permission denied";
       },
       "behind        at least 1 hour\nunread        at least 10 B in 1 log\n",
       R"("behind_seconds":null,"oldest_undelivered":null,"undelivered_seconds":0.000,"unread_bytes":null,"unread_seconds":null,)"},
      {"a file with a bad spot has a size",
       [](SpoolReport& report) {
         report.logs = {lag("/x", 10, 0)};
         report.logs[0].lag.trouble = "cannot read /x: Input/output error";
       },
       "unread        10 B in 1 log\n", R"("unread_bytes":10,"unread_seconds":null,)"},
  };
  for (const Case& one : cases) {
    SpoolReport report = empty();
    one.set(report);
    const std::string text = "\n" + spool_report_text(report);
    if (*one.text == '-') {
      EXPECT_EQ(text.find(std::string("\n") + (one.text + 1)), std::string::npos) << one.what << text;
    } else {
      EXPECT_NE(text.find(std::string("\n") + one.text), std::string::npos) << one.what << text;
    }
    const std::string json = spool_report_json(report);
    EXPECT_NE(json.find(one.json), std::string::npos) << one.what << '\n' << json;
    EXPECT_EQ(json.find('\n'), json.size() - 1) << one.what;
  }
}

TEST(SpoolReport, BehindIsTheOlderOfBoth) {
  SpoolReport report = empty();
  EXPECT_EQ(report.behind(), 0);
  report.status.consumers.push_back({.name = "a", .oldest = kNow - base::kHour, .late_since = kNow - 2 * base::kMinute});
  report.status.consumers.push_back({.name = "b", .oldest = kNow - 3 * base::kMinute, .late_since = kNow - 3 * base::kMinute});
  EXPECT_EQ(report.behind(), 3 * base::kMinute);
  report.logs = {lag("/x", 1, base::kHour)};
  EXPECT_EQ(report.behind(), base::kHour);
  report.status.consumers[0].late_since = kNow + base::kHour;  // a record of the future is not late
  report.status.consumers.pop_back();
  report.logs.clear();
  EXPECT_EQ(report.behind(), 0);
}

TEST(SpoolReport, WhatIsNotKnownIsNotWithinTheBound) {
  SpoolReport report = empty();
  EXPECT_FALSE(*is_behind(report, base::kMinute));
  report.logs = {lag("/y", 10, base::kHour), lag("/x", 0, 0), lag("/z", 0, 0)};
  EXPECT_FALSE(*is_behind(report, base::kHour));
  report.logs[1].lag.trouble = "cannot open /x: Permission denied";
  report.logs[2].lag.trouble = "cannot open /z: Permission denied";
  EXPECT_TRUE(*is_behind(report, base::kMinute)) << "what is known is late enough";
  const auto judged = is_behind(report, base::kHour);
  ASSERT_FALSE(judged);
  EXPECT_EQ(judged.error().message,
            "cannot tell how far 's.db' is behind: 2 logs cannot be read (cannot open /x: Permission denied)");
  EXPECT_FALSE(judged.error().hint.empty());
}

}  // namespace
}  // namespace weir::cli
