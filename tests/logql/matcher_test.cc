#include "logql/matcher.h"

#include <gtest/gtest.h>

namespace weir::logql {
namespace {

bool matches(MatchOp op, std::string_view value, std::string_view label) {
  auto matcher = Matcher::compile({"a", op, std::string(value)});
  EXPECT_TRUE(matcher.ok());
  return matcher.ok() && matcher->matches(label);
}

TEST(Matcher, Success) {
  EXPECT_TRUE(matches(MatchOp::equal, "x", "x"));
  EXPECT_FALSE(matches(MatchOp::equal, "x", "xx"));
  EXPECT_TRUE(matches(MatchOp::not_equal, "x", ""));
  EXPECT_TRUE(matches(MatchOp::regex, "x|y", "y"));
  EXPECT_FALSE(matches(MatchOp::regex, "x|y", "xy"));
  EXPECT_TRUE(matches(MatchOp::regex, "x.*", "x\ny"));
  EXPECT_FALSE(matches(MatchOp::regex, "err|error", "errors"));
  EXPECT_FALSE(matches(MatchOp::regex, "x.*", "ax"));
  EXPECT_TRUE(matches(MatchOp::regex, ".*", ""));
  EXPECT_FALSE(matches(MatchOp::not_regex, ".*", ""));
  EXPECT_TRUE(matches(MatchOp::not_regex, "x.*", "ax"));
}

TEST(Matcher, Failure) {
  auto matcher = Matcher::compile({"a", MatchOp::regex, "("});
  ASSERT_FALSE(matcher.ok());
  EXPECT_EQ(matcher.error().message, "error parsing regexp: missing closing ): `(`");
}

TEST(Selector, AllMatchersMustMatch) {
  auto selector = Selector::compile({{"app", MatchOp::equal, "x"}, {"env", MatchOp::not_equal, "dev"}});
  ASSERT_TRUE(selector.ok());
  EXPECT_TRUE(selector->matches(*record::LabelSet::intern({{"app", "x"}})));
  EXPECT_FALSE(selector->matches(*record::LabelSet::intern({{"app", "x"}, {"env", "dev"}})));
  EXPECT_FALSE(selector->matches(*record::LabelSet::empty()));
  EXPECT_FALSE(selector->everything());
  EXPECT_TRUE(Selector().matches(*record::LabelSet::empty()));
}

}  // namespace
}  // namespace weir::logql
