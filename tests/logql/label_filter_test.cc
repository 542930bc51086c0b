// Expected values are what Loki 3.7.6 answered.
#include "logql/eval.h"

namespace weir::test {
namespace {

TEST(LabelFilter, Compares) {
  const Case cases[] = {
      {R"(| lvl="L")", "x", ""},
      {R"(| lvl!="L")", "x", "-"},
      {R"(| nope="")", "x", ""},
      {R"(| nope!="")", "x", "-"},
      {R"(| tid="T")", "x", ""},
      {R"(| lvl=~"L|M")", "x", ""},
      {R"(| lvl!~"L|M")", "x", "-"},
      {R"(| app="x" and lvl="M")", "x", "-"},
      {R"(| app="x" or lvl="M")", "x", ""},
      {R"(| app="x", lvl="L")", "x", ""},
      {R"(| app="y" or app="x" and lvl="L")", "x", ""},
      {R"(| (app="y" or app="x") and lvl="M")", "x", "-"},
      {"| json | a>1", "x", "-"},
      {"| json | app>1", "x",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| app>1 | json", "x",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| app>1 | lvl>2", "x", R"(__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing "x": invalid syntax)"},
      {"| app>1 and lvl>2", "x", R"(__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing "x": invalid syntax)"},
      {"| app>1 or lvl>2", "x", R"(__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing "x": invalid syntax)"},
      {"| nope>1", "x", "-"},
      {R"(| nope>1 or app="x")", "x", ""},
      {R"(| app="x" or nope>1)", "x", ""},
      {R"(| app>1 or app="y")", "x",
       R"(__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing "x": invalid syntax)"},
      {R"(| app="y" or app>1)", "x",
       R"(__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing "x": invalid syntax)"},
      {R"(| app="y" and app>1)", "x", "-"},
      {R"(| app>1 and app="y")", "x", "-"},
      {"| json | a>1s", R"({"a":"2s"})", "a=2s"},
      {"| json | a>1s", R"({"a":"2"})", R"(__error__=LabelFilterErr __error_details__=time: missing unit in duration "2" a=2)"},
      {"| json | a>1s", R"({"a":"1d"})",
       R"(__error__=LabelFilterErr __error_details__=time: unknown unit "d" in duration "1d" a=1d)"},
      {"| json | a>1kB", R"({"a":"2000"})", "a=2000"},
      {"| json | a>1kB", R"({"a":"2 KB"})", "a=2 KB"},
      {"| json | a>1kB", R"({"a":"x"})",
       R"(__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing "": invalid syntax a=x)"},
      {"| json | a=0s", R"({"a":"0"})", "a=0"},
      {"| json | a!=1kB", R"({"a":"1KB"})", "-"},
      {"| json | a==1KiB", R"({"a":"1024"})", "a=1024"},
      {"| json | a>1", R"({"a":"1.5"})", "a=1.5"},
      {"| json | a>1", R"({"a":" 2"})",
       R"(__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing " 2": invalid syntax a= 2)"},
      {"| json | a>1", R"({"a":"0x10"})",
       R"(__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing "0x10": invalid syntax a=0x10)"},
      {"| json | a>1", R"({"a":"0x1p4"})", "a=0x1p4"},
      {"| json | a>1", R"({"a":"inf"})", "a=inf"},
      {"| json | a>1", R"({"a":"nan"})", "-"},
      {"| json | a!=1", R"({"a":"nan"})", "a=nan"},
      {"| json | a>1", R"({"a":"1_0"})", "a=1_0"},
      {"| json | a>1", R"({"a":"1e400"})",
       R"(__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing "1e400": value out of range a=1e400)"},
      {"| json | a>1", R"({"a":""})",
       R"(__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing "": invalid syntax a=)"},
      {R"(| json | a="")", R"({"a":""})", "a="},
      {R"(| lvl2="" | json)", R"({"lvl2":"1"})", "-"},
      {R"(| json | a!="1" | a!="2")", R"({"a":"2"})", "-"},
      {R"(| json | a_extracted="1")", R"({"a":"2"})", "-"},
      {R"(| json | app_extracted="1")", R"({"app":"2"})", "-"},
      {R"(| json | app="x")", R"({"app":"2"})", "app_extracted=2"},
      {"| a>5 | json", R"({"a":"6"})", "-"},
      {R"(| json | a!="" )", R"({"a":""})", "-"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(LabelFilter, TreatsRegularExpressionsAsLokiDoes) {
  const Case cases[] = {
      {R"(| json | v=~"x.*")", R"({"v":"x"})", "v=x"},
      {R"(| json | v=~"x.*")", R"({"v":"xy"})", "v=xy"},
      {R"(| json | v=~"x.*")", R"({"v":"yx"})", "v=yx"},
      {R"(| json | v=~"x.*")", R"({"v":"y"})", "-"},
      {R"(| json | v=~".*x")", R"({"v":"x"})", "v=x"},
      {R"(| json | v=~".*x")", R"({"v":"xy"})", "v=xy"},
      {R"(| json | v=~".*x")", R"({"v":"yx"})", "v=yx"},
      {R"(| json | v=~".*x")", R"({"v":"y"})", "-"},
      {R"(| json | v=~"err|error")", R"({"v":"err"})", "v=err"},
      {R"(| json | v=~"err|error")", R"({"v":"error"})", "v=error"},
      {R"(| json | v=~"err|error")", R"({"v":"errors"})", "v=errors"},
      {R"(| json | v=~"err|error")", R"({"v":"my err"})", "v=my err"},
      {R"(| json | v=~"err|error")", R"({"v":"er"})", "-"},
      {R"(| json | v=~"warn|info")", R"({"v":"warn"})", "v=warn"},
      {R"(| json | v=~"warn|info")", R"({"v":"info"})", "v=info"},
      {R"(| json | v=~"warn|info")", R"({"v":"warnx"})", "-"},
      {R"(| json | v=~"a|b")", R"({"v":"a"})", "v=a"},
      {R"(| json | v=~"a|b")", R"({"v":"b"})", "v=b"},
      {R"(| json | v=~"a|b")", R"({"v":"ab"})", "-"},
      {R"(| json | v=~"a|")", R"({"v":"a"})", "v=a"},
      {R"(| json | v=~"a|")", R"({"v":""})", "-"},
      {R"(| json | v=~"a|")", R"({"v":" "})", "-"},
      {R"(| json | v=~"a|")", R"({"v":"b"})", "-"},
      {R"(| json | v=~"")", R"({"v":""})", "v="},
      {R"(| json | v=~"")", R"({"v":"x"})", "v=x"},
      {R"(| json | v=~".*")", R"({"v":""})", "v="},
      {R"(| json | v=~".*")", R"({"v":"x"})", "v=x"},
      {R"(| json | v=~".+")", R"({"v":""})", "-"},
      {R"(| json | v=~".+")", R"({"v":"x"})", "v=x"},
      {R"(| json | v=~"fo+")", R"({"v":"foo"})", "v=foo"},
      {R"(| json | v=~"fo+")", R"({"v":"xfoo"})", "-"},
      {R"(| json | v=~"(?i)foo")", R"({"v":"FOO"})", "v=FOO"},
      {R"(| json | v=~"(?i)foo")", R"({"v":"xfoo"})", "-"},
      {R"(| json | v=~"GET|POST|PUT")", R"({"v":"GET"})", "v=GET"},
      {R"(| json | v=~"GET|POST|PUT")", R"({"v":"GETX"})", "-"},
      {R"(| json | v=~"GET|POST|PUT")", R"({"v":"POST"})", "v=POST"},
      {R"(| json | v=~"GET|POST|PUT")", R"({"v":"XPUTX"})", "v=XPUTX"},
      {R"(| json | v=~"foo.*bar")", R"({"v":"foobar"})", "v=foobar"},
      {R"(| json | v=~"foo.*bar")", R"({"v":"xfoobar"})", "-"},
      {R"(| json | v=~"[ab]c")", R"({"v":"ac"})", "v=ac"},
      {R"(| json | v=~"[ab]c")", R"({"v":"xac"})", "-"},
      {R"(| json | v=~"x.*")", R"({"v":"a\nx"})", "v=a\nx"},
      {R"(| json | v=~"^x$")", R"({"v":"x"})", "v=x"},
      {R"(| json | v=~"^x$")", R"({"v":"xx"})", "-"},
      {R"(| json | v=~"prod|production")", R"({"v":"preproduction"})", "v=preproduction"},
      {R"(| json | v=~"prod|production")", R"({"v":"prod"})", "v=prod"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(LabelFilter, SeesTheError) {
  const Case cases[] = {
      {R"(| json | __error__="")", "bad", "-"},
      {R"(| json | __error__!="")", "bad",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {R"(| json | __error__="JSONParserErr")", "bad",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {R"(| json | __error__=~"JSON.*")", "bad",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {R"(| json | __error__!~"JSON.*")", "bad", "-"},
      {R"(| json | __error_details__="")", "bad",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {R"(| json | __error_details__!="")", "bad", "-"},
      {R"(| json | __error_details__=~".*object.*")", "bad", "-"},
      {R"(| json | __error__="")", R"({"__error__":"x"})", "__error__=x"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(LabelFilter, ComplainsAsGoDoes) {
  const Case cases[] = {
      {"| lvl > 5s", "x", R"(__error__=LabelFilterErr __error_details__=time: invalid duration "L")"},
      {"| tid > 1k", "x", R"(__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing "": invalid syntax)"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << "  " << c.line;
}

}  // namespace
}  // namespace weir::test
