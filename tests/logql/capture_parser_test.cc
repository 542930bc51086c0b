// Expected values are what Loki 3.7.6 answered.
#include "logql/eval.h"

namespace weir::test {
namespace {

TEST(RegexpParser, TakesNamedGroups) {
  const Case cases[] = {
      {R"(| regexp "(?P<a>\\w+) (?P<b>\\d+)?")", "foo 12", "a=foo b=12"},
      {R"(| regexp "(?P<a>\\w+) (?P<b>\\d+)?")", "foo bar", "a=foo b="},
      {R"(| regexp "(?P<a>\\w+) (?P<b>\\d+)?")", "foo", ""},
      {"| regexp \"(?P<app>\\\\w+)\"", "foo", "app_extracted=foo"},
      {"| regexp \"(?P<tid>\\\\w+)(?P<x>z*)\"", "foo", "tid_extracted=foo x="},
      {"| regexp \"(?P<a>(?P<b>f)oo)\"", "a foo", "a=foo b=f"},
      {"| regexp \"(?i)(?<a>FOO)\"", "a foo", "a=foo"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(PatternParser, TakesCaptures) {
  const Case cases[] = {
      {R"(| pattern "<a> <b>")", "foo bar baz", "a=foo b=bar baz"},
      {R"(| pattern "x<a> <b>")", "foo bar baz", ""},
      {R"(| pattern "f<a> <b> <c> <d>")", "foo bar baz", "a=oo b=bar c=baz"},
      {R"(| pattern "<a> <b>")", "foo", "a=foo"},
      {R"(| pattern "<a> <b>")", "", ""},
      {R"(| pattern "<a> <b>")", " ", "a= b="},
      {R"(| pattern "<a>,<b>,<_>")", ",,", "a= b="},
      {R"(| pattern "<app> <tid>")", "foo bar", "app_extracted=foo tid_extracted=bar"},
      {R"(| pattern "<1a> <b>")", "foo bar", ""},
      {R"(| pattern "<a-b> <b>")", "foo bar", ""},
      {R"(| pattern "<é> <b>")", "<é> bar", "b=bar"},
      {R"(| pattern "<a")", "<a", "ERROR parse error : invalid pattern parser: at least one capture is required"},
      {R"(| pattern "<a>>")", "x>", "a=x"},
      {R"(| pattern "<<a>")", "<x", "a=x"},
      {R"(| pattern "<_><a>")", "x",
       "ERROR parse error : invalid pattern parser: found consecutive capture '<_><a>': invalid expression"},
      {R"(| pattern "<a><_>")", "x",
       "ERROR parse error : invalid pattern parser: found consecutive capture '<a><_>': invalid expression"},
      {R"(| pattern "\\<a>")", R"(\x)", "a=x"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(RegexpParser, BytesThatAreNotUtf8) {
  const Case cases[] = {
      {"| regexp \"(?P<\303\274>x)\"", "x",
       "ERROR parse error : invalid regexp parser: error parsing regexp: invalid named capture: `(?P<\303\274>`"},
      {R"q(| regexp "^(?P<a>\\S+) (?P<b>.)")q", "a\377b \377c", "a=a\377b b=\377"},
      {R"q(| regexp "(?P<a>\\w+)")q", "\377\376word\377", "a=word"},
      {R"q(| regexp "x(?P<a>y)?(?P<b>.)")q", "\377x\377", "a= b=\377"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << "  " << c.line;
}

}  // namespace
}  // namespace weir::test
