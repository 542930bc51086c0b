#include "gotext/regex_tree.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::gotext {
namespace {

// (kind text node…), `~` where case does not matter.
std::string show(const RegexNode& node) {
  constexpr std::string_view kNames[] = {"empty", "lit",   "any",    "any_all", "class",  "assert", "star",
                                         "plus",  "quest", "repeat", "group",   "concat", "alt"};
  std::string out = "(" + std::string(kNames[static_cast<int>(node.kind)]);
  if (!node.text.empty()) out += (node.fold ? "~" : " ") + node.text;
  if (node.kind == RegexNode::Kind::repeat) out += " " + std::to_string(node.min);
  for (const RegexNode& inner : node.nodes) out += " " + show(inner);
  return out + ")";
}

std::string tree(std::string_view pattern) {
  const auto node = parse_regex(pattern);
  return node ? show(*node) : "unknown";
}

TEST(RegexTree, Pieces) {
  EXPECT_EQ(tree(""), "(empty)");
  EXPECT_EQ(tree("abc"), "(lit abc)");
  EXPECT_EQ(tree("a\\.b\\x41"), "(lit a.bA)");
  EXPECT_EQ(tree("(?i)Ab"), "(lit~ab)");
  EXPECT_EQ(tree("a.*b+"), "(concat (lit a) (star (any)) (plus (lit b)))");
  EXPECT_EQ(tree("(?s)."), "(any_all)");
  EXPECT_EQ(tree("(ab)?c{2,3}"), "(concat (quest (group (lit ab))) (repeat 2 (lit c)))");
  EXPECT_EQ(tree("^a$"), "(concat (assert ^) (lit a) (assert $))");
}

TEST(RegexTree, AlternativesAreFactored) {
  EXPECT_EQ(tree("foo|bar"), "(alt (lit foo) (lit bar))");
  EXPECT_EQ(tree("foo|foobar"), "(concat (lit foo) (alt (empty) (lit bar)))");
  EXPECT_EQ(tree("abc|abd|x"), "(alt (concat (lit ab) (class cd)) (lit x))");
}

TEST(RegexTree, GivesUpOnDepth) { EXPECT_EQ(parse_regex(std::string(100000, '(') + std::string(100000, ')')), std::nullopt); }

}  // namespace
}  // namespace weir::gotext
