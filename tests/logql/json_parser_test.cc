// Expected values are what Loki 3.7.6 answered.
#include "logql/eval.h"

namespace weir::test {
namespace {

TEST(JsonParser, TakesAllFields) {
  const Case cases[] = {
      {"| json", R"({"a":"1"})", "a=1"},
      {"| json", R"({"a":"1"} trailing)", "a=1"},
      {"| json", R"({"a":"1")", "__error__=JSONParserErr __error_details__=Value is array, but can't find closing ']' symbol a=1"},
      {"| json", R"({"a":"1",)", "__error__=JSONParserErr __error_details__=Value is array, but can't find closing ']' symbol a=1"},
      {"| json", R"({"a":"1","b")", "__error__=JSONParserErr __error_details__=Malformed JSON error a=1"},
      {"| json", R"({"a":"1","b":tru})", "__error__=JSONParserErr __error_details__=Unknown value type a=1"},
      {"| json", R"({"a":"1","b":01})", "a=1 b=01"},
      {"| json", R"({"a":"1","b":-})", "a=1 b=-"},
      {"| json", R"({"a":"1","b":1.2.3})", "a=1 b=1.2.3"},
      {"| json", R"({"a":"1","b":abc,"c":"2"})", "__error__=JSONParserErr __error_details__=Unknown value type a=1"},
      {"| json", R"({"a":"1" "b":"2"})",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol a=1"},
      {"| json", R"({"a":"1";"b":"2"})",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol a=1"},
      {"| json", R"({"a" "1"})", "__error__=JSONParserErr __error_details__=Malformed JSON error"},
      {"| json", "{a:1}", "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json", "{'a':1}", "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json", R"(  {"a":1})", "a=1"},
      {"| json", "[1,2]", "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json", R"("abc")",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json", "12", "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json", "", "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json", "null", "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json", "{}", ""},
      {"| json", "{ }", ""},
      {"| json", R"({"a":null,"b":[1,{"c":2}],"d":{},"e":{"f":null}})", ""},
      {"| json", R"({"a":true,"b":false,"c":1e3,"d":1.0,"e":-0})", "a=true b=false c=1e3 d=1.0 e=-0"},
      {"| json", R"({"a":{"b":{"c":"d"}},"a_b_c":"e"})", "a_b_c=d"},
      {"| json", R"({"a_b":"e","a":{"b":"d"}})", "a_b=e"},
      {"| json", R"({"a":"1","a":"2"})", "a=1"},
      {"| json", R"({"app":"y","lvl":"z","tid":"q"})", "app_extracted=y lvl_extracted=z tid_extracted=q"},
      {"| json", R"({"app_extracted":"0","app":"y"})", "app_extracted=0"},
      {"| json", R"({"app":"y","app_extracted":"0"})", "app_extracted=y"},
      {"| json", R"({"1a":"y","b.c":"0","d e":"1"," f ":"2","":"3","é":"4","..":"5","-":"6"})", "_1a=y _=4 __=5 b_c=0 d_e=1 f=2"},
      {"| json", R"({"a":"x\ny\u00e9\ud83d\ude00","b":"\/\"\\","c":"\ud800","d":"\uZZZZ"})", "a=x\nyé😀 b=/\"\\ c= d="},
      {"| json", "{\"a\":\"�\",\"b\":\"x\001y\"}", "a=  b=x\001y"},
      {"| json", R"({"a\nb":"1"})", "a_b=1"},
      {"| json", R"({"a":{"b.c":"1"," d ":"2","1":"3","":"4"}})", "a=4 a_1=3 a_b_c=1 a_d=2"},
      {"| json", R"({"a":"" ,"b":" "})", "a= b= "},
      {"| json", R"({"a":1}{"b":2})", "a=1"},
      {"| json", R"({"a":[1,2})", "__error__=JSONParserErr __error_details__=Value is array, but can't find closing ']' symbol"},
      {"| json", R"({"a":{"b":1,"c":"2")",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json", R"({"a":"abc)", R"(__error__=JSONParserErr __error_details__=Value is string, but can't find closing '"' symbol)"},
      {"| json", R"({"a":"1",})", "a=1"},
      {"| json", R"({,"a":"1"})",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json", R"({"a":1 2,"b":3})",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol a=1"},
      {"| json", R"({"a":"1"}})", "a=1"},
      {"| json", R"({"__error__":"x","b":"1"})", "__error__=x b=1"},
      {"| json", R"({"a":"1","b":})", "__error__=JSONParserErr __error_details__=Unknown value type a=1"},
      {"| json", R"({"a": ,"b":"2"})", "__error__=JSONParserErr __error_details__=Unknown value type"},
      {"| json", R"({"a":"b"x,"c":"d"})",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol a=b"},
      {"| json", R"({"a":+1})", "__error__=JSONParserErr __error_details__=Unknown value type"},
      {"| json", R"({"a":.5})", "__error__=JSONParserErr __error_details__=Unknown value type"},
      {"| json", R"({"a":nullx})", "__error__=JSONParserErr __error_details__=Unknown value type"},
      {"| json", R"({"a":truex})", "__error__=JSONParserErr __error_details__=Unknown value type"},
      {"| json", R"({"a":True})", "__error__=JSONParserErr __error_details__=Unknown value type"},
      {"| json", R"({"a":NaN})", "__error__=JSONParserErr __error_details__=Unknown value type"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(JsonExtractor, TakesNamedPaths) {
  const Case cases[] = {
      {R"(| json a="x")", R"({"x":"1"})", "a=1"},
      {R"(| json a="x.y", b="z[0]", c="z[1].w", d="nope", e="n")", R"({"x":{"y":"1"},"z":["p",{"w":true}],"n":null})",
       "a=1 b=p c=true d= e="},
      {R"(| json a="x", b="z")", R"({"x":{"y": "1"},"z":["p", 2]})", R"(a={"y": "1"} b=["p", 2])"},
      {R"(| json a="[0]", b="[1].c")", R"(["p",{"c":"d"}])", "a=p b=d"},
      {R"(| json a="x")", R"("str")", "a="},
      {R"(| json a="x")", "12", "__error__=JSONParserErr"},
      {R"(| json a="x")", "", ""},
      {R"(| json a="x")", R"( {"x":1})", "__error__=JSONParserErr"},
      {R"(| json a="x")", R"({"x":1)", "a=1"},
      {R"(| json a="x")", R"({"x":"1)",
       R"(__error__=JSONParserErr __error_details__=Value is string, but can't find closing '"' symbol a=)"},
      {R"(| json a="x")", "{bad", "a="},
      {R"(| json a="x")", R"({"x":"a\nb\u00e9�"})", "a=a\nbé "},
      {R"(| json a="x")", R"({"y":1 "x":2})", "a=2"},
      {R"(| json app="x", tid="y")", R"({"x":"1","y":"2"})", "app_extracted=1 tid_extracted=2"},
      {R"(| json a="x", a="y")", R"({"x":"1","y":"2"})", "a=2"},
      {R"(| json a="x-y")", "{}",
       R"(ERROR parse error : stage '| json a="x-y"' : cannot parse expression [x-y]: unexpected char -)"},
      {R"(| json a="x..y")", "{}",
       R"(ERROR parse error : stage '| json a="x..y"' : cannot parse expression [x..y]: syntax error: )"
       R"(unexpected DOT, expecting FIELD)"},
      {R"(| json a="")", "{}",
       R"(ERROR parse error : stage '| json a=""' : cannot parse expression []: syntax error: unexpected $end,)"
       R"( expecting LSB or FIELD)"},
      {R"(| json a="x[")", "{}",
       R"(ERROR parse error : stage '| json a="x["' : cannot parse expression [x[]: syntax error: unexpected )"
       R"($end, expecting STRING or INDEX)"},
      {R"(| json a="x[a]")", "{}",
       R"(ERROR parse error : stage '| json a="x[a]"' : cannot parse expression [x[a]]: syntax error: )"
       R"(unexpected FIELD, expecting STRING or INDEX)"},
      {R"(| json a="x[\"q r\"]")", R"({"x":{"q r":1}})", "a=1"},
      {R"(| json a="[\"q r\"].b")", R"({"q r":{"b":"c"}})", "a=c"},
      {R"(| json a=".x")", R"({"x":"1"})",
       R"(ERROR parse error : stage '| json a=".x"' : cannot parse expression [.x]: syntax error: unexpected )"
       R"(DOT, expecting LSB or FIELD)"},
      {R"(| json a="x.")", R"({"x":"1"})",
       R"(ERROR parse error : stage '| json a="x."' : cannot parse expression [x.]: syntax error: unexpected )"
       R"($end, expecting FIELD)"},
      {R"(| json a="x y")", R"({"x":"1"})",
       R"(ERROR parse error : stage '| json a="x y"' : cannot parse expression [x y]: syntax error: unexpected FIELD)"},
      {R"(| json a="x[01]")", R"({"x":[1,2]})", "a=2"},
      {R"(| json a="x[\"a]b\"]")", "{}",
       R"(ERROR parse error : stage '| json a="x[\"a]b\"]"' : cannot parse expression [x["a]b"]]: syntax )"
       R"(error: unexpected FIELD, expecting RSB)"},
      {R"(| json a="x[\"\"]")", R"({"x":{"":1}})", "a=1"},
      {R"(| json a=" x ")", R"({"x":"1"})", "a=1"},
      {R"(| json a="x[ 0 ]")", R"({"x":["1"]})", "a=1"},
      {R"(| json a="x_1.y_2")", R"({"x_1":{"y_2":3}})", "a=3"},
      {R"(| json a="x")", R"({"x":1.50})", "a=1.50"},
      {R"(| json a="x")", R"({"x":true})", "a=true"},
      {R"(| json a="x")", R"({"x":"1","x":"2"})", "a=1"},
      {R"(| json a="x")", R"({"x":[]})", "a=[]"},
      {R"(| json a="x")", R"({"x":""})", "a="},
      {R"(| json b="a.b", a)", R"({"a":{"b":"1"}})", R"(a={"b":"1"} b=1)"},
      {R"(| json a="x" | a="1")", R"({"x":"1"})", "a=1"},
      {R"(| json app="q")", R"({"a":1})", ""},
      {R"(| json tid="q")", R"({"a":1})", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(Unpack, UndoesPack) {
  const Case cases[] = {
      {"| unpack", R"({"_entry":"hello","a":"1","b":2,"c":{"d":"e"},"app":"z"})", "[hello] a=1 app_extracted=z"},
      {"| unpack", R"({"a":"1","b":2})", ""},
      {"| unpack", R"({"_entry":5,"a":"1"})", ""},
      {"| unpack", R"({"a":"1","_entry":"x")",
       "__error__=JSONParserErr __error_details__=Value is array, but can't find closing ']' symbol"},
      {"| unpack", R"({"a":"1","_entry":"x",bad)",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| unpack", "not json", "__error__=JSONParserErr __error_details__=expecting json object(6), but it is not"},
      {"| unpack", "[1]", "__error__=JSONParserErr __error_details__=expecting json object(6), but it is not"},
      {"| unpack", "", ""},
      {"| unpack", R"( {"_entry":"x"})", "__error__=JSONParserErr __error_details__=expecting json object(6), but it is not"},
      {"| unpack", R"({"_entry":"he\nllo","a":"\u00e9","b c":"d"})", "[he\nllo] a=é b_c=d"},
      {"| unpack", R"({"_entry":"","a":"1"})", "[] a=1"},
      {"| json | unpack", R"({"_entry":"x","a":"1"})", "[x] _entry=x a=1"},
      {"| unpack | json", R"({"_entry":"{\"z\":1}","a":"1"})", R"([{"z":1}] a=1 z=1)"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(JsonExtractor, KeepsAndSetsAsLokiDoes) {
  const Case cases[] = {
      {R"(| json a="x.y")", R"({"x":1,"x":{"y":2}})", "a=2"},
      {R"(| json a="x[0]")", R"({"x":"s","x":["t"]})", "a=t"},
      {R"(| json a="x.z")", R"({"x":{"y":1},"x":{"z":2}})", "a=2"},
      {R"(| json a="x")", R"({"x":["a\"b",1]})", R"(a=["a"b",1])"},
      {R"(| json | json a="zz")", R"({"a":"1"})", "a=1"},
      {R"(| json a="a" | json a="zz")", R"({"a":"1"})", "a=1"},
      {R"(| drop app | json app="zz")", R"({"a":"1"})", "app="},
      {R"(| drop app | json app="a")", R"({"a":"1"})", "app_extracted=1"},
      {R"(| drop app | json app="a", b)", R"({"a":"1"})", "app= app_extracted=1 b="},
      {R"(| json a="x", a="zz")", R"({"x":"1"})", "a=1"},
      {"| json", "{", "__error__=JSONParserErr __error_details__=Malformed JSON error"},
      {"| json", R"({"lvl":{"":1}})", "lvl__extracted=1"},
      {"| json", R"({"n":{"lvl ":1},"n_lvl":2})", "n_lvl=1"},
      {R"(| label_format n="1" | json)", R"({"n":{"":1}})", "n=1"},
      {R"(| json | json a="b")", "x",
       "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| unpack", R"({"_entry":"e","k":"1","k":"2"})", "[e] k=2"},
      {"| unpack", R"({"_entry":"e","app":"1"})", "[e] app_extracted=1"},
      {"| unpack", R"({"_entry":"\\q","k":"1"})", R"([\q] k=1)"},
      {R"(| k="1" | unpack)", R"({"_entry":"e","k":"1","k":"2"})", "-"},
      {"| json | keep app", R"({"__error__":"x","a":"1"})", "__error__=x"},
      {"| json | drop __error__", "x", "__error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json | drop __error__, lvl", "x", "__error_details__=Value looks like object, but can't find closing '}' symbol"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << "  " << c.line;
}

}  // namespace
}  // namespace weir::test
