#include "yaml/tree.h"

#include <gtest/gtest.h>

namespace weir::yaml {
namespace {

const Node& under(const Node& node, std::string_view key) {
  const Node* found = node.find(key);
  EXPECT_NE(found, nullptr) << key;
  static const Node kNothing;
  return found == nullptr ? kNothing : *found;
}

TEST(Yaml, KnowsPlaces) {
  auto read = parse("a: 1\nlist:\n  - x\n  - {b: \"ä\", c: ~}\n", "f");
  ASSERT_TRUE(read.ok()) << read.error().message;
  const Node& root = read->root;
  EXPECT_EQ(under(root, "a").text, "1");
  EXPECT_EQ(under(root, "a").place, (Place{1, 4}));
  ASSERT_EQ(under(root, "list").items.size(), 2U);
  EXPECT_EQ(under(root, "list").items[0].place, (Place{3, 5}));
  const Node& map = under(root, "list").items[1];
  EXPECT_FALSE(under(map, "b").plain);
  EXPECT_EQ(map.entries[1].place, (Place{4, 14}));  // in characters: ä is one
  EXPECT_TRUE(under(map, "c").is_null());
  EXPECT_FALSE(read->has_more);
}

TEST(Yaml, ResolvesAliasesAndMergeKeys) {
  auto read = parse("base: &b {x: 1, y: 2}\nmade: {<<: *b, y: 3}\nsame: *b\n", "f");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(under(under(read->root, "made"), "x").text, "1");
  EXPECT_EQ(under(under(read->root, "made"), "y").text, "3");
  EXPECT_EQ(under(under(read->root, "same"), "y").text, "2");
  EXPECT_EQ(under(read->root, "made").entries.size(), 2U);
}

TEST(Yaml, ReadsTheFirstDocument) {
  auto read = parse("a: 1\n---\nb: [\n", "f");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_TRUE(read->has_more);
  EXPECT_EQ(read->root.entries.size(), 1U);
}

TEST(Yaml, ManyPlacesOnALongLineTakeNoLongTime) {
  std::string text = "list: [";
  for (int n = 0; n < 40'000; ++n) text += "'\u00e4\u00e4\u00e4\u00e4', ";
  text += "end]\n";
  const auto read = parse(text, "f");
  ASSERT_TRUE(read.ok()) << read.error().message;
  // Each is 8 characters to the next.
  const auto& items = under(read->root, "list").items;
  ASSERT_EQ(items.size(), 40'001U);
  EXPECT_EQ(items.back().place, (Place{1, 8 + 40'000 * 8}));
}

TEST(Yaml, LinesThatMayHoldASecretAreNotShown) {
  for (const char* const text : {"a: {password: hunter2, a: 1, a: 2}\n", "url: http://u:hunter2@l/\nurl: http://u:hunter2@l/\n",
                                 "tls:\n  key: |\n    hunter2\n   hunter2\n", "bearer_token:\n  - [hunter2\n  hunter2: }\n",
                                 "basic_auth:\n  x: hunter2\n  x: hunter2\n"}) {
    const auto read = parse(text, "f");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ((read.error().message + read.error().hint).find("hunter2"), std::string::npos) << read.error().hint;
    EXPECT_EQ(read.error().hint, "  (the line may hold a secret, and is not shown)");
  }
}

TEST(Yaml, TheLinesOfAnOpenTextAreShown) {
  const auto read = parse("a: {password: x, a: 1, a: 2}\n", "f", Content::open);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().message, "f:1:24: the key 'a' stands twice");
  EXPECT_EQ(read.error().hint, "  a: {password: x, a: 1, a: 2}\n                         ^");
}

struct Bad {
  std::string text;
  std::string message, hint;
};
class YamlMistakes : public testing::TestWithParam<Bad> {};
TEST_P(YamlMistakes, AreShownAtTheirPlace) {
  const auto read = parse(GetParam().text, "f.yaml");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, base::Code::config);
  EXPECT_TRUE(read.error().message.starts_with(GetParam().message)) << read.error().message;
  EXPECT_EQ(read.error().hint, GetParam().hint);
}
INSTANTIATE_TEST_SUITE_P(
    All, YamlMistakes,
    testing::Values(Bad{"a: 1\nb: [1, 2\n", "f.yaml:3:1: this is no YAML: ", "  \n  ^"},
                    Bad{"a: 1\na: 2\n", "f.yaml:2:1: the key 'a' stands twice", "  a: 2\n  ^"},
                    Bad{"ü: {x: 1, x: 2}\n", "f.yaml:1:11: the key 'x' stands twice", "  ü: {x: 1, x: 2}\n            ^"},
                    Bad{"? [a]\n: 1\n", "f.yaml:1:3: a key must be a text", "  ? [a]\n    ^"},
                    Bad{"a: *none\n", "f.yaml:1:4: this is no YAML: ", "  a: *none\n     ^"},
                    Bad{"a: \"x\\0\"\n", "f.yaml:1:4: there is a byte of zeros in the text", "  a: \"x\\0\"\n     ^"},
                    Bad{"", "f.yaml:1:1: there is nothing in it", "  \n  ^"}));

TEST(Yaml, IsBounded) {
  EXPECT_FALSE(parse(std::string(300, '['), "f").ok());
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'h'; ++c) {
    bomb += std::string(1, c) + ": &" + c;
    bomb += " [";
    for (int i = 0; i < 10; ++i) bomb += std::string(i > 0 ? "," : "") + "*" + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  const auto read = parse(bomb, "f");
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.error().message.find("too many values"), std::string::npos);
  EXPECT_FALSE(parse(std::string("a: \0b", 5), "f").ok());
  EXPECT_FALSE(parse("a: \xff", "f").ok());
}

}  // namespace
}  // namespace weir::yaml
