#include "rules/selector_index.h"

#include "logql/parser.h"

#include <gtest/gtest.h>

#include <random>

namespace weir::rules {
namespace {

std::vector<logql::MatcherExpr> matchers(std::string_view text) {
  auto parsed = logql::parse(text, {.selector_optional = true});
  EXPECT_TRUE(parsed.ok()) << text;
  return std::get<logql::LogExpr>(parsed->node).matchers;
}

using Numbers = std::vector<std::uint32_t>;

Numbers selected(const std::vector<std::string>& selectors, std::initializer_list<record::Label> labels) {
  SelectorIndex index;
  for (const std::string& selector : selectors) EXPECT_TRUE(index.add(matchers(selector)).ok());
  Numbers out = {99};
  index.select(*record::LabelSet::intern(labels), out);
  return out;
}

TEST(SelectorIndex, FindsTheSelectorsOfASet) {
  const std::vector<std::string> selectors = {R"({namespace="shop"})", R"({namespace="shop", app="web"})", R"({app="web"})", "{}",
                                              R"({namespace=~"s.*"})", R"({namespace="other"})",           R"({pod=""})"};
  EXPECT_EQ(selected(selectors, {{"namespace", "shop"}, {"app", "web"}}), (Numbers{0, 1, 2, 3, 4, 6}));
  EXPECT_EQ(selected(selectors, {{"namespace", "shop"}}), (Numbers{0, 3, 4, 6}));
  EXPECT_EQ(selected(selectors, {{"namespace", "other"}, {"pod", "p"}}), (Numbers{3, 5}));
  EXPECT_EQ(selected(selectors, {}), (Numbers{3, 6}));
  EXPECT_EQ(selected({}, {{"namespace", "shop"}}), Numbers());
}

TEST(SelectorIndex, ABadExpressionIsAnError) {
  SelectorIndex index;
  EXPECT_FALSE(index.add({{"a", logql::MatchOp::regex, "("}}).ok());
}

// Against asking each selector.
TEST(SelectorIndex, IsTheSameAsAskingEach) {
  std::mt19937 random(4);
  const std::vector<std::string> names = {"a", "b", "c"}, values = {"", "x", "y", "xy"};
  SelectorIndex index;
  std::vector<logql::Selector> all;
  for (int i = 0; i < 300; ++i) {
    std::vector<logql::MatcherExpr> exprs(random() % 4);
    for (auto& expr : exprs) expr = {names[random() % 3], static_cast<logql::MatchOp>(random() % 4), values[random() % 4]};
    ASSERT_TRUE(index.add(exprs).ok());
    all.push_back(std::move(*logql::Selector::compile(exprs)));
  }
  Numbers out;
  for (int i = 0; i < 200; ++i) {
    const auto set =
        record::LabelSet::intern({{"a", values[random() % 4]}, {"b", values[random() % 4]}, {"c", values[random() % 4]}});
    Numbers expected;
    for (std::uint32_t n = 0; n < all.size(); ++n) {
      if (all[n].matches(*set)) expected.push_back(n);
    }
    index.select(*set, out);
    EXPECT_EQ(out, expected) << set->json();
  }
}

}  // namespace
}  // namespace weir::rules
