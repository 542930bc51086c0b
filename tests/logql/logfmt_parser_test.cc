// Expected values are what Loki 3.7.6 answered.
#include "logql/eval.h"

namespace weir::test {
namespace {

TEST(LogfmtParser, TakesAllKeys) {
  const Case cases[] = {
      {"| logfmt", R"(a=1 b="x y" c= d e="" =f g==h)", "a=1 b=x y"},
      {"| logfmt --keep-empty", R"(a=1 b="x y" c= d e="" =f g==h)", "a=1 b=x y c= d= e="},
      {"| logfmt --strict", R"(a=1 b="x y" c= d e="" =f g==h)",
       "__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 23 : unexpected '=' a=1 b=x y"},
      {"| logfmt", R"(a="x)", ""},
      {"| logfmt --strict", R"(a="x)",
       "__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 5 : unterminated quoted value"},
      {"| logfmt --strict", R"(k=1 a"b=2 c=3)",
       R"(__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 6 : unexpected '"' k=1)"},
      {"| logfmt", R"(k=1 a"b=2 c=3)", "c=3 k=1"},
      {"| logfmt --strict", R"(a=x"y b=1)",
       R"(__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 4 : unexpected '"')"},
      {"| logfmt", R"(a=x"y b=1)", "b=1"},
      {"| logfmt", R"(a="x"y b=1)", "a=x b=1"},
      {"| logfmt --strict", R"(a="x"y b=1)", "a=x b=1"},
      {"| logfmt", R"(a="x\ny\"z\u00e9\q" b=\n)", R"(b=\n)"},
      {"| logfmt", "  a=1\tb=2,c=3\n d=4 ", "a=1 d=4"},
      {"| logfmt", R"(1a=1 b.c=2 é=3 a-b=4 "q"=5)", "_1a=1 _=3 a_b=4 b_c=2"},
      {"| logfmt", "app=1 tid=2 lvl=3 a=1 a=2", "a=1 app_extracted=1 lvl_extracted=3 tid_extracted=2"},
      {"| logfmt", "", ""},
      {"| logfmt", "just some words", ""},
      {"| logfmt --keep-empty", "just some words", "just= some= words="},
      {"| logfmt", "a=\177 b=\001c d=\000e", "a=\177"},
      {"| logfmt --strict", R"(a="\u00zz" b=2)",
       "__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 11 : invalid quoted value"},
      {"| logfmt", R"(a="\u00zz" b=2)", "b=2"},
      {"| logfmt", "a=\"x\ny\" b=2", "a=x\ny b=2"},
      {"| logfmt", R"(a="b" "c"=d)", "a=b"},
      {"| logfmt", R"(a=� b="�")", "a=  b= "},
      {"| logfmt", R"(a=b\"c)", ""},
      {"| logfmt", R"(a="it\'s" b=2)", "a=it's b=2"},
      {"| logfmt", R"(a="x\ud800y" b="\udc00" c=3)", "a=x y b=  c=3"},
      {"| logfmt", R"(a="\ud83d\ude00" b=2)", "a=😀 b=2"},
      {"| logfmt", R"(a="\ud800\u0041" b=2)", "a= A b=2"},
      {"| logfmt", R"(a="\ud800\ud83d\ude00" b=2)", "a= 😀 b=2"},
      {"| logfmt", R"(a="\ud800\ud8" b=2)", "b=2"},
      {"| logfmt --strict", R"(a="\x" b=2)",
       "__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 7 : invalid quoted value"},
      {R"(| logfmt | a="")", R"(a="it\'s")", "-"},
      {R"(| logfmt | a="")", R"(a="\ud800")", "-"},
      {R"(| logfmt x="a")", R"(a="\ud800" b=2)", "x="},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(LogfmtExtractor, TakesNamedKeys) {
  const Case cases[] = {
      {R"(| logfmt a="b", c, d="zz")", "b=1 c=2", "a=1 c=2 d="},
      {R"(| logfmt a="b")", "b=1 a=2", "a=2"},
      {R"(| logfmt app="b", tid="c")", "b=1 c=2", "app_extracted=1 tid_extracted=2"},
      {R"(| logfmt --strict a="b")", R"(b=1 c="x)",
       "__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 9 : unterminated quoted value a=1"},
      {R"(| logfmt a="b", c)", "b=1 b=2 c=", "a=2 c="},
      {R"(| logfmt a="b.c")", "b.c=1",
       R"(ERROR parse error : stage '| logfmt a="b.c"' : cannot parse expression [b.c]: unexpected char .)"},
      {R"(| logfmt a="b c")", "b.c=1",
       R"(ERROR parse error : stage '| logfmt a="b c"' : cannot parse expression [b c]: syntax error: unexpected KEY)"},
      {R"(| logfmt a="é")", "é=1",
       R"(ERROR parse error : stage '| logfmt a="é"' : cannot parse expression [é]: syntax error: unexpected )"
       R"($end, expecting STRING or KEY)"},
      {R"(| logfmt a="1b")", "1b=1",
       R"(ERROR parse error : stage '| logfmt a="1b"' : cannot parse expression [1b]: syntax error: )"
       R"(unexpected $end, expecting STRING or KEY)"},
      {R"(| logfmt a="")", "b=1",
       R"(ERROR parse error : stage '| logfmt a=""' : cannot parse expression []: syntax error: unexpected )"
       R"($end, expecting STRING or KEY)"},
      {R"(| logfmt a="b=c")", "b=1",
       R"(ERROR parse error : stage '| logfmt a="b=c"' : cannot parse expression [b=c]: unexpected char =)"},
      {R"(| logfmt a="b.c")", "b_c=1",
       R"(ERROR parse error : stage '| logfmt a="b.c"' : cannot parse expression [b.c]: unexpected char .)"},
      {R"(| logfmt a="b_c")", "b.c=1", "a=1"},
      {R"(| logfmt a="b", b="c")", "b=1 c=2 a=3", "a=3 b=2"},
      {R"(| logfmt a="b" | b="")", "b=1 c=2 a=3", "a=3"},
      {R"(| logfmt a, a="c")", "b=1 c=2 a=3", "a=3"},
      {R"(| logfmt a="\"b\"")", "b=1", "a=1"},
      {R"(| logfmt a="\"b c\"")", "b=1", "a="},
      {R"(| logfmt a="\"b")", "b=1", "a=1"},
      {R"(| logfmt a="\"b]")", "b=1", "a=1"},
      {R"(| logfmt a="\"b\"c")", "b=1",
       R"(ERROR parse error : stage '| logfmt a="\"b\"c"' : cannot parse expression ["b"c]: syntax error: unexpected KEY)"},
      {R"(| logfmt a="b\"c\"")", "b=1 c=2", "a="},
      {R"(| logfmt a="\"b\" \"c\"")", "b=1 c=2", "a="},
      {R"(| logfmt a="b -")", "b=1",
       R"(ERROR parse error : stage '| logfmt a="b -"' : cannot parse expression [b -]: unexpected char -)"},
      {R"(| logfmt a="\"b\"-")", "b=1",
       R"(ERROR parse error : stage '| logfmt a="\"b\"-"' : cannot parse expression ["b"-]: unexpected char -)"},
      {R"(| logfmt a=" b ")", "b=1", "a=1"},
      {"| logfmt --keep-empty a", "a", "a="},
      {"| logfmt a", "a", "a="},
      {"| logfmt a", "a=1 a=", "a="},
      {"| logfmt a", R"(a=1 a=")", "a=1"},
      {"| logfmt app", "b=1", ""},
      {"| logfmt tid", "b=1", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(LogfmtExtractor, KeepsAndSetsAsLokiDoes) {
  const Case cases[] = {
      {R"(| logfmt | logfmt a="level")", "level=x", "a= level=x"},
      {R"(| logfmt a="level" | logfmt a="level")", "level=x", "a=x"},
      {"| logfmt | logfmt level", "level=x", "level=x"},
      {R"(| logfmt | logfmt a="level", level)", "level=x", "a=x level="},
      {"| logfmt app, b", "app=1 app=2 b=3", "app_extracted=1 b="},
      {"| logfmt app, b", "app=1 b=3", "app_extracted=1 b=3"},
      {"| logfmt a, b", "a=1 a=2 b=3", "a=2 b=3"},
      {"| logfmt a", "a=\377x", "a="},
      {"| logfmt", "a=\377x", "a= x"},
      {R"(| a="1" | logfmt --strict a)", R"(a=1 ")", "-"},
      {R"(| __error__="" | logfmt --strict)", R"(a=1 ")", "-"},
      {R"(| logfmt --strict | __error__="" )", R"(a=1 ")", "-"},
      {R"(| logfmt | b="" | logfmt b="level" | b="")", "level=x", "b= level=x"},
      {R"(| logfmt --strict|= "a")", "a=1", "a=1"},
      {R"(| logfmt --keep-empty| a="")", "a=", "a="},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << "  " << c.line;
}

}  // namespace
}  // namespace weir::test
