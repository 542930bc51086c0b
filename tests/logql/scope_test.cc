// Expected values are what Loki 3.7.6 answered.
#include "gotemplate/budget.h"
#include "logql/eval.h"

#include <ctime>

namespace weir::test {
namespace {

TEST(Scope, KeepsTheFirstOfANameAndMarksCollisions) {
  const Case cases[] = {
      {"| json", R"({"a":"1"})", "app=x lvl=L / app2=M tid=T / a=1"},
      {R"(| json | json a="b")", R"({"a":"1","b":"2"})", "app=x lvl=L / app2=M tid=T / a=2 b=2"},
      {"| json | logfmt", R"({"a":"1"} a=2 b=3)", "app=x lvl=L / app2=M tid=T / a=1 b=3"},
      {"| logfmt | json", R"({"a":"1"} a=2 b=3)", "app=x lvl=L / app2=M tid=T / a=2 b=3"},
      {"| json", R"({"a":"1"} trailing)", "app=x lvl=L / app2=M tid=T / a=1"},
      {"| json", R"({"a":"1")",
       "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Value is array, but can't find closing ']' symbol "
       "a=1"},
      {"| json", R"({"a":"1",)",
       "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Value is array, but can't find closing ']' symbol "
       "a=1"},
      {"| json", R"({"a":"1","b")",
       "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Malformed JSON error a=1"},
      {"| json", R"({"a":"1","b":tru})",
       "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Unknown value type a=1"},
      {"| json", R"({"a":"1","b":01})", "app=x lvl=L / app2=M tid=T / a=1 b=01"},
      {"| json", R"({"a":"1","b":-})", "app=x lvl=L / app2=M tid=T / a=1 b=-"},
      {"| json", R"({"a":"1","b":1.2.3})", "app=x lvl=L / app2=M tid=T / a=1 b=1.2.3"},
      {"| json", R"({"a":"1","b":abc,"c":"2"})",
       "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Unknown value type a=1"},
      {"| json", R"({"a":"1" "b":"2"})",
       "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' "
       "symbol a=1"},
      {"| json", R"({"a":"1";"b":"2"})",
       "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' "
       "symbol a=1"},
      {"| json", R"({"a" "1"})", "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Malformed JSON error"},
      {"| json", "{a:1}",
       "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' "
       "symbol"},
      {"| json", "{'a':1}",
       "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' "
       "symbol"},
      {"| json", R"(  {"a":1})", "app=x lvl=L / app2=M tid=T / a=1"},
      {"| json", R"("abc")",
       "app=x lvl=L / app2=M tid=T / __error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' "
       "symbol"},
      {"| json", R"({"a":null,"b":[1,{"c":2}],"d":{},"e":{"f":null}})", "app=x lvl=L / app2=M tid=T / "},
      {"| json", R"({"a":true,"b":false,"c":1e3,"d":1.0,"e":-0})", "app=x lvl=L / app2=M tid=T / a=true b=false c=1e3 d=1.0 e=-0"},
      {"| json", R"({"a":{"b":{"c":"d"}},"a_b_c":"e"})", "app=x lvl=L / app2=M tid=T / a_b_c=d"},
      {"| json", R"({"a_b":"e","a":{"b":"d"}})", "app=x lvl=L / app2=M tid=T / a_b=e"},
  };
  for (const Case& c : cases) EXPECT_EQ(categories(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

// Of many labels of each category, look-ups go through an index; the rules stay the same.
TEST(Scope, FindsOneOfManyAsItFindsOneOfFew) {
  for (const int count : {3, 16, 17, 200}) {
    Subject subject;
    subject.labels.clear();
    subject.metadata.clear();
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.push_back("n" + std::to_string(1000 + i));
    std::string line = "{";
    for (const std::string& name : names) {
      subject.labels.push_back({name, "label"});
      line += "\"" + name + "\":\"json\",\"" + name + "\":\"again\",\"own" + name + "\":\"json\",";
    }
    std::vector<std::string> others;
    for (const std::string& name : names) others.push_back("m" + name);
    for (const std::string& name : others) subject.metadata.push_back({name, "metadata"});
    for (const std::string& name : others) line += "\"" + name + "\":\"json\",";
    line.back() = '}';
    const std::string last = names.back();
    const auto passes = [&](const std::string& query) { return evaluate(query, line, subject).passed; };
    EXPECT_TRUE(passes("| " + last + "=\"label\" | m" + last + "=\"metadata\" | m" + last + "x=\"\"")) << count;
    EXPECT_TRUE(passes("| json | " + last + "_extracted=\"json\" | m" + last + "_extracted=\"json\" | own" + last + "=\"json\""))
        << count;
    EXPECT_TRUE(passes("| drop m" + last + " | json | m" + last + "=\"json\" | m" + last + "_extracted=\"\"")) << count;
    EXPECT_TRUE(passes("| drop " + last + " | json | " + last + "=\"\" | " + last + "_extracted=\"json\"")) << count;
    EXPECT_TRUE(passes("| json | label_format fresh=" + last + " | fresh=\"label\" | " + last + "=\"\"")) << count;
    EXPECT_EQ(
        evaluate("| json | line_format \"{{." + last + "}} {{.m" + last + "}} {{.own" + last + "}} {{len .}}\"", line, subject)
            .line,
        "label metadata json " + std::to_string(5 * count))
        << count;
  }
}

// Quadratic, each of these takes half a minute.
TEST(Scope, ManyLabelsTakeTimeInProportion) {
  constexpr int kCount = 50'000;
  Subject subject;
  std::vector<std::string> names;
  for (int i = 0; i < kCount; ++i) names.push_back("n" + std::to_string(i));
  std::string json = "{\"first\":1";
  std::string logfmt = "first=1";
  for (const std::string& name : names) {
    subject.metadata.push_back({name, "m"});
    json += ",\"" + name + "\":\"j\"";
    logfmt += " " + name + "=l";
  }
  json += "}";
  Subject labelled;
  for (const std::string& name : names) labelled.labels.push_back({name, "l"});
  const std::clock_t before = std::clock();
  EXPECT_EQ(evaluate("| json | n49999_extracted=\"j\" | line_format \"{{.n49999}}\"", json, subject).line, "m");
  EXPECT_EQ(evaluate("| logfmt | n49999_extracted=\"l\" | line_format \"{{.n49999}}\"", logfmt, subject).line, "m");
  EXPECT_EQ(evaluate("| json | n49999_extracted=\"j\" | line_format \"{{.n49999}}\"", json, labelled).line, "l");
  EXPECT_EQ(evaluate("| json | line_format \"{{range $k, $v := .}}{{if eq $v $.n7 (index $ $k)}}{{end}}{{end}}x\"", json).line,
            "x");
  EXPECT_EQ(
      evaluate("| line_format \"{{$j := fromJson __line__}}{{range $k, $v := $j}}{{if index $j $k}}{{end}}{{end}}x\"", json).line,
      "x");
  EXPECT_LT(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC, 10);
}

// A key above many others is part of each of their names.
TEST(Scope, NamesBelowALongKeyAreBounded) {
  std::string json = "{\"" + std::string(100'000, 'p') + "\":{\"k0\":1";
  for (int i = 1; i < 10'000; ++i) json += ",\"k" + std::to_string(i) + "\":1";
  json += "}}";
  EXPECT_EQ(
      evaluate("| json | line_format \"{{.__error__}}: {{.__error_details__}}\" | drop __error__, __error_details__", json).line,
      std::string("JSONParserErr: ") + gotemplate::kTooMuchText);
  EXPECT_TRUE(evaluate("| json | __error__=\"JSONParserErr\"", json).passed);
}

TEST(Scope, TestsFiltersWhileParsing) {
  const Case cases[] = {
      {R"(| lvl2="" | json)", R"({"lvl2":"1"})", "-"},
      {R"(| json | drop a | a="")", R"({"a":"6"})", "-"},
      {R"(| json | a="" | drop a)", R"({"a":"6"})", "-"},
      {R"(| json | a!="1" | a!="2")", R"({"a":"2"})", "-"},
      {R"(| json | a_extracted="1")", R"({"a":"2"})", "-"},
      {R"(| json | app_extracted="1")", R"({"app":"2"})", "-"},
      {R"(| json | app="x")", R"({"app":"2"})", "app_extracted=2"},
      {"| a>5 | json", R"({"a":"6"})", "-"},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(Scope, RunsLineFiltersFirst) {
  const Case cases[] = {
      {R"(| decolorize |= "x")", "\033[31mx", "[x] "},
      {R"(| json | a="1" |= "zzz")", R"({"a":"1"})", "-"},
      {R"(| json |= "zzz")", R"({"a":"1"})", "-"},
      {R"(|= "a" | json | a="1")", R"({"a":"1"})", "a=1"},
      {R"(| unpack |= "entry")", R"({"_entry":"x"})", "-"},
      {R"(| unpack |= "x")", R"({"_entry":"x"})", "[x] "},
      {R"(|= "entry" | unpack)", R"({"_entry":"x"})", "[x] "},
  };
  for (const Case& c : cases) EXPECT_EQ(eval(c.query, c.line), c.expected) << c.query << " on " << c.line;
}

TEST(Scope, MarksMetadataThatCollidesWithTheStream) {
  Subject subject;
  subject.labels = {{"app", "x"}};
  subject.metadata = {{"app", "M"}};
  EXPECT_EQ(categories("", "x", subject), "app=x / app_extracted=M / ");
  EXPECT_EQ(categories("| json", R"({"app":"2"})", subject), "app=x /  / app_extracted=2");
  EXPECT_EQ(categories("| drop app", "x", subject), " / app_extracted=M / ");
  EXPECT_EQ(eval("| app_extracted=\"M\"", "x", subject), "");
  EXPECT_EQ(eval("| app=\"M\"", "x", subject), "-");
}

TEST(Scope, NormalisesNamesOfMetadata) {
  Subject subject;
  subject.metadata = {{"k8s.pod-uid", "u"}, {"1st", "f"}, {"a..b", "c"}, {"empty", ""}};
  EXPECT_EQ(categories("", "x", subject), "app=x lvl=L / a_b=c k8s_pod_uid=u key_1st=f / ");
  EXPECT_EQ(eval("| k8s_pod_uid=\"u\"", "x", subject), "");
}

TEST(Scope, LimitsNesting) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "{\"a\":";
  EXPECT_EQ(eval("| json", deep),
            "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol");
  std::string closed;
  for (int i = 0; i < 1000; ++i) closed += "{\"a\":";
  closed += "1" + std::string(1000, '}');
  EXPECT_EQ(eval("| json", closed), "__error__=JSONParserErr __error_details__=object is nested too deeply");
}

}  // namespace
}  // namespace weir::test
