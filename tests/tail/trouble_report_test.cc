#include "tail/trouble_report.h"

#include "support/collect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace weir::tail {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Troubles : public testing::Test {
 protected:
  // What was said since this was last asked.
  std::vector<std::string> said() {
    const auto all = diagnostics.said();
    std::vector<std::string> news(all.begin() + static_cast<std::ptrdiff_t>(asked), all.end());
    asked = all.size();
    return news;
  }
  test::RememberingDiagnostics diagnostics;
  ReadOptions options;
  ReadStats stats;
  TroubleReport report{options, stats, diagnostics};
  std::size_t asked = 0;
};

TEST_F(Troubles, ReadingOnceTellsAtTheEnd) {
  report.add("/a", Cause::of_system(EACCES));
  report.add("/b", Cause::of_system(EACCES));
  report.add_opened("/c\n", Cause::of_system(EIO));
  report.report(false);
  EXPECT_THAT(said(), IsEmpty());
  report.report(true);
  EXPECT_THAT(said(), ElementsAre("cannot read /c\\n: Input/output error",
                                  "cannot read 2 files: Permission denied (the first: /a) (run as root, or give the process "
                                  "CAP_DAC_READ_SEARCH)"));
  report.report(true);
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(report.unreadable(), 3U);
  EXPECT_EQ(report.opened_unreadable(), 1U);
  EXPECT_EQ(report.nothing_readable().message, "cannot read any of 3 log files");
}

TEST_F(Troubles, FollowingTellsAtOnce) {
  options.follow = true;
  report.add("/a", Cause::leads_out());
  EXPECT_THAT(said(), ElementsAre(HasSubstr("cannot read /a: a symbolic link leads out of the log folders (name the folder")));
  EXPECT_EQ(report.nothing_readable().message, "cannot read the log file");
}

TEST_F(Troubles, WhatGrewIsToldOnceWithTheLogsName) {
  const auto read = [&](const char* name, std::uint64_t ReadStats::*grows) {
    report.begin();
    if (grows != nullptr) ++(stats.*grows);
    report.note(name);
  };
  read("/odd", &ReadStats::leading_holes);
  read("/fine", nullptr);
  report.report(false);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("/odd: the file begins with zeros")));
  read("/other", &ReadStats::truncated);
  report.report(false);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("/other: the file was truncated")));
  ++stats.too_old_files;
  report.report(false);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("of 1 log file, older than")));
  report.report(false);
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(Troubles, OfManyGapsTheFirstAreNamed) {
  stats.gaps = 5;
  stats.gap_lines = {"weir: one", "weir: two"};
  report.report(false);
  EXPECT_THAT(said(), ElementsAre("one (a record with metadata weir_gap_bytes says so)",
                                  "two (a record with metadata weir_gap_bytes says so); and 3 more"));
  EXPECT_THAT(stats.gap_lines, IsEmpty());
  report.report(false);
  EXPECT_THAT(said(), IsEmpty());
}

}  // namespace
}  // namespace weir::tail
