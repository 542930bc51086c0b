#include "loki/push_labels.h"

#include <gtest/gtest.h>

namespace weir::loki {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(PushLabels, AreReadAsPrometheusReadsThem) {
  const std::vector<std::pair<std::string, Pairs>> cases = {
      {"", {}},
      {"{}", {}},
      {"{ }", {}},
      {R"({app="x", env="p"})", {{"app", "x"}, {"env", "p"}}},
      {"{ b='2' , app=`d`, }", {{"b", "2"}, {"app", "d"}}},
      {R"({a="x",a="y"})", {{"a", "x"}, {"a", "y"}}},
      {R"({a="q\"\\\n\t\x41\u00e9\U0001F600\101"})",
       {{"a",
         "q\"\\\n\tA\xc3\xa9\xf0\x9f\x98\x80"
         "A"}}},
      {R"({a='it\'s "so"'})", {{"a", "it's \"so\""}}},
      {"{a=`raw \\n`}", {{"a", "raw \\n"}}},
      {R"(up{a="b"})", {{"__name__", "up"}, {"a", "b"}}},
      {"up", {{"__name__", "up"}}},
      {R"({"a.b"="x"})", {{"a.b", "x"}}},
  };
  for (const auto& [text, expected] : cases) {
    const PushedLabels read = read_pushed_labels(text);
    EXPECT_EQ(read.error.value_or(""), "") << text;
    EXPECT_EQ(read.labels, expected) << text;
  }
}

// The words are those of a real Loki (tests/loki/real/serve_push_test.py).
TEST(PushLabels, ErrorsNameThePlace) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"(app="x")", R"(1:4: parse error: unexpected "=")"},
      {R"({app="x")", "1:9: parse error: unexpected end of input inside braces"},
      {R"({app=~"x"})", R"(1:5: parse error: unexpected <op:=~> in label set, expected "=")"},
      {"{app=x}", R"(1:6: parse error: unexpected identifier "x" in label set, expected string)"},
      {R"({app="\q"})", "1:6: parse error: unknown escape sequence U+0071 'q'"},
      {R"({a.b="x"})", "1:3: parse error: unexpected character inside braces: '.'"},
      {R"({="x"})", R"(1:2: parse error: unexpected "=" in label set, expected identifier or "}")"},
      {R"({a="x" b="y"})", R"(1:8: parse error: unexpected identifier "b" in label set, expected "," or "}")"},
      {R"({a="x"} b)", R"(1:9: parse error: unexpected identifier "b")"},
      {"{a=\"x}", "1:4: parse error: unterminated quoted string"},
      {"{a=\"x\",\n b=1}", "2:4: parse error: unexpected character inside braces: '1'"},
      {"{a=`x", "1:4: parse error: unterminated raw string"},
      {"{a=\"\\ud800\"}", "1:4: parse error: escape sequence is an invalid Unicode code point"},
      {"{a=\"\\x4", "1:4: parse error: illegal character in escape sequence"},
  };
  for (const auto& [text, expected] : cases) {
    const PushedLabels read = read_pushed_labels(text);
    EXPECT_EQ(read.error.value_or(""), expected) << text;
    EXPECT_TRUE(read.labels.empty()) << text;
  }
}

}  // namespace
}  // namespace weir::loki
