#include "cli/follow_options.h"

#include "cli/value_error.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace weir::cli {
namespace {

base::Result<void> parse(const std::string& arguments, bool forward = false) {
  CLI::App app;
  FollowFlags flags;
  TimeFlags time;
  declare_follow(app, flags);
  declare_time(app, time, "1h");
  app.parse(arguments, false);
  return check(flags, time, forward);
}

TEST(FollowOptions, AreRead) {
  CLI::App app;
  FollowFlags flags;
  declare_follow(app, flags);
  app.parse("-f --late 5m", false);
  EXPECT_TRUE(flags.follow);
  EXPECT_EQ(flags.late, 5 * base::kMinute);
  for (const char* name : {"-t", "--tail", "--follow"}) {
    CLI::App other;
    FollowFlags same;
    declare_follow(other, same);
    other.parse(name, false);
    EXPECT_TRUE(same.follow) << name;
  }
}

TEST(FollowOptions, WhatStandsBesideThem) {
  EXPECT_TRUE(parse("-f").ok());
  EXPECT_TRUE(parse("-f --since 1h").ok());
  EXPECT_TRUE(parse("--to 10:00").ok());
  EXPECT_EQ(parse("-f --to 10:00").error().message, "cannot follow a query with --to");
  EXPECT_EQ(parse("-f", true).error().message, "cannot follow a query with --forward");
  EXPECT_EQ(parse("--late 1m").error().message, "cannot take --late without --follow");
  EXPECT_THROW(static_cast<void>(parse("-f --late 10ms")), ValueError);
}

}  // namespace
}  // namespace weir::cli
