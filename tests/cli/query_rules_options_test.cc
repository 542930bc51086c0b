#include "cli/query_rules_options.h"

#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

QueryRulesOptions options(std::vector<std::string> files, const char* at = nullptr) {
  QueryRulesOptions made;
  made.files = std::move(files);
  if (at != nullptr) made.at = *TimePoint::parse(at);
  return made;
}

TEST(QueryRulesOptions, WhatDoesNotGoTogether) {
  const auto mistake = [](const QueryRulesOptions& given, const QueryRulesContext& context) {
    const auto good = check(given, context);
    return good ? std::string() : good.error().message;
  };
  EXPECT_EQ(mistake(options({}), {.words = true}), "");
  EXPECT_EQ(mistake(options({}, "now"), {}), "cannot take --at without --rules");
  EXPECT_EQ(mistake(options({"f"}), {.spool = true}), "");
  EXPECT_EQ(mistake(options({"f"}), {.words = true, .spool = true}), "cannot take a query beside --rules");
  EXPECT_EQ(mistake(options({"f"}), {.selection = true, .spool = true}), "cannot take a query beside --rules");
  EXPECT_EQ(mistake(options({"f"}), {}), "cannot evaluate --rules without a spool or records on standard input");
  constexpr const char* kWhen = "cannot take two of --at, --now and --to with --rules";
  EXPECT_EQ(mistake(options({"f"}, "now"), {.spool = true, .to_given = true}), kWhen);
  EXPECT_EQ(mistake(options({"f"}, "now"), {.spool = true, .now_given = true}), kWhen);
  EXPECT_EQ(mistake(options({"f"}), {.spool = true, .to_given = true, .now_given = true}), kWhen);
  EXPECT_EQ(mistake(options({"f"}), {.spool = true, .now_given = true}), "");
}

TEST(QueryRulesOptions, WhenIsAsked) {
  test::TempDir dir;
  test::TestContext context;
  const base::Timestamp wall = context.clock.wall(), newest = wall - base::kHour;
  test::make_spool(dir / "s.db", {{{{"app", "x"}}, newest, "a"}, {{{"app", "x"}}, newest + 5 * base::kMinute, "b", {}, "shop"}},
                   context);
  const auto ask = [&](const QueryRulesOptions& given, const TimeFlags& time, const std::optional<TimePoint>& now,
                       const std::optional<std::string>& tenant) {
    stages::RulesQuestion question{.files = {"f"}, .spools = {dir / "s.db"}, .tenant = tenant};
    const auto set = set_times(question, given, time, now, context.clock);
    EXPECT_TRUE(set.ok()) << set.error().message;
    return question;
  };
  const auto time = [](const char* text) { return std::optional(*TimePoint::parse(text)); };
  EXPECT_EQ(ask(options({"f"}), {}, {}, {}).at, newest + 5 * base::kMinute);
  EXPECT_EQ(ask(options({"f"}), {}, {}, "").at, newest);
  EXPECT_EQ(ask(options({"f"}), {}, {}, {}).range.from, base::TimeRange::kBeginning);
  EXPECT_EQ(ask(options({"f"}, "10m"), {}, {}, {}).at, wall - 10 * base::kMinute);
  EXPECT_EQ(ask(options({"f"}), {}, time("10m"), {}).at, wall - 10 * base::kMinute);
  EXPECT_EQ(ask(options({"f"}), {.to = time("10m")}, {}, {}).at, wall - 10 * base::kMinute);
  // What counts back does so from there.
  EXPECT_EQ(ask(options({"f"}), {.since = time("10m")}, {}, "").range.from, newest - 10 * base::kMinute);
  EXPECT_EQ(ask(options({"f"}, "10m"), {.since = time("10m")}, {}, {}).range.from, wall - 20 * base::kMinute);
  EXPECT_EQ(ask(options({"f"}), {.from = time("10m")}, time("5m"), {}).range.from, wall - 15 * base::kMinute);
}

}  // namespace
}  // namespace weir::cli
