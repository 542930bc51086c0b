#include "cli/expect_options.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace weir::cli {
namespace {

using Verdict = stages::Expectation::Verdict;

base::Result<void> parse(const std::string& arguments, bool follow = false, bool limit = false) {
  CLI::App app;
  ExpectFlags flags;
  TimeFlags time;
  declare_expect(app, flags);
  declare_time(app, time, "1h");
  app.parse(arguments, false);
  return check(flags, time, follow, limit);
}

Verdict verdict(const std::string& arguments, std::uint64_t found) {
  CLI::App app;
  ExpectFlags flags;
  declare_expect(app, flags);
  app.parse(arguments, false);
  EXPECT_TRUE(flags.given());
  auto expectation = flags.expectation();
  expectation.add(found);
  return expectation.judge(true);
}

TEST(ExpectOptions, MeanWhatTheySay) {
  EXPECT_EQ(verdict("--expect 3", 3), Verdict::met);
  EXPECT_EQ(verdict("--expect 3", 4), Verdict::missed);
  EXPECT_EQ(verdict("--expect-min 3", 4), Verdict::met);
  EXPECT_EQ(verdict("--expect-min 3", 2), Verdict::missed);
  EXPECT_EQ(verdict("--expect-max 3", 3), Verdict::met);
  EXPECT_EQ(verdict("--expect-min 2 --expect-max 3", 4), Verdict::missed);
  EXPECT_EQ(verdict("--expect-none", 0), Verdict::met);
  EXPECT_EQ(verdict("--expect-none", 1), Verdict::missed);
  EXPECT_EQ(verdict("--expect 0", 0), Verdict::met);
}

TEST(ExpectOptions, WhatStandsBesideThem) {
  EXPECT_TRUE(parse("").ok());
  EXPECT_TRUE(parse("--expect 3 --wait 5s").ok());
  EXPECT_TRUE(parse("--expect-min 1 --expect-max 3 --to 10:00").ok());
  EXPECT_EQ(parse("--wait 5s").error().message, "cannot take --wait without an expectation");
  EXPECT_EQ(parse("--expect 3 --expect-none").error().message, "cannot take two expectations");
  EXPECT_EQ(parse("--expect 3 --expect-min 1").error().message, "cannot take two expectations");
  EXPECT_EQ(parse("--expect-min 3 --expect-max 1").error().message, "cannot expect at least 3 and at most 1 records");
  EXPECT_EQ(parse("--expect 3 --wait 5s --to 10:00").error().message, "cannot take --wait with --to");
  EXPECT_EQ(parse("--expect 3", true).error().message, "cannot take an expectation with --follow");
  EXPECT_EQ(parse("--expect 3", false, true).error().message, "cannot take an expectation with --limit");
}

}  // namespace
}  // namespace weir::cli
