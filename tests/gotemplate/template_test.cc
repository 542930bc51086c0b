// Templates and what Loki 3.7.6 made of them: the line, or the error of the template or of its execution.
#include "gotemplate/template.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace weir::test {
namespace {

class Data : public gotemplate::TemplateData {
 public:
  bool find(std::string_view name, std::string_view& value) override {
    const auto found = labels_.find(name);
    if (found == labels_.end()) return false;
    value = found->second;
    return true;
  }
  void each(const std::function<void(std::string_view name, std::string_view value)>& visit) override {
    for (const auto& [name, value] : labels_) visit(name, value);
  }
  std::string_view line() override { return "the line"; }
  base::Timestamp timestamp() override { return 1'700'000'000'123'456'789; }

 private:
  std::map<std::string, std::string, std::less<>> labels_ = {
      {"a", "08"},
      {"b", "0x1F"},
      {"c", "0.1"},
      {"d", "0.2"},
      {"e", "14/Nov/2023:22:13:20 +0530"},
      {"app", "shop"},
      {"msg", "Hello, W\303\266rld"},
      {"js", "{\"a\":1,\"b\":[1,2,{\"c\":null}],\"d\":\"x\\u00fc\\ud800y\",\"e\":{\"f\":true}}"},
  };
};

struct Row {
  const char* text;
  std::string_view expected;
};

std::string made(std::string_view text) {
  auto compiled = gotemplate::Template::compile(text, "line");
  if (!compiled) return "REFUSED " + compiled.error().message;
  Data data;
  gotemplate::Budget budget;
  std::string line, error;
  return compiled->execute(data, budget, line, error) ? line : "FAILED " + error;
}

TEST(Template, DefinesAndCallsTemplates) {
  const Row rows[] = {
      {"{{define \"t\"}}[{{.}}]{{end}}{{template \"t\" .app}}", "[shop]"},
      {"{{define \"t\"}}{{.app}}{{$}}{{end}}{{with .msg}}{{template \"t\"}}{{end}}", "<no value><no value>"},
      {"{{block \"x\" .app}}<{{.}}>{{end}}", "<shop>"},
      {"{{template \"no\"}}",
       "FAILED template: line:1:11: executing \"line\" at <{{template \"no\"}}>: template \"no\" not defined"},
      {"{{define \"t\"}}a{{end}}{{define \"t\"}}b{{end}}",
       "REFUSED template: line:1: template: multiple definition of template \"t\""},
      {"{{define \"t\"}} {{end}}{{define \"t\"}}b{{end}}{{template \"t\"}}", "b"},
      {"{{define \"line\"}}x{{end}}", "x"},
      {"{{define \"t\"}}{{.x.y}}{{end}}\n{{template \"t\" .app}}",
       "FAILED template: line:1:18: executing \"t\" at <.x.y>: can't evaluate field x in type string"},
      {"{{if true}}{{define \"t\"}}{{end}}{{end}}", "REFUSED template: line:1: unexpected <define> in command"},
      {"{{define t}}{{end}}", "REFUSED template: line:1: unexpected \"t\" in define clause"},
      {"{{$x := 1}}{{define \"t\"}}{{$x}}{{end}}", "REFUSED template: line:1: undefined variable \"$x\""},
      {"{{template \"t\" 1 2}}",
       "FAILED template: line:1:11: executing \"line\" at <{{template \"t\" 1 2}}>: template \"t\" not defined"},
  };
  for (const Row& row : rows) EXPECT_EQ(made(row.text), row.expected) << row.text;
}

TEST(Template, RefusesWhatGoRefuses) {
  const Row rows[] = {
      {"{{'ab'}}", "REFUSED template: line:1: malformed character constant: 'ab'"},
      {"{{printf \"%d\"1}}", "REFUSED template: line:1: unexpected \"1\" in operand"},
      {"{{ $x, $y := 1 }}", "REFUSED template: line:1: too many declarations in command"},
      {"{{ ..y }}", "REFUSED template: line:1: unexpected . after term \".\""},
      {"{{ .x. }}", "REFUSED template: line:1: unexpected <.> in operand"},
      {"{{ \"a\" | 1 }}", "REFUSED template: line:1: non executable command in pipeline stage 2"},
      {"{{if}}{{end}}", "REFUSED template: line:1: missing value for if"},
      {"{{", "REFUSED template: line:1: unclosed action"},
      {"\n\n{{ .a | }}", "\n\n08"},
      {"{{ .a\n", "REFUSED template: line:2: unclosed action started at line:1"},
      {"{{ /* x }}", "REFUSED template: line:1: unexpected \"/\" in command"},
      {"{{else}}", "REFUSED template: line:1: unexpected {{else}}"},
      {"{{end}}", "REFUSED template: line:1: unexpected {{end}}"},
      {"{{break}}", "REFUSED template: line:1: {{break}} outside {{range}}"},
      {"{{ nosuch 1 }}", "REFUSED template: line:1: function \"nosuch\" not defined"},
      {"{{ $u }}", "REFUSED template: line:1: undefined variable \"$u\""},
      {"{{ (.a }}", "REFUSED template: line:1: unclosed left paren"},
      {"{{ .a) }}", "REFUSED template: line:1: unexpected right paren"},
      {"{{ \"x }}", "REFUSED template: line:1: unterminated quoted string"},
      {"{{ `x }}", "REFUSED template: line:1: unterminated raw quoted string"},
      {"{{ 1_ }}", "REFUSED template: line:1: illegal number syntax: \"1_\""},
      {"{{ 0x }}", "REFUSED template: line:1: illegal number syntax: \"0x\""},
      {"{{ 1e400 }}", "REFUSED template: line:1: illegal number syntax: \"1e400\""},
      {"{{ 99999999999999999999 }}", "REFUSED template: line:1: integer overflow: \"99999999999999999999\""},
      {"{{ \"\\q\" }}", "REFUSED template: line:1: invalid syntax"},
      {"{{ .a ! }}", "REFUSED template: line:1: unexpected \"!\" in operand"},
      {"{{ \342\202\254 }}", "REFUSED template: line:1: unrecognized character in action: U+20AC '\342\202\254'"},
      {"{{range $i, 1}}{{end}}", "REFUSED template: line:1: range can only initialize variables"},
      {"{{with $x := .a}}{{else if true}}{{end}}", "REFUSED template: line:1: unexpected <if> in input"},
      {"{{if .a}}x{{else}}y{{else}}z{{end}}", "REFUSED template: line:1: expected end; found {{else}}"},
      {"{{nil}}", "FAILED template: line:1:2: executing \"line\" at <nil>: nil is not a command"},
      {"{{ .a.b.c }}", "FAILED template: line:1:5: executing \"line\" at <.a.b.c>: can't evaluate field b in type string"},
      {"{{\"a\".b}}", "REFUSED template: line:1: unexpected . after term \"\\\"a\\\"\""},
      {"{{ : }}", "REFUSED template: line:1: expected :="},
      {"{{ block }}", "REFUSED template: line:1: unexpected \"}}\" in block clause"},
  };
  for (const Row& row : rows) EXPECT_EQ(made(row.text), row.expected) << row.text;
}

TEST(Template, ReadsNumbers) {
  const Row rows[] = {
      {"{{0b101}} {{0o17}} {{017}} {{0x1F}} {{1_000}} {{9223372036854775807}}", "5 15 15 31 1000 9223372036854775807"},
      {"{{9223372036854775808}}",
       "FAILED template: line:1:2: executing \"line\" at <9223372036854775808>: 9223372036854775808 overflows int"},
      {"{{'a'}} {{'\\n'}} {{'\303\251'}}", "97 10 233"},
      {"{{1e3}} {{.5}} {{0x1p4}} {{2.0}} {{trunc 2.0 \"abc\"}}", "1000 0.5 16 2 ab"},
      {"{{int .a}} {{int .b}} {{int \"1_0\"}} {{int \"-3.9\"}} {{int \"1e3\"}} {{int 1e30}} {{int true}}",
       "0 31 10 -3 0 -9223372036854775808 1"},
      {"{{addf .c .d}} {{subf 0.3 0.1}} {{mulf 1.1 1.1}} {{divf 1 3}} {{divf 2 3 7}} {{addf 1e308 1e308}}",
       "0.3 0.2 1.21 0.3333333333333333 0.0952380952380952 +Inf"},
      {"{{divf 1 0}}", "FAILED template: line:1:2: executing \"line\" at <divf 1 0>: error calling divf: decimal division by 0"},
      {"{{addf \"NaN\"}}",
       "FAILED template: line:1:2: executing \"line\" at <addf \"NaN\">: error calling addf: Cannot create a Decimal"
       " from NaN"},
      {"{{div 1 0}}",
       "FAILED template: line:1:2: executing \"line\" at <div 1 0>: error calling div: runtime error: integer divide"
       " by zero"},
      {"{{mod -7 2}} {{div -7 2}} {{round 2.567 1}} {{round -2.5 0}} {{round 2.5 0 0.6}}", "-1 -3 2.6 -3 2"},
      {"{{maxf \"NaN\" 1}} {{minf 1 \"-Inf\"}} {{ceil 1.2}} {{floor -1.2}}", "NaN -Inf 2 -2"},
      {"{{printf \"%T %T %T\" (add 1) (int 1) (len \"x\")}}", "int64 int int"},
      {"{{trunc (add 1) \"ab\"}}",
       "FAILED template: line:1:13: executing \"line\" at <1>: wrong type for value; expected int; got int64"},
  };
  for (const Row& row : rows) EXPECT_EQ(made(row.text), row.expected) << row.text;
}

TEST(Template, PrintsEveryVerb) {
  const Row rows[] = {
      {"{{printf \"%q %x %X %+q %#q\" .msg .app .app .msg .app}}",
       "\"Hello, W\303\266rld\" 73686f70 73686F70 \"Hello, W\\u00f6rld\" `shop`"},
      {"{{printf \"%U %#U %c %q\" 233 233 233 233}}", "U+00E9 U+00E9 '\303\251' \303\251 '\303\251'"},
      {"{{printf \"%E %G %g %8.2f|%-8.2f|%+.1e\" 1234.5 1e21 1e-7 3.14159 2.5 12345.678}}",
       "1.234500E+03 1E+21 1e-07     3.14|2.50    |+1.2e+04"},
      {"{{printf \"%.3d %08d %+d % d %x %X %#x %o %O %b\" 5 -42 3 4 255 255 255 8 8 5}}",
       "005 -0000042 +3  4 ff FF 0xff 10 0o10 101"},
      {"{{printf \"%[2]d %[1]d %[3]d\" 1 2}}", "2 1 %!d(BADINDEX)"},
      {"{{printf \"%[x]d %[\" 1}}", "%!d(BADINDEX) %!(NOVERB)"},
      {"{{printf \"%*d|%-*d|%.*f\" 5 1 5 2 2 3.14159}}", "    1|2    |3.14"},
      {"{{printf \"%5d|%05s|%.2s\" \"ab\" \"cd\" .msg}}", "%!d(string=   ab)|000cd|He"},
      {"{{printf \"%v %+v %#v\" (fromJson .js) (fromJson .js) (fromJson .js)}}",
       "map[a:1 b:[1 2 map[c:<nil>]] d:x\303\274\357\277\275y e:map[f:true]] map[a:1 b:[1 2 map[c:<nil>]] d:x\303"
       "\274\357\277\275y e:map[f:true]] map[string]interface {}{\"a\":1, \"b\":[]interface {}{1, 2, map[string]inte"
       "rface {}{\"c\":interface {}(nil)}}, \"d\":\"x\303\274\357\277\275y\", \"e\":map[string]interface {}{\"f\":tr"
       "ue}}"},
      {"{{printf \"%d\" (fromJson \"[1,\\\"x\\\",null]\")}}", "[%!d(float64=1) %!d(string=x) <nil>]"},
      {"{{printf \"%z %d\" 1}}", "%!z(int=1) %!d(MISSING)"},
      {"{{printf \"x\" 1 \"b\" nil}}", "x%!(EXTRA int=1, string=b, <nil>)"},
      {"{{printf \"%!\"}}{{printf \"%\"}}", "%!!(MISSING)%!(NOVERB)"},
      {"{{printf \"%x %b\" 1.5 1.5}}", "0x1.8p+00 6755399441055744p-52"},
      {"{{printf \"%#v %#v %T\" \"a\" 1.0 nil}}", "\"a\" 1 <nil>"},
      {"{{printf \"%s|%v|%d\" nil nil nil}}", "%!s(<nil>)|<nil>|%!d(<nil>)"},
      {"{{printf \"%6.2f%%\" 12.345}}", " 12.35%"},
      {"{{printf \"%#x % x %# x\" \"abc\" \"abc\" \"abc\"}}", "0x616263 61 62 63 0x61 0x62 0x63"},
      {"{{printf \"%#g %#.3x %+08.2f\" 1.0 1.5 3.14159}}", "1.00000 0x1.800p+00 +0003.14"},
      {"{{print 1 2 \"a\" \"b\" 3}}{{println 1 \"a\"}}", "1 2ab31 a\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(made(row.text), row.expected) << row.text;
}

TEST(Template, ReadsTimes) {
  const Row rows[] = {
      {"{{toDate \"2006-01-02\" \"2023-11-14\"}}", "2023-11-14 00:00:00 +0000 UTC"},
      {"{{toDate \"15:04\" \"22:13\"}}", "0000-01-01 22:13:00 +0000 UTC"},
      {"{{toDate \"2006-01-02\" \"x\"}}", "0001-01-01 00:00:00 +0000 UTC"},
      {"{{toDate \"02/Jan/2006:15:04:05 -0700\" .e}}", "2023-11-14 22:13:20 +0530 +0530"},
      {"{{(toDate \"02/Jan/2006:15:04:05 -0700\" .e).UTC}}", "2023-11-14 16:43:20 +0000 UTC"},
      {"{{toDateInZone \"2006-01-02 15:04\" \"Europe/Berlin\" \"2024-07-01 12:00\"}}", "2024-07-01 12:00:00 +0200 CEST"},
      {"{{toDateInZone \"2006-01-02 15:04\" \"Europe/Berlin\" \"2024-03-31 02:30\"}}", "2024-03-31 03:30:00 +0200 CEST"},
      {"{{toDateInZone \"2006-01-02 15:04\" \"America/New_York\" \"2050-12-01 12:00\" | unixEpoch}}", "2553526800"},
      {"{{toDateInZone \"2006-01-02 15:04\" \"No/Where\" \"2024-07-01 12:00\"}}", "2024-07-01 12:00:00 +0000 UTC"},
      {"{{toDateInZone \"02 Jan 06 15:04 MST\" \"Europe/Berlin\" \"01 Jul 24 12:00 CEST\"}}", "2024-07-01 12:00:00 +0200 CEST"},
      {"{{toDate \"Jan _2 15:04:05 MST 2006\" \"jul  4 01:02:03 GMT+3 2024\"}}", "2024-07-04 04:02:03 +0300 GMT+3"},
      {"{{unixToTime \"1700000000123\"}} {{unixToTime \"19373\"}}",
       "2023-11-14 22:13:20.123 +0000 UTC 2023-01-16 00:00:00 +0000 UTC"},
      {"{{unixToTime \"17000000001\"}}",
       "FAILED template: line:1:2: executing \"line\" at <unixToTime \"17000000001\">: error calling unixToTime: una"
       "ble to parse time '17000000001': %!w(<nil>)"},
      {"{{unixToTime \"x\"}}",
       "FAILED template: line:1:2: executing \"line\" at <unixToTime \"x\">: error calling unixToTime: unable to par"
       "se time 'x': strconv.ParseInt: parsing \"x\": invalid syntax"},
      {"{{date \"Monday 2 __2 002 3PM pm .000\" __timestamp__}}", "Tuesday 14 318 318 10PM pm .123"},
      {"{{toDate \"2006 002\" \"2024 366\"}}", "2024-12-31 00:00:00 +0000 UTC"},
      {"{{toDate \"2006-01-02\" \"2023-02-29\"}}", "0001-01-01 00:00:00 +0000 UTC"},
      {"{{toDate \"2006-01-02T15:04:05Z07:00\" \"2023-11-14T22:13:20.123+01:00\"}}", "2023-11-14 22:13:20.123 +0100 +0100"},
  };
  for (const Row& row : rows) EXPECT_EQ(made(row.text), row.expected) << row.text;
}

TEST(Template, CallsMethodsOfTimes) {
  const Row rows[] = {
      {"{{__timestamp__.Unix}} {{__timestamp__.UnixMicro}} {{__timestamp__.Year}} {{__timestamp__.Month}} {{__timest"
       "amp__.Weekday}} {{__timestamp__.YearDay}} {{__timestamp__.Nanosecond}}",
       "1700000000 1700000000123456 2023 November Tuesday 318 123456789"},
      {"{{__timestamp__.Sub (unixToTime \"1700000000\")}} {{(__timestamp__.Sub (unixToTime \"1600000000\")).Hours}}",
       "123.456789ms 27777.77781207133"},
      {"{{__timestamp__.AddDate 1 -2 3}}", "2024-09-17 22:13:20.123456789 +0000 UTC"},
      {"{{__timestamp__.Add 3600000000000}} {{__timestamp__.Truncate 60000000000}} {{__timestamp__.Round 1000000}}",
       "2023-11-14 23:13:20.123456789 +0000 UTC 2023-11-14 22:13:00 +0000 UTC 2023-11-14 22:13:20.123 +0000 UTC"},
      {"{{__timestamp__.Before (unixToTime \"1600000000\")}} {{__timestamp__.After (unixToTime \"1600000000\")}} {{_"
       "_timestamp__.Equal __timestamp__}}",
       "false true true"},
      {"{{__timestamp__.In (toDateInZone \"2006\" \"Asia/Kolkata\" \"2024\").Location}}",
       "2023-11-15 03:43:20.123456789 +0530 IST"},
      {"{{__timestamp__.Format \"15:04\" | printf \"%s!\"}}", "22:13!"},
      {"{{\"15:04\" | __timestamp__.Format}}", "22:13"},
      {"{{__timestamp__.Format}}",
       "FAILED template: line:1:2: executing \"line\" at <__timestamp__>: wrong number of args for Format: want 1 go"
       "t 0"},
      {"{{__timestamp__.Format 5}}", "FAILED template: line:1:23: executing \"line\" at <5>: expected string; found 5"},
      {"{{__timestamp__.Date}}",
       "FAILED template: line:1:2: executing \"line\" at <__timestamp__>: function Date has 3 return values; should "
       "be 1 or 2"},
      {"{{__timestamp__.ISOWeek}}",
       "FAILED template: line:1:2: executing \"line\" at <__timestamp__>: invalid function signature for ISOWeek: se"
       "cond return value should be error; is int"},
      {"{{__timestamp__.wall}}",
       "FAILED template: line:1:2: executing \"line\" at <__timestamp__>: wall is an unexported field of struct type"
       " time.Time"},
      {"{{__timestamp__.Foo}}",
       "FAILED template: line:1:2: executing \"line\" at <__timestamp__>: can't evaluate field Foo in type time.Time"},
      {"{{__timestamp__.GoString}} {{__timestamp__.IsZero}} {{__timestamp__.IsDST}}",
       "time.Date(2023, time.November, 14, 22, 13, 20, 123456789, time.Local) false false"},
      {"{{printf \"%d %s\" __timestamp__.Month __timestamp__.Month}}", "11 November"},
  };
  for (const Row& row : rows) EXPECT_EQ(made(row.text), row.expected) << row.text;
}

TEST(Template, ComparesValues) {
  const Row rows[] = {
      {"{{eq true true}} {{eq nil nil}} {{eq __timestamp__ __timestamp__}} {{eq 1 2 1}} {{eq (index \"abc\" 0) 97}}",
       "true true true true true"},
      {"{{eq .app nil}} {{ne nil nil}}", "false false"},
      {"{{lt true false}}",
       "FAILED template: line:1:2: executing \"line\" at <lt true false>: error calling lt: invalid type for compari"
       "son"},
      {"{{lt nil 1}}",
       "FAILED template: line:1:2: executing \"line\" at <lt nil 1>: error calling lt: invalid type for comparison"},
      {"{{eq 1 1.0}}",
       "FAILED template: line:1:2: executing \"line\" at <eq 1 1.0>: error calling eq: incompatible types for compar"
       "ison: int and float64"},
      {"{{eq (fromJson \"[1]\") (fromJson \"[1]\")}}",
       "FAILED template: line:1:2: executing \"line\" at <eq (fromJson \"[1]\") (fromJson \"[1]\")>: error calling e"
       "q: non-comparable type [%!s(float64=1)]: []interface {}"},
      {"{{eq (fromJson \"{}\") (fromJson \"[]\")}}",
       "FAILED template: line:1:2: executing \"line\" at <eq (fromJson \"{}\") (fromJson \"[]\")>: error calling eq:"
       " non-comparable types map[]: map[string]interface {}, []interface {}: []"},
      {"{{lt __timestamp__ __timestamp__}}",
       "FAILED template: line:1:2: executing \"line\" at <lt __timestamp__ __timestamp__>: error calling lt: invalid"
       " type for comparison"},
      {"{{eq \"a\"}}",
       "FAILED template: line:1:2: executing \"line\" at <eq \"a\">: error calling eq: missing argument for comparis"
       "on"},
      {"{{lt \"a\" \"b\"}} {{ge 2.5 2.5}} {{gt (int \"3\") 2}}", "true true true"},
  };
  for (const Row& row : rows) EXPECT_EQ(made(row.text), row.expected) << row.text;
}

TEST(Template, ReadsJson) {
  const Row rows[] = {
      {"{{fromJson .js}}", "map[a:1 b:[1 2 map[c:<nil>]] d:x\303\274\357\277\275y e:map[f:true]]"},
      {"{{(fromJson .js).b}} {{(fromJson .js).zz}}", "[1 2 map[c:<nil>]] <no value>"},
      {"{{(fromJson .js).zz.y}}", "FAILED template: line:1:12: executing \"line\" at <.js>: nil pointer evaluating interface {}.y"},
      {"{{(fromJson \"null\").y}}", "<no value>"},
      {"{{(fromJson .js).a.x}}",
       "FAILED template: line:1:12: executing \"line\" at <.js>: can't evaluate field x in type interface {}"},
      {"{{(fromJson .app).x}}", "<no value>"},
      {"{{fromJson \"[1,]\"}}{{fromJson \"{\\\"a\\\":01}\"}}{{fromJson \"\\\"\\t\\\"\"}}{{fromJson \"[1] x\"}}",
       "<no value><no value><no value><no value>"},
      {"{{fromJson \"[1e999, 2]\"}}", "[<nil> 2]"},
      {"{{range fromJson \"[1,null,\\\"x\\\"]\"}}<{{.}}>{{end}}", "<1><<no value>><x>"},
      {"{{range $k, $v := fromJson .js}}{{$k}}={{$v}};{{end}}", "a=1;b=[1 2 map[c:<nil>]];d=x\303\274\357\277\275y;e=map[f:true];"},
      {"{{index (fromJson .js) \"b\" 2 \"c\"}}", "<no value>"},
      {"{{index (fromJson .js) \"b\" 3}}",
       "FAILED template: line:1:2: executing \"line\" at <index (fromJson .js) \"b\" 3>: error calling index: reflec"
       "t: slice index out of range"},
      {"{{index (fromJson .js) \"b\" 9}}",
       "FAILED template: line:1:2: executing \"line\" at <index (fromJson .js) \"b\" 9>: error calling index: index "
       "out of range: 9"},
      {"{{index (fromJson .js) 1}}",
       "FAILED template: line:1:2: executing \"line\" at <index (fromJson .js) 1>: error calling index: value has ty"
       "pe int; should be string"},
      {"{{index nil}}", "FAILED template: line:1:2: executing \"line\" at <index nil>: error calling index: index of untyped nil"},
      {"{{index (fromJson .js) \"zz\" \"y\"}}",
       "FAILED template: line:1:2: executing \"line\" at <index (fromJson .js) \"zz\" \"y\">: error calling index: i"
       "ndex of nil pointer"},
      {"{{slice (fromJson \"[1,2,3]\") 1 2}} {{slice .msg 7}}", "[2] W\303\266rld"},
      {"{{slice .msg 9 3}}",
       "FAILED template: line:1:2: executing \"line\" at <slice .msg 9 3>: error calling slice: invalid slice index:"
       " 9 > 3"},
      {"{{len nil}}",
       "FAILED template: line:1:2: executing \"line\" at <len nil>: error calling len: reflect: call of reflect.Valu"
       "e.Type on zero Value"},
      {"{{len (fromJson \"null\")}}",
       "FAILED template: line:1:2: executing \"line\" at <len (fromJson \"null\")>: error calling len: reflect: call"
       " of reflect.Value.Type on zero Value"},
      {"{{lower (fromJson .js).a}}",
       "FAILED template: line:1:18: executing \"line\" at <.js>: wrong type for value; expected string; got float64"},
      {"{{$j := fromJson .js}}{{lower $j.a}}",
       "FAILED template: line:1:32: executing \"line\" at <$j.a>: wrong type for value; expected string; got float64"},
      {"{{$j := fromJson .js}}{{lower $j.zz}}",
       "FAILED template: line:1:32: executing \"line\" at <$j.zz>: wrong type for value; expected string; got interf"
       "ace {}"},
  };
  for (const Row& row : rows) EXPECT_EQ(made(row.text), row.expected) << row.text;
}

TEST(Template, FindsNoMatchWithinACharacter) {
  EXPECT_EQ(made(R"({{ regexReplaceAllLiteral "\\B" "a\u00e9b \u00e9" "<>" }})"), "a\303\251b <>\303\251<>");
  EXPECT_EQ(made(R"({{ count "\\B" "\u0130i\u0131I" }})"), "1");
}

TEST(Template, NamesWhatWentWrong) {
  const Row rows[] = {
      {"{{lower 5}}", "FAILED template: line:1:8: executing \"line\" at <5>: expected string; found 5"},
      {"{{lower nil}}", "FAILED template: line:1:8: executing \"line\" at <nil>: cannot assign nil to string"},
      {"{{trunc \"a\" \"b\"}}", "FAILED template: line:1:8: executing \"line\" at <\"a\">: expected integer; found \"a\""},
      {"{{round 1 \"x\"}}", "FAILED template: line:1:10: executing \"line\" at <\"x\">: expected integer; found \"x\""},
      {"{{.app.x}}", "FAILED template: line:1:6: executing \"line\" at <.app.x>: can't evaluate field x in type string"},
      {"{{.app \"x\"}}", "FAILED template: line:1:2: executing \"line\" at <.app>: app is not a method but has arguments"},
      {"{{\"x\" 1}}", "FAILED template: line:1:2: executing \"line\" at <\"x\">: can't give argument to non-function \"x\""},
      {"{{1 | .app}}", "FAILED template: line:1:6: executing \"line\" at <.app>: app is not a method but has arguments"},
      {"x\n  {{ lower (print (trunc 1.5 .app)) }}",
       "FAILED template: line:2:25: executing \"line\" at <1.5>: expected integer; found 1.5"},
      {"{{lower}}", "FAILED template: line:1:2: executing \"line\" at <lower>: wrong number of args for lower: want 1 got 0"},
      {"{{and}}", "FAILED template: line:1:2: executing \"line\" at <and>: wrong number of args for and: want at least 1 got 0"},
      {"{{printf}}",
       "FAILED template: line:1:2: executing \"line\" at <printf>: wrong number of args for printf: want at least 1 "
       "got 0"},
      {"{{range .app}}{{end}}", "FAILED template: line:1:8: executing \"line\" at <.app>: range can't iterate over shop"},
      {"{{range $i, $v := 3}}{{end}}",
       "FAILED template: line:1:18: executing \"line\" at <3>: can't use 3 to iterate over more than one variable"},
      {"{{range 3}}{{.}}{{else}}e{{end}}{{range 0}}{{else}}e{{end}}", "012e"},
      {"{{repeat -1 \"x\"}}",
       "FAILED template: line:1:2: executing \"line\" at <repeat -1 \"x\">: error calling repeat: strings: negative "
       "Repeat count"},
      {"{{indent -1 \"x\"}}",
       "FAILED template: line:1:2: executing \"line\" at <indent -1 \"x\">: error calling indent: strings: negative "
       "Repeat count"},
      {"{{substr 5 2 \"abcdef\"}}",
       "FAILED template: line:1:2: executing \"line\" at <substr 5 2 \"abcdef\">: error calling substr: runtime erro"
       "r: slice bounds out of range [5:2]"},
      {"{{unixEpoch 1}}", "FAILED template: line:1:12: executing \"line\" at <1>: can't handle 1 for arg of type time.Time"},
      {"{{__timestamp__.Add \"x\"}}", "FAILED template: line:1:20: executing \"line\" at <\"x\">: expected integer; found \"x\""},
      {"{{true | not}} {{and 1 0 2}} {{or 0 \"\" \"x\"}} {{default \"d\" \"\"}}", "false 0 x d"},
      {"{{b64dec \"a\"}} {{b64dec \"YQ=\"}} {{b64dec \"YQ==x\"}} {{b64dec \"YQ==\"}}",
       "illegal base64 data at input byte 0 illegal base64 data at input byte 3 illegal base64 data at input byte 4 "
       "a"},
      {"{{urldecode \"%zz\"}}",
       "FAILED template: line:1:2: executing \"line\" at <urldecode \"%zz\">: error calling urldecode: invalid URL e"
       "scape \"%zz\""},
      {"{{html \"<a&'\\\">\" nil}} {{js \"<\342\202\254\\n'\"}} {{urlquery \"a b&\"}}",
       "&lt;a&amp;&#39;&#34;&gt;&lt;no value&gt; \\u003C\342\202\254\\u000A\\' a+b%26"},
      {"{{title \"hello w\303\266rld-foo \307\206x 1ab\"}} {{trim \"\302\240 x\342\200\250\"}}",
       "Hello W\303\266rld-Foo \307\205x 1ab x"},
      {"{{call .app}}",
       "FAILED template: line:1:2: executing \"line\" at <call .app>: error calling call: non-function .app of type "
       "string"},
      {"{{regexReplaceAll \"(\" \"a\" \"b\"}}",
       "FAILED template: line:1:2: executing \"line\" at <regexReplaceAll \"(\" \"a\" \"b\">: error calling regexRep"
       "laceAll: error parsing regexp: missing closing ): `(`"},
      {"{{bytes \"x\"}}",
       "FAILED template: line:1:2: executing \"line\" at <bytes \"x\">: error calling bytes: strconv.ParseFloat: par"
       "sing \"\": invalid syntax"},
      {"{{duration \"5\"}}",
       "FAILED template: line:1:2: executing \"line\" at <duration \"5\">: error calling duration: time: missing uni"
       "t in duration \"5\""},
  };
  for (const Row& row : rows) EXPECT_EQ(made(row.text), row.expected) << row.text;
}

// Loki goes on until its stack or memory ends.
TEST(Template, BoundsWhatTemplatesCall) {
  EXPECT_EQ(made("{{define \"t\"}}{{template \"t\"}}{{end}}{{template \"t\"}}"),
            "FAILED template: line:1:25: executing \"t\" at <{{template \"t\"}}>: exceeded maximum template depth (200)");
  std::string doubling = "{{define \"t0\"}}{{end}}";
  for (int i = 1; i <= 21; ++i) {
    const std::string call = "{{template \"t" + std::to_string(i - 1) + "\"}}";
    doubling += "{{define \"t" + std::to_string(i) + "\"}}" + call + call + "{{end}}";
  }
  EXPECT_NE(made(doubling + "{{template \"t21\"}}").find("may run at most 1000000 templates"), std::string::npos);
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += '(';
  EXPECT_EQ(made("{{" + deep), "REFUSED template: line:1: max expression depth exceeded");
}

}  // namespace
}  // namespace weir::test
