// Expected values are what Loki 3.7.6 answered.
#include "logql/eval.h"

namespace weir::test {
namespace {

TEST(LineFilter, TestsTheLine) {
  const Case cases[] = {
      {R"(|= "b")", "abc", ""},
      {R"(|= "B")", "abc", "-"},
      {R"(|= "")", "abc", ""},
      {R"(!= "")", "abc", "-"},
      {R"(!= "b")", "abc", "-"},
      {R"(!= "x")", "abc", ""},
      {R"(|= "x" or "c")", "abc", ""},
      {R"(|= "x" or "y")", "abc", "-"},
      {R"(!= "x" or "c")", "abc", "-"},
      {R"(!= "x" or "y")", "abc", ""},
      {R"(|= "a" |= "c")", "abc", ""},
      {R"(|= "a" |= "x")", "abc", "-"},
      {R"(|= "a" != "b")", "abc", "-"},
      {R"(|= "é")", "café", ""},
      {R"(|= "\n")", "a\nb", ""},
      {R"(|= "\"q\"")", R"(say "q")", ""},
      {R"(|= "/")", "a/b", ""},
      {R"(|~ "a.c")", "xabcx", ""},
      {R"(|~ "^abc$")", "abc", ""},
      {R"(|~ "^b")", "abc", "-"},
      {R"(|~ "a.c")", "a\nc", "-"},
      {R"(|~ "(?s)a.c")", "a\nc", ""},
      {R"(|~ "^b")", "a\nb", "-"},
      {R"(|~ "(?m)^b")", "a\nb", ""},
      {R"(|~ "(?i)ERR")", "an error", ""},
      {R"(|~ "(?i)É")", "café", ""},
      {R"(|~ "err|warn")", "warn", ""},
      {R"(!~ "err|warn")", "warn", "-"},
      {R"(|~ "x" or "b+")", "abbc", ""},
      {R"(|~ "\\d{3}")", "status 404", ""},
      {R"(|~ "error|")", "nothing", "-"},
      {R"(|~ ".*|a")", "b", "-"},
      {R"(|~ "a|")", "b", "-"},
      {R"(!~ "x|.*")", "a", ""},
      {R"(|~ "^$")", "", ""},
      {R"(|~ "")", "", ""},
      {R"(|~ "k")", "K", "-"},
      {R"(|~ "(?i)k")", "K", "-"},
      {R"(|~ "\\w+@\\w+")", "me@here", ""},
      {R"(|~ "(GET|POST) /api")", "POST /api/x", ""},
      {R"(|~ "(GET|POST) /api")", "PUT /api/x", "-"},
      {R"(|> "foo <_> bar")", "foo a bar", ""},
      {R"(|> "foo <_> bar")", "foo a bar bar", "-"},
      {R"(|> "foo <_> bar")", "x foo a bar", ""},
      {R"(|> "<_> bar")", "a bar", ""},
      {R"(|> "<_> bar")", " bar", "-"},
      {R"(|> "<_>bar")", "bar", "-"},
      {R"(|> "foo<_>")", "foo", "-"},
      {R"(|> "foo<_>")", "foox", ""},
      {R"(|> "foo")", "foo", ""},
      {R"(|> "foo")", "xfoo", ""},
      {R"(|> "foo")", "foox", "-"},
      {R"(|> "")", "", ""},
      {R"(|> "")", "x", "-"},
      {R"(!> "foo<_>")", "foox", "-"},
      {R"(!> "foo<_>")", "bar", ""},
      {R"(|> "<_>")", "x", ""},
      {R"(|> "<_>")", "", "-"},
      {R"(|> "a" or "b")", "b", ""},
      {R"(|> "a<_>b<_>c")", "a1b2c", ""},
      {R"(|> "<a>")", "x", R"(ERROR parse error : stage '|> "<a>"' : named captures are not allowed: found '<a>')"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(LineFilter, TakesIpBehindOrForText) {
  const Case cases[] = {
      {R"(|= "a" or ip("1.1.1.1"))", "1.1.1.1", ""},
      {R"(|= "a" or ip("1.1.1.1"))", "a", ""},
      {R"(|= ip("1.1.1.1") or "a")", "a", ""},
      {R"(|= ip("1.1.1.1") or "a")", "1.1.1.1", ""},
      {R"(|= ip("1.1.1.1") or ip("2.2.2.2"))", "2.2.2.2", ""},
      {R"(!= "a" or ip("1.1.1.1"))", "1.1.1.1", "-"},
      {R"(!= ip("1.1.1.1") or "a")", "a", "-"},
      {R"(!= ip("1.1.1.1") or ip("2.2.2.2"))", "2.2.2.2", "-"},
      {R"(|> "a" or ip("1.1.1.1"))", "1.1.1.1", ""},
      {R"(|~ "a" or ip("1.1.1.1"))", "1.1.1.1", ""},
      {R"(|= "a" or "b" or ip("::1"))", "::1", ""},
      {R"(|= "1.1" or ip("2.2.2.2"))", "2.2.2.2", ""},
      {R"(|= "a" or ip("1.1.1.0/24"))", "1.1.1.7", "-"},
      {R"(|= "a" or ip("1.1.1.0/24"))", "x 1.1.1.0/24", ""},
      {R"(|~ "a" or ip("1.1.1.0/24"))", "1.1.1.7", "-"},
      {R"(|~ "a" or ip("1.1.1.0/24"))", "1x1x1x0/24", ""},
      {R"(|~ "b" or ip("a+"))", "aaa", ""},
      {R"(|> "a" or ip("<_>b"))", "aab", ""},
      {R"(!= "a" or ip("1.1.1.0/24"))", "1.1.1.7", "-"},
      {R"(!= ip("1.1.1.1") or "a")", "1.1.1.1", "-"},
      {R"(|= ip("1.1.1.1") or ip("2.2.2.0/24"))", "2.2.2.7", "-"},
      {R"(|= ip("1.1.1.1") or ip("2.2.2.0/24"))", "2.2.2.0/24", ""},
      {R"(|= ip("1.1.1.1") or "2.2.2.0/24")", "2.2.2.7", "-"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(LineFilter, TakesOrAsLokiDoes) {
  const Case cases[] = {
      {R"(|= "" or "x")", "abc", "-"},
      {R"(|= "" or "x")", "xyz", ""},
      {R"(|= "x" or "")", "abc", "-"},
      {R"(|= "" or "")", "abc", ""},
      {R"(|~ ".*" or "b")", "xyz", "-"},
      {R"(|~ "b" or ".*")", "xyz", "-"},
      {R"(|= ip("10.0.0.1") or "x")", "10.0.0.1", ""},
      {R"(|= ip("10.0.0.1") or "x")", "10.0.0.1 x", ""},
      {R"(|= "y" or ip("10.0.0.1"))", "10.0.0.1", ""},
      {R"(|= "y" or ip("abc") or "x")", "abc", "-"},
      {R"(|= "y" or ip("abc") or "x")", "x", ""},
      {R"(!= "y" or ip("10.0.0.1"))", "10.0.0.1", "-"},
      {R"(!= "" or "x")", "abc", "-"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << "  " << c.line;
}

}  // namespace
}  // namespace weir::test
