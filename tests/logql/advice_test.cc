#include "logql/advice.h"

#include "logql/advice_rows.h"

namespace weir::logql {
namespace {

using test::advice;
using Case = test::Mistake;

// Whether the part of the advice behind its last ": " parses, where it is one of a query: whole, or in the place where it belongs.
bool parses_somewhere(std::string_view advice) {
  const std::string part(advice.substr(advice.rfind(": ") + 2));
  if (std::string_view("|{!\"`=").find(part.front()) == std::string_view::npos) return true;
  for (const std::string& query : {part, "{a=\"b\"} " + part, "{a=" + part + "}", "{a=\"b\"} | a " + part}) {
    if (logql::parse(query, {.selector_optional = true})) return true;
  }
  return false;
}

TEST(Advice, OfQueriesWithoutSelector) {
  const Case cases[] = {
      {"|= error", R"(4: put the text in double quotes: |= "error")"},
      {"|= connection refused | json", R"(4: put the text in double quotes: |= "connection refused")"},
      {"|~error.*", R"(3: put the text in double quotes: |~ "error.*")"},
      {"!= error", R"(4: put the text in double quotes: != "error")"},
      {"!~ 404", R"(4: put the text in double quotes: !~ "404")"},
      {"|= 404", R"(4: put the text in double quotes: |= "404")"},
      {"|= -v", R"(4: put the text in double quotes: |= "-v")"},
      {"|= json", R"(4: put the text in double quotes: |= "json")"},
      {"|= 10.0.0.1", R"(4: put the text in double quotes: |= "10.0.0.1")"},
      {"|= 'it is'", R"(4: put the text in double quotes: "it is")"},
      {"|= \u201cerror\u201d", R"(4: LogQL does not know typographic quotes; put the text in double quotes: "error")"},
      {R"(|= "error)", "4: the closing quote is missing"},
      {R"(|= "C:\dir")", R"(4: in double quotes a backslash begins an escape; in backquotes it is itself: `C:\dir`)"},
      {R"(|~ "\d+")", R"(4: in double quotes a backslash begins an escape; in backquotes it is itself: `\d+`)"},
      {R"(|= "a" and "b")", R"(8: for lines that also have this text, add a filter: |= "b")"},
      {R"(|= "a" "b")", R"(8: for lines that also have this text, add a filter: |= "b")"},
      {R"(|= "a" or "b")", "valid"},
      {"| jsn", "3: there is no stage jsn; did you mean json?"},
      {"| jsn | status=500", "3: there is no stage jsn; did you mean json?"},
      {"| logfnt", "3: there is no stage logfnt; did you mean logfmt?"},
      {"| line_fromat \"x\"", "3: there is no stage line_fromat; did you mean line_format?"},
      {"| regex \"x\"", "3: there is no stage regex; regexp extracts fields, and |~ \"regular expression\" searches"},
      {"| contains \"x y\"", R"(3: there is no stage contains; to search for a text: |= "x y")"},
      {"| grep error", R"(3: there is no stage grep; to search for a text: |= "error")"},
      {"| timeout", R"(3: there is no stage timeout; to search for it: |= "timeout"; to compare a field: | timeout="VALUE")"},
      {"| not level=\"x\"", "3: LogQL has no not; it compares with != and !~"},
      {"|json|d>5sec", "9: durations are written 5s, 1m30s, 250ms and sizes 5KB, 1.5MiB, without a blank"},
      {"| json | d > 10 min", "14: durations are written 5s, 1m30s, 250ms and sizes 5KB, 1.5MiB, without a blank"},
      {"| json | d > 2days and x=\"1\"", "14: durations are written 5s, 1m30s, 250ms and sizes 5KB, 1.5MiB, without a blank"},
      {"| json | size > 5kilobytes", "17: durations are written 5s, 1m30s, 250ms and sizes 5KB, 1.5MiB, without a blank"},
      {"| json | d > 5s", "valid"},
      {R"("error")", R"(1: to search for a text: |= "error")"},
      {"'error'", R"(1: to search for a text: |= "error")"},
      {"`error`", R"(1: to search for a text: |= "error")"},
      {"error", R"(1: to search for a text: |= "error")"},
      {"out of memory", R"(1: to search for a text: |= "out of memory")"},
      {"= error", R"(1: to search for a text: |= "error")"},
      {"=~ \"a|b\"", R"(1: to search for a regular expression: |~ "a|b")"},
      {"~ x", R"(1: to search for a regular expression: |~ "x")"},
      {"json", "1: a stage begins with |: | json"},
      {"json | status=500", "1: a stage begins with |: | json"},
      {"level=error", R"(1: for a label of the stream: {level="error"}; for a field of the line: | json | level="error")"},
      {R"(level != "error")",
       R"(1: for a label of the stream: {level!="error"}; for a field of the line: | json | level!="error")"},
      {"level:error", R"(1: for a label of the stream: {level="error"}; for a field of the line: | json | level="error")"},
      {"status >= 500", "1: to compare a field of the line, parse it first: | json | status >= 500"},
      {"SELECT * FROM logs WHERE app = 'x'",
       R"(1: LogQL selects streams, then filters lines and fields: {app="NAME"} |= "text" | json | status >= 500)"},
      {"| json | level == \"error\"", "16: a text is compared with ="},
      {"| json | status > \"500\"", "19: write a number without quotes: > 500"},
      {"| json | status=ok", R"(17: put the value in double quotes: status="ok")"},
      {"| json | level != info", R"(19: put the value in double quotes: level!="info")"},
      {"| json | http.status=500", "10: only letters, digits and _ are used in the name of a field: http_status"},
      {"| json | a=\"1\" && b=\"2\"", "16: LogQL writes and"},
      {"|= \"a\" && |= \"b\"", "8: line filters follow each other, with nothing between: |= \"a\" |= \"b\""},
      {"| json | a=\"1\" || b=\"2\"", "16: LogQL writes or"},
      {"| |= \"x\"", "1: a line filter is written |= \"text\", without a blank"},
      {"| = \"x\"", "1: a line filter is written |= \"text\", without a blank"},
      {"| != \"x\"", "1: a line filter that excludes has no | in front: != \"text\""},
      {"| =~ \"x\"", "1: a line filter is written |~ \"regular expression\""},
      {"| \"x\"", R"(1: to search for a text: |= "x")"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(advice(c.query), c.expected) << c.query;
    EXPECT_TRUE(parses_somewhere(c.expected)) << c.expected;
  }
}

TEST(Advice, OfSelectors) {
  const Case cases[] = {
      {"{app='x'}", R"(6: put the text in double quotes: "x")"},
      {"{app='my app'}", R"(6: put the text in double quotes: "my app")"},
      {"{app=x}", R"(6: put the value in double quotes: app="x")"},
      {"{app=my-app}", R"(6: put the value in double quotes: app="my-app")"},
      {"{app=~web.*}", R"(7: put the value in double quotes: app=~"web.*")"},
      {"{pod=5}", R"(6: put the value in double quotes: pod="5")"},
      {"{app:\"x\"}", R"(5: put = between a label and its value: app="x")"},
      {"{app: x}", R"(5: put = between a label and its value: app="x")"},
      {"{app==\"x\"}", "5: a label is selected with =, !=, =~ or !~"},
      {"{app=\"x\" and pod=\"y\"}", "10: put commas between the labels of a selector"},
      {"{app=\"x\" pod=\"y\"}", "10: put commas between the labels of a selector"},
      {"{app=\"x\" && pod=\"y\"}", "10: LogQL writes and"},
      {"{app=\"x\" or app=\"y\"}", R"(10: a selector has no or; for several values: {app=~"A|B"})"},
      {"{app=\"x\"", "9: the selector is not closed: a } is missing"},
      {"{app=\"x\" |= \"y\"", "10: the selector is not closed: a } is missing"},
      {"{app=\u201cx\u201d}", R"(6: LogQL does not know typographic quotes; put the text in double quotes: "x")"},
      {"{app=\"x\"} error", R"(11: to search for a text: |= "error")"},
      {"{app=\"x\"} \"error\"", R"(11: to search for a text: |= "error")"},
      {"{app=\"x\"} = \"error\"", R"(11: to search for a text: |= "text"; for a regular expression: |~ "a.*b")"},
      {"{app=\"x\"} json", "11: a stage begins with |: | json"},
      {"{app=\"x\"} level=\"error\"", R"(11: a label filter begins with |: | level="error")"},
      {"{app=\"x\"} |= error", R"(14: put the text in double quotes: |= "error")"},
      {"{app=\"x\"} != error", R"(14: put the text in double quotes: != "error")"},
      {"error", R"(1: to search for a text: {app="NAME"} |= "error")"},
      {"\"error\"", R"(1: to search for a text: {app="NAME"} |= "error")"},
      {"rate({app=\"x\"}[5minutes])", "16: durations are written 30s, 5m, 1h30m, 7d"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(advice(c.query, false), c.expected) << c.query;
    EXPECT_TRUE(parses_somewhere(c.expected)) << c.expected;
  }
}

TEST(Advice, OfRegularExpressions) {
  const Case cases[] = {
      {"{app=~\"*shop\"}", "2: regular expressions are not patterns of the shell; any text is `.*`"},
      {"| json | c=~\"(\"", R"(10: a parenthesis that is meant itself is `\(` or `\)`)"},
      {"{app=~\"a[\"}", R"(2: a bracket that is meant itself is `\[`)"},
      {"{app=~\"a(?!b)\"}", "2: there is no look-ahead or look-behind; use a filter more: != or !~"},
      {"| regexp \"(?<=a)b\"", "1: there is no look-ahead or look-behind; use a filter more: != or !~"},
  };
  for (const Case& c : cases) EXPECT_EQ(advice(c.query), c.expected) << c.query;
}

// What is no mistake of this kind gets no advice that leads astray.
TEST(Advice, KeepsSilent) {
  for (const std::string_view query :
       {"{a=}", "{}|", "| json |", "|", "sum by (x)", "(", ")", "|=", "| line_format", "| json a=", "{", "\xff"}) {
    const std::string given = advice(query);
    EXPECT_TRUE(given.empty() || given == "valid" || given.find("not closed") != std::string::npos) << query << " -> " << given;
  }
}

TEST(Advice, LongQueriesAreNotEchoed) {
  const std::string text(100'000, 'x');
  for (const std::string& query : {"|= " + text, "{a=\"" + text + "\"} | " + text + " |", text, "| json | " + text + "=" + text}) {
    const auto parsed = parse(query, {.selector_optional = true});
    ASSERT_FALSE(parsed.ok());
    EXPECT_LT(parsed.error().message.size(), 700U);
    EXPECT_LT(parsed.error().hint.size(), 700U) << parsed.error().hint;
  }
}

TEST(Advice, TheCaretStaysUnderItsPlaceInALongLine) {
  const std::string query = "{a=\"" + std::string(300, 'x') + "\"} |= word" + std::string(300, ' ') + "| json";
  const auto parsed = parse(query, {.selector_optional = true});
  ASSERT_FALSE(parsed.ok());
  const std::string& hint = parsed.error().hint;
  const std::size_t second = hint.find('\n') + 1;
  const std::size_t column = hint.find('^') - second;  // … is one column of three bytes
  EXPECT_EQ(hint.substr(column + 2, 4), "word") << hint;
}

}  // namespace
}  // namespace weir::logql
