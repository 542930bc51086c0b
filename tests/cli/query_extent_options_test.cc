#include "cli/query_extent_options.h"

#include "cli/value_error.h"
#include "stages/query.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace weir::cli {
namespace {

TEST(QueryExtent, Options) {
  CLI::App app;
  QueryExtentOptions options;
  declare(app, options);
  app.parse("--limit 5 --forward --step 1m30s", false);
  EXPECT_EQ(options.limit, 5U);
  EXPECT_TRUE(options.forward);
  EXPECT_EQ(options.step, 90 * base::kSecond);
}

TEST(QueryExtent, TheLimitDependsOnWhatIsAsked) {
  using What = stages::QuerySpec::What;
  const auto f = [](What what, bool everything, std::uint64_t limit) {
    stages::QuerySpec spec;
    spec.what = what;
    apply({}, everything, spec);
    EXPECT_EQ(spec.limit, limit);
    apply({.limit = 7}, everything, spec);
    EXPECT_EQ(spec.limit, 7U);
  };
  f(What::records, false, 1000);
  f(What::records, true, 0);
  f(What::volume, true, 100);
  f(What::fields, false, 1000);
}

TEST(QueryExtent, WhatGoesWithOtherQuestionsAlone) {
  using What = stages::QuerySpec::What;
  const auto mistake = [](const QueryExtentOptions& given, What what) {
    const auto good = check(given, what);
    return good ? std::string() : good.error().message;
  };
  EXPECT_EQ(mistake({.by = {"app"}}, What::records), "cannot take --by without volume");
  EXPECT_EQ(mistake({.by_name = true}, What::labels), "cannot take --by-name without volume");
  EXPECT_EQ(mistake({.lines = 5}, What::volume), "cannot take --line-limit without fields or values");
  EXPECT_EQ(mistake({.by = {"app"}, .by_name = true}, What::volume), "");
  EXPECT_EQ(mistake({.lines = 5}, What::values), "");
  EXPECT_EQ(mistake({.forward = true, .step = base::kMinute}, What::records), "");
  EXPECT_EQ((QueryExtentOptions{.limit = 5, .instant = true}.of_queries()), "");
  EXPECT_EQ((QueryExtentOptions{.step = base::kMinute}.of_queries()), "--step");
  EXPECT_EQ((QueryExtentOptions{.lines = 5}.of_queries()), "--line-limit");
}

TEST(QueryExtent, NowIsTheEndAndWhatTimesCountFrom) {
  CLI::App app;
  QueryExtentOptions options;
  TimeFlags flags;
  declare(app, options);
  declare_time(app, flags, "");
  app.parse("--now 2026-05-01T10:00:00Z --since 15m", false);
  const auto range = time_range(flags, options, 1'800'000'000 * base::kSecond);
  ASSERT_TRUE(range.ok());
  EXPECT_EQ(range->to, 1'777'629'600 * base::kSecond);
  EXPECT_EQ(range->to - range->from, 15 * base::kMinute);
}

TEST(QueryExtent, AStepOfNothingIsRefused) {
  CLI::App app;
  QueryExtentOptions options;
  declare(app, options);
  EXPECT_THROW(app.parse("--step 0s", false), ValueError);
}

}  // namespace
}  // namespace weir::cli
