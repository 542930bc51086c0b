// The rules by which Loki 3.7 finds detected_level, one table a rule. Each outcome was compared with that of a real one.
#include "names/level.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace weir::names {
namespace {

using record::Label;
using Labels = std::vector<Label>;

void line(std::string_view text, std::string_view level) { EXPECT_EQ(level_of_line(text), level) << text; }

TEST(NormalizeLevel, KnownSpellingsInAnyCase) {
  const auto f = [](std::string_view value, std::string_view level) { EXPECT_EQ(normalize_level(value), level) << value; };
  for (const auto* value : {"trace", "TRACE", "trc", "Trc"}) f(value, "trace");
  for (const auto* value : {"debug", "Debug", "dbg", "DBG"}) f(value, "debug");
  for (const auto* value : {"info", "INFO", "inf", "information", "Information"}) f(value, "info");
  for (const auto* value : {"warn", "WARN", "wrn", "warning", "Warning"}) f(value, "warn");
  for (const auto* value : {"error", "Error", "err", "ERR"}) f(value, "error");
  for (const auto* value : {"critical", "CRITICAL"}) f(value, "critical");
  for (const auto* value : {"fatal", "FaTaL"}) f(value, "fatal");
}

TEST(NormalizeLevel, AnythingElseStaysAsItIs) {
  for (const std::string_view value :
       {"", "x", "notice", "Notice", "crit", "errors", "in fo", "\xc4\xb0nfo", "i\x0e\x06o", "3", "unknown"}) {
    EXPECT_EQ(normalize_level(value), value) << value;
  }
}

TEST(LevelOfLabels, FirstNameOfTheListWins) {
  const auto f = [](const Labels& labels, std::string_view level) { EXPECT_EQ(level_of_labels(labels), level); };
  f({}, "");
  f({{"app", "info"}, {"LoG.level", "x"}, {"levels", "x"}, {"loglevel", "x"}}, "");
  f({{"SEVERITY_TEXT", "error"}}, "error");
  f({{"Severity_Text", "info"}, {"SEVERITY_TEXT", "error"}}, "info");
  f({{"Lvl", "warn"}, {"severity_text", "info"}}, "warn");
  f({{"LVL", "debug"}, {"lvl", "warn"}}, "warn");
  f({{"SeverityText", "fatal"}, {"lvl", "warn"}}, "fatal");
  f({{"SEVERITY", "fatal"}, {"Severity", "warn"}, {"severity", "info"}}, "info");
  f({{"LEVEL", "fatal"}, {"Level", "warn"}, {"severity", "info"}}, "fatal");
  f({{"Level", "fatal"}, {"log.level", "trace"}}, "fatal");
  f({{"log.level", "trace"}, {"severity", "info"}}, "trace");
  f({{"LEVEL", "fatal"}, {"level", "warn"}}, "warn");
  f({{"lEVEL", "fatal"}}, "");  // other spellings count in logfmt lines only
}

TEST(LevelOfMetadata, NamesCountAsLokiNormalisesThem) {
  const auto f = [](const Labels& metadata, std::string_view level) { EXPECT_EQ(level_of_metadata(metadata), level); };
  f({{"level", "WARN"}}, "warn");
  f({{"severity.text", "WARN"}}, "warn");
  f({{"severity-.text", "WARN"}}, "warn");
  f({{"severity__text", "WARN"}}, "warn");
  f({{"log.level", "WARN"}}, "");  // is log_level by then
  f({{"level", ""}}, "");
  f({{"level", ""}, {"lvl", "info"}}, "info");
  f({{"lvl", "info"}, {"level", "warn"}}, "warn");
  f({{"", "warn"}}, "");
  f({{"severity.text", "info"}, {"severity_text", "warn"}}, "info");
  f({{"severity_text", "warn"}, {"severity.text", "info"}}, "info");
  f({{"severity__text", "warn"}, {"severity.text", "info"}}, "info");
}

TEST(LevelOfMetadata, SeverityNumberOfOpenTelemetry) {
  const auto f = [](std::string_view number, std::string_view level) {
    EXPECT_EQ(level_of_metadata(Labels{{"severity_number", number}}), level) << number;
  };
  f("1", "trace"), f("4", "trace"), f("5", "debug"), f("8", "debug"), f("9", "info"), f("12", "info"), f("13", "warn");
  f("16", "warn"), f("17", "error"), f("20", "error"), f("21", "fatal"), f("24", "fatal");
  f("0", "unknown"), f("25", "unknown"), f("+9", "info"), f("-3", "trace");
  f("x", "info"), f("17x", "info"), f("+-17", "info"), f("99999999999999999999", "info"), f("", "");
  EXPECT_EQ(level_of_metadata(Labels{{"severity_number", "17"}, {"SEVERITY_TEXT", "debug"}}), "debug");
  EXPECT_EQ(level_of_metadata(Labels{{"severity.number", "17"}}), "error");
}

TEST(LevelOfLine, JsonFields) {
  line(R"({"level":"error"})", "error");
  line(R"({"msg":"an error","level":"info"})", "info");
  line("  {\"level\":\"warn\"}\t\r\n", "warn");
  line("\xc2\xa0{\"level\":\"warn\"}", "warn");         // any white space around; but the parser knows only that of JSON
  line(R"({"lvl":"debug","level":"error"})", "debug");  // the order of the text, not of the list
  line(R"({"log.level":"WRN"})", "warn");
  line(R"({"SeverityText":"Information"})", "info");
  line(R"({"lEVEL":"dbg","x":" fatal "})", "fatal");
  line(R"({"l\u0065vel":"debug"})", "debug");
  line(R"({ "a" : [1, {"level":"error"}] , "n" : -1.5e3, "t":true, "z":null, "level" : "debug" })", "debug");
}

TEST(LevelOfLine, JsonToDepthTwo) {
  line(R"({"log":{"level":"debug"},"level":"error"})", "debug");
  line(R"({"a":{"b":{"level":"debug"}},"level":"error"})", "error");
  line(R"({"a":{"b":{"level":"debug"}}})", "debug");  // the keyword
  line(R"({"a":{"b":{"level":"dbg"}}})", "unknown");
  line(R"({"a":[{"level":"dbg"}]})", "unknown");
}

TEST(LevelOfLine, JsonOnlyStringsCount) {
  line(R"({"level":30,"severity":"warn"})", "warn");
  line(R"({"level":{"level":"warn"}})", "warn");
  line(R"({"level":["error"],"lvl":"warn"})", "warn");
  line(R"({"level":null,"lvl":"WRN"})", "warn");
}

TEST(LevelOfLine, JsonValueThatIsNoLevelFallsBackToKeywords) {
  line(R"({"level":"notice","msg":"some error"})", "error");
  line(R"({"level":"notice","severity":"dbg"})", "unknown");
  line(R"({"level":"in\u0066o","lvl":"dbg"})", "unknown");  // values are compared as they are written
  line(R"({"level":""})", "unknown");
}

TEST(LevelOfLine, JsonCountsAsFarAsItIsWellFormed) {
  line(R"({"level":"dbg",oops})", "debug");
  line(R"({oops,"level":"dbg"})", "unknown");
  line(R"({"a":tru,"level":"dbg"})", "unknown");
  line(R"({"a":1 "level":"dbg"})", "unknown");
  line(R"({"a" "b","level":"dbg"})", "unknown");
  line(R"({"a":"\"","level":"dbg"})", "debug");
  line(R"({"a":"\\","level":"dbg"})", "debug");
  line(R"({"a":{"b":1,"level":"dbg"})", "debug");
  line(R"({"a":[{],"level":"dbg"})", "debug");
  line(R"({"a":[[],"level":"dbg"})", "unknown");
  line(R"({"a\q":1,"level":"dbg"})", "unknown");
  line(R"({"a\ud83d":1,"level":"dbg"})", "unknown");
  line(R"({"a\ud83d\ude00":1,"level":"dbg"})", "debug");
  line(R"({"a":1,"level":"dbg")", "unknown");
  line(R"({"a":1,}{"level":"dbg"})", "unknown");
  line(R"(x{"level":"dbg"})", "unknown");
  line("{}", "unknown");
  line("{", "unknown");
}

TEST(LevelOfLine, LogfmtKeys) {
  line("level=dbg", "debug");
  line("ts=1 level=dbg msg=error", "debug");
  line("ts=1 LEvel=\"dbg\" msg=error", "debug");
  line("Log.Level=wrn", "warn");
  line("severitytext=wrn", "warn");
  line(
      "\xc5\xbf"
      "everity=wrn",
      "warn");
  line("lvl=dbg severity=wrn", "warn");  // the order of the list, not of the text
  line("lvl=dbg level=wrn level=inf", "warn");
  line("level= lvl=dbg", "unknown");
  line("mylevel=dbg", "unknown");
  line("level =dbg", "unknown");
  line("a=\"x y\"level=dbg", "debug");
}

TEST(LevelOfLine, LogfmtValuesWithEscapes) {
  line(R"(level="d\u0062g")", "debug");
  line(R"(msg="say \"hi\"" level=dbg)", "debug");
  line(R"(msg="a\qb" level=dbg)", "unknown");
  line(R"(msg="\ud83d\ude00" level=dbg)", "debug");
  line(R"(msg="\ud83d" level=dbg)", "debug");
  line(R"(msg="\u12" level=dbg)", "unknown");
}

TEST(LevelOfLine, LogfmtCountsAsFarAsItIsWellFormed) {
  line("lvl=dbg a=b=c level=wrn", "debug");
  line("a=b\"c level=wrn", "unknown");
  line("say \"hi\" level=wrn", "unknown");
  line("=x level=wrn", "unknown");
  line("msg=\"open level=wrn", "unknown");
  line("a\xff=1 level=wrn", "unknown");
  line("a\xef\xbf\xbd=1 level=wrn", "unknown");
  line("a\xc3\xa9=\xff level=wrn", "warn");
}

TEST(LevelOfLine, LogfmtValueThatIsNoLevelFallsBackToKeywords) {
  line("level=notice msg=\"disk error\"", "error");
  line("level=notice lvl=dbg", "unknown");
}

TEST(LevelOfLine, KeywordsInAnyCase) {
  for (const auto* word : {"trace", "debug", "fatal", "critical", "error", "warn", "info"}) line(word, word);
  line("err", "error"), line("ERR", "error"), line("Warning", "warn"), line("eRRoR", "error");
  line("trc", "unknown"), line("dbg", "unknown"), line("inf", "unknown"), line("information", "unknown"), line("wrn", "unknown");
  line("\xc4\xb0NFO", "info"), line("cr\xc4\xb0tical", "critical"), line("\xc4\xb1nfo", "unknown");
}

TEST(LevelOfLine, KeywordBoundariesToTheLeft) {
  for (const char c : std::string_view(" \t\n[({\"=")) line(std::string("x") + c + "error", "error");
  for (const char c : std::string_view(",:;.-_/\\'|<>!)]}\r\0", 18)) line(std::string("x") + c + "error", "unknown");
  line(
      "\xc2\xa0"
      "error",
      "unknown");
}

TEST(LevelOfLine, KeywordBoundariesToTheRight) {
  for (const char c : std::string_view(" \t\n[](){}:,!\"=")) line(std::string("error") + c + "x", "error");
  for (const char c : std::string_view(";.-_/\\'|<>s1\r\0", 14)) line(std::string("error") + c + "x", "unknown");
  line("errors error.", "unknown");
}

TEST(LevelOfLine, EarliestKeywordWins) {
  line("an info before an error", "info");
  line("an error before an info", "error");
  line("misc:error and a warning", "warn");
  line("infos errors debug", "debug");
  line("warning: fatal", "warn");
}

TEST(LevelOfLine, KeywordsWhereverTheyStand) {
  const std::string filler = "the cat did walk into a tree for exercise ";
  for (std::size_t before = 0; before < 40; ++before) {
    for (const std::string word : {"error", "ERR", "info", "critical", "warning"}) {
      const std::string_view level = word == "ERR" ? "error" : word == "warning" ? "warn" : std::string_view(word);
      std::string text = std::string(filler, 0, before);
      text += text.empty() ? "" : " ";
      line(text + word, level);
      line(text + word + " x", level);
      line(text + word + "x", "unknown");
      line(text + "x" + word, "unknown");
      line(text + word.substr(0, word.size() - 1), "unknown");
    }
  }
}

TEST(LevelOfLine, LinesOfRealPrograms) {
  line("[Sun Dec 04 04:47:44 2005] [error] mod_jk child workerEnv in error state 6", "error");
  line("[Sun Dec 04 04:51:08 2005] [notice] jk2_init() Found child 6725 in scoreboard slot 10", "unknown");
  line("2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.mapreduce.v2.app.MRAppMaster: Created MRAppMaster", "info");
  line("I0501 10:00:00.123456       1 leaderelection.go:250] attempting to acquire leader lease", "unknown");
  line("10.0.0.1 - - [01/May/2024:10:00:00 +0000] \"GET /error?level=debug HTTP/1.1\" 200 12", "debug");
  line("10.0.0.1 - - [01/May/2024:10:00:00 +0000] \"GET /error?page=2 HTTP/1.1\" 200 12", "unknown");
  line("ts=2024-05-01T10:00:00Z caller=main.go:33 level=warn msg=\"cannot open: error\"", "warn");
}

}  // namespace
}  // namespace weir::names
