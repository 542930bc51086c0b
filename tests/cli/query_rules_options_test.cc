#include "cli/query_rules_options.h"

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
  EXPECT_EQ(mistake(options({}, "now"), {}), "--at belongs to --rules");
  EXPECT_EQ(mistake(options({"f"}), {.spool = true}), "");
  EXPECT_EQ(mistake(options({"f"}), {.words = true, .spool = true}), "--rules takes no query beside it");
  EXPECT_EQ(mistake(options({"f"}), {.selection = true, .spool = true}), "--rules takes no query beside it");
  EXPECT_EQ(mistake(options({"f"}), {}), "--rules needs a spool or records on standard input");
  EXPECT_EQ(mistake(options({"f"}, "now"), {.spool = true, .to_given = true}), "--at and --to both say when");
}

TEST(QueryRulesOptions, WhenIsAsked) {
  constexpr base::Timestamp now = 1795953600 * base::kSecond;
  EXPECT_FALSE(rules_question(options({"f"}), {}, {"s"}, false, now).at);
  EXPECT_EQ(rules_question(options({"f"}), {5, 7}, {"s"}, false, now).at, 7);
  EXPECT_EQ(rules_question(options({"f"}), {5, 7}, {"s"}, false, now).range.from, 5);
  EXPECT_EQ(rules_question(options({"f"}, "10m"), {}, {"s"}, false, now).at, now - 10 * base::kMinute);
}

}  // namespace
}  // namespace weir::cli
