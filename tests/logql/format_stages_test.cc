// Expected values are what Loki 3.7.6 answered.
#include "logql/eval.h"

namespace weir::test {
namespace {

TEST(LabelSelection, DropsAndKeeps) {
  const Case cases[] = {
      {"| drop app", "x", "lvl=L / app2=M tid=T / "},
      {"| drop tid", "x", "app=x lvl=L / app2=M / "},
      {"| drop app2, lvl", "x", "app=x / tid=T / "},
      {R"(| drop app="x")", "x", "lvl=L / app2=M tid=T / "},
      {R"(| drop app="y")", "x", "app=x lvl=L / app2=M tid=T / "},
      {R"(| drop app!="y")", "x", "lvl=L / app2=M tid=T / "},
      {R"(| drop nope="")", "x", "app=x lvl=L / app2=M tid=T / "},
      {R"(| drop app=~"x.*")", "x", "lvl=L / app2=M tid=T / "},
      {R"(| drop app!~".*")", "x", "app=x lvl=L / app2=M tid=T / "},
      {"| keep app", "x", "app=x /  / "},
      {"| keep tid", "x", " / tid=T / "},
      {R"(| keep app="y")", "x", " /  / "},
      {R"(| keep app="x", lvl)", "x", "app=x lvl=L /  / "},
      {"| keep nope", "x", " /  / "},
      {"| json | keep a", "bad",
       " /  / __error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json | drop __error__", "bad",
       "app=x lvl=L / app2=M tid=T / __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json | drop __error_details__", "bad", "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr"},
      {"| json | drop __error__, __error_details__", "bad", "app=x lvl=L / app2=M tid=T / "},
      {R"(| json | drop __error__="JSONParserErr")", "bad",
       "app=x lvl=L / app2=M tid=T / __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {R"(| json | drop __error__="x")", "bad",
       "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' "
       "symbol"},
      {R"(| json | drop __error__=~"JSON.*")", "bad",
       "app=x lvl=L / app2=M tid=T / __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {"| json | keep __error__", "bad",
       " /  / __error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {R"(| json | drop __error__ | __error__="")", "bad",
       "app=x lvl=L / app2=M tid=T / __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {R"(| json | drop a | a="")", R"({"a":"6"})", "-"},
      {R"(| json | a="" | drop a)", R"({"a":"6"})", "-"},
      {"| drop a | json", R"({"a":"1"})", "app=x lvl=L / app2=M tid=T / a=1"},
      {"| keep b | json", R"({"a":"1","b":"2"})", " /  / a=1 b=2"},
      {"| drop app | json", R"({"app":"1"})", "lvl=L / app2=M tid=T / app_extracted=1"},
      {"| drop tid | json", R"({"tid":"1"})", "app=x lvl=L / app2=M / tid=1"},
      {"| drop tid, app | json", R"({"tid_extracted":"1","app_extracted":"2","app":"3","tid":"4"})",
       "lvl=L / app2=M / app_extracted=2 tid=4 tid_extracted=1"},
      {"| json | drop app_extracted | logfmt", R"({"app":"1"} app=5)", "app=x lvl=L / app2=M tid=T / "},
      {"| logfmt --keep-empty a", "a", "app=x lvl=L / app2=M tid=T / a="},
  };
  for (const Case& c : cases) EXPECT_EQ(categories(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(LabelFormat, Renames) {
  const Case cases[] = {
      {"| label_format new=app", "x", "lvl=L / app2=M tid=T / new=x"},
      {"| label_format new=tid", "x", "app=x lvl=L / app2=M / new=T"},
      {"| label_format new=nope", "x", "app=x lvl=L / app2=M tid=T / "},
      {"| label_format app=app", "x", "lvl=L / app2=M tid=T / "},
      {"| json | label_format a=a", R"({"a":"1"})", "app=x lvl=L / app2=M tid=T / "},
      {"| json | label_format a=b,b=a", R"({"a":"1","b":"2"})", "app=x lvl=L / app2=M tid=T / b=2"},
      {"| label_format z=app | json", R"({"app":"1"})", "lvl=L / app2=M tid=T / app_extracted=1 z=x"},
      {"| label_format z=tid | json", R"({"tid":"1"})", "app=x lvl=L / app2=M / tid=1 z=T"},
  };
  for (const Case& c : cases) EXPECT_EQ(categories(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

// What the stages of one query make of one record is bounded before it is made.
TEST(LineFormat, MakesNoMoreThanTheBudget) {
  const std::string as(100'000, 'a');
  const std::string tens = R"( | replace "a" "aaaaaaaaaa")";
  const auto repeated = [](std::string_view text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  std::string nine_functions, nine_stages;
  for (int i = 0; i < 9; ++i) {
    nine_functions += tens;
    nine_stages += "| line_format `{{ __line__" + tens + " }}`";
  }
  struct Row {
    std::string query;
    std::string line;
    std::size_t most;  // bytes of what remains
  };
  const Row rows[] = {
      {"| line_format `{{ __line__" + nine_functions + " }}`", as, as.size()},
      {nine_stages, as, 10'000'000},
      {"| label_format x=`{{ __line__" + nine_functions + " }}`", as, as.size()},
      {"| line_format `{{ Replace __line__ \"a\" (print __line__) -1 }}`", as, as.size()},
      {"| line_format `{{ replace \"\" (print __line__) __line__ }}`", as, as.size()},
      {"| line_format `{{ repeat 1000 __line__ }}`", as, as.size()},
      {"| line_format `{{ repeat 1000000000000 __line__ }}`", as, as.size()},
      {"| line_format `{{ indent 10000 __line__ }}`", std::string(100'000, '\n'), 100'000},
      {"| line_format `{{ nindent 10000 __line__ }}`", std::string(100'000, '\n'), 100'000},
      {"| line_format `{{ alignLeft 100000000 __line__ }}`", as, as.size()},
      {"| line_format `{{ alignRight 100000000 __line__ }}`", as, as.size()},
      {"| line_format `{{ regexReplaceAll \"a\" __line__ __line__ }}`", as, as.size()},
      {"| line_format `{{ regexReplaceAllLiteral \"a\" __line__ __line__ }}`", as, as.size()},
      {"| line_format `{{ regexReplaceAll \"a+\" __line__ (replace \"a\" \"$0\" __line__) }}`", as, as.size()},
      {"| line_format `{{ fromJson __line__ | len }}`", "[1" + repeated(",1", 1'000'000) + "]", 2'000'100},
      {"| line_format `{{ range fromJson __line__ }}{{ $ }}{{ __line__ }}{{ end }}`", "[1" + repeated(",1", 50'000) + "]", 200'000},
      {"| line_format `{{ range 1000000000 }}{{ end }}`", as, as.size()},
      {"| line_format `{{ range 1000000 }}{{ range 1000000 }}{{ end }}{{ end }}`", as, as.size()},
  };
  for (const Row& row : rows) {
    const Outcome outcome = evaluate(row.query, row.line);
    EXPECT_LE(outcome.line.size(), row.most) << row.query;
    EXPECT_NE(outcome.parsed.find("__error__=TemplateFormatErr"), std::string::npos) << row.query;
  }
  EXPECT_EQ(evaluate("| line_format `{{ repeat 1000 __line__ }}`", as).parsed,
            "__error__=TemplateFormatErr __error_details__=template: line:1:3: executing \"line\" at <repeat 1000 __line__>: error "
            "calling repeat: the stages of a query may make at most 32 MiB of text from one record");
  // The next record has all of it again, and ordinary lines never meet the limit.
  EXPECT_EQ(evaluate("| line_format `{{ repeat 100 __line__ }}`", as).line.size(), 10'000'000U);
  EXPECT_EQ(evaluate("| line_format `{{ range 999999 }}{{ end }}x`", "y").line, "x");
}

TEST(Decolorize, RemovesEscapeSequences) {
  const Case cases[] = {
      {"| decolorize", "\033[31mred\033[0m plain", "[red plain] "},
      {"| decolorize", "plain", ""},
      {"| decolorize", "\033[1;32mok\033[m", "[ok] "},
      {"| decolorize", "\033[38;5;196mx\033[39m", "[x] "},
      {"| decolorize", "\033]0;title\007x", "[x] "},
      {"| decolorize", "\033[2Kx", "[x] "},
      {"| decolorize", "\033x", ""},
      {R"(| decolorize |= "[31m")", "\033[31mred", "[red] "},
      {R"(| decolorize | app="x" |= "[31m")", "\033[31mred", "-"},
      {"| decolorize", "31mred", "[red] "},
      {"| decolorize | logfmt", "\033[31mk=v\033[0m", "[k=v] k=v"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(Templates, PrintAsLokiDoes) {
  const Case cases[] = {
      {R"(| line_format "{{.a}}" )", "x", "[] "},
      {R"(| line_format "{{.lvl}}")", "x", "[L] "},
      {R"(| json | line_format "{{.__error__}}")", "x",
       "[] __error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {R"(| json | line_format "{{.__error__}}!")", "x",
       "[JSONParserErr!] __error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol"},
      {R"(| line_format "{{ $x := .lvl }}")", "x", "[L] "},
      {R"(| line_format "{{ range fromJson __line__ }}{{.}}{{end}}")", R"({"a":1,"b":2,"a":3})", "[32] "},
      {R"(| line_format "{{ bytes \"2MB\" }} {{ 1e6 }} {{ 100000.0 }}")", "x", "[2e+06 1e+06 100000] "},
      {R"(| line_format "{{ add \"1.5\" 1 }} {{ add \"1.5x\" 1 }} {{ add \"1.2.3\" 1 }} {{ add \".5\" 1}}")", "x", "[2 1 1 1] "},
      {R"(| line_format "{{ .a | default \"d\" 5 }}")", "x", "[5] "},
      {R"(| line_format "{{ range fromJson .lvl }}{{end}}")", "x", "[] "},
      {R"(| line_format "{{ ..y }}")", "x",
       R"(ERROR parse error : stage '| line_format "{{ ..y }}"' : invalid line template: template: line:1: )"
       R"(unexpected . after term ".")"},
      {R"(| line_format "{{ .x. }}")", "x",
       R"(ERROR parse error : stage '| line_format "{{ .x. }}"' : invalid line template: template: line:1: )"
       R"(unexpected <.> in operand)"},
      {R"(| line_format "{{ printf\"x\" }}")", "x",
       R"(ERROR parse error : stage '| line_format "{{ printf\"x\" }}"' : invalid line template: template: )"
       R"(line:1: bad character U+0022 '"')"},
      {R"(| line_format "{{ fromJson __line__ }}")", "{\"\\u00fc\377\":\"\377\"}", "[map[\303\274\357\277\275:\357\277\275]] "},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << "  " << c.line;
}

}  // namespace
}  // namespace weir::test
