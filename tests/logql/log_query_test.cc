#include "logql/log_query.h"

#include "logql/parser.h"
#include "logql/printer.h"

#include "logql/eval.h"

#include <fmt/format.h>

namespace weir::logql {
namespace {

using test::eval;

LogQuery compile(std::string_view text) {
  auto query = LogQuery::compile(text, {.selector_optional = true});
  EXPECT_TRUE(query.ok()) << text << ": " << query.error().message;
  return std::move(*query);
}

TEST(LogQuery, Refuses) {
  struct Row {
    std::string_view query;
    std::string_view expected;
  };
  const Row rows[] = {
      {R"({app="x"} | label_format __error__="y")",
       R"(parse error : stage '| label_format __error__="y"' : __error__ cannot be formatted)"},
      {R"({app="x"} | json a="x-y")", R"(parse error : stage '| json a="x-y"' : cannot parse expression [x-y]: unexpected char -)"},
      {R"({app="x"} | addr=ip("999"))", R"(parse error : stage '| addr=ip("999")' : ip: invalid pattern: "999")"},
      {R"({app="x"} |> "<foo>")", R"(parse error : stage '|> "<foo>"' : named captures are not allowed: found '<foo>')"},
      {R"({a="b"} |= ip("999"))", R"(parse error : stage '|= ip("999")' : ip: invalid pattern: "999")"},
      {R"({a="b"} |~ ip("1.1.1.1"))", R"(parse error : stage '|~ ip("1.1.1.1")' : ip: invalid operation)"},
      {R"({a="b"} |~ "(")", R"(parse error : stage '|~ "("' : error parsing regexp: missing closing ): `(`)"},
      {R"({a="b"} | logfmt x="b.c")",
       R"(parse error : stage '| logfmt x="b.c"' : cannot parse expression [b.c]: unexpected char .)"},
      {R"(sum(rate({a="b"}[5m])))", R"(cannot use query sum(rate({a="b"}[5m])): it is a metric query, a log query is needed)"},
      {"{}", R"(parse error : queries require at least one regexp or equality matcher that does not have an )"
             R"(empty-compatible value. For instance, app=~".*" does not meet this requirement, but app=~".+" will)"},
  };
  for (const Row& row : rows) {
    auto query = LogQuery::compile(row.query, {});
    ASSERT_FALSE(query.ok()) << row.query;
    EXPECT_EQ(query.error().message, row.expected);
    EXPECT_EQ(query.error().code, base::Code::config);
  }
}

TEST(LogQuery, PointsAtTheStage) {
  auto query = LogQuery::compile(R"({a="b"} | json | addr=ip("999"))", {});
  ASSERT_FALSE(query.ok());
  EXPECT_EQ(query.error().hint, "{a=\"b\"} | json | addr=ip(\"999\")\n               ^");
}

TEST(LogQuery, ANumberIsProbablyMeantAsAText) {
  auto query = LogQuery::compile("500", {.selector_optional = true});
  ASSERT_FALSE(query.ok());
  EXPECT_EQ(query.error().hint, "to search for a text: |= \"500\"");
}

TEST(LogQuery, SaysWhatItIs) {
  EXPECT_EQ(print(compile("").expr()), "{}");
  EXPECT_EQ(print(compile("{a=\"b\"} |= \"x\"|json").expr()), "{a=\"b\"} |= \"x\" | json");
  EXPECT_EQ(print_selector(compile("{a=\"b\"} |= \"x\"").expr().matchers), "{a=\"b\"}");
  EXPECT_FALSE(compile("| json | a=\"b\"").asks_for_error());
  EXPECT_TRUE(compile("| json | (a=\"b\" or __error__!=\"\")").asks_for_error());
}

TEST(LogQuery, KnowsWhichRecordsItShowsAsTheyAre) {
  const auto f = [](std::string_view text, bool unchanged) {
    record::Record record;
    EXPECT_EQ(compile(text).shows_unchanged(record), unchanged) << text;
  };
  f("", true);
  f("|= \"x\" | a=\"b\"", true);
  f("| json", false);
  f("| decolorize", false);
  f("| unpack", false);
  f("| drop a", false);
}

TEST(LogQuery, CompilesATree) {
  const std::string text = R"({a="b"} | json | addr=ip("999"))";
  auto tree = parse(text);
  ASSERT_TRUE(tree.ok());
  auto& log = std::get<LogExpr>(tree->node);
  auto query = LogQuery::compile(log, text);
  ASSERT_FALSE(query.ok());
  EXPECT_EQ(query.error().hint, "{a=\"b\"} | json | addr=ip(\"999\")\n               ^");
  query = LogQuery::compile(log, {});
  ASSERT_FALSE(query.ok());
  EXPECT_EQ(query.error().hint, "");
  log.stages.pop_back();
  query = LogQuery::compile(log, {});
  ASSERT_TRUE(query.ok());
  EXPECT_EQ(query->expr(), log);
}

TEST(LogQuery, Needles) {
  auto t = [](std::string_view text, std::vector<Needles> expected) {
    const LogQuery query = compile(text);
    EXPECT_EQ(std::vector<Needles>(query.needles().begin(), query.needles().end()), expected) << text;
  };
  t("", {});
  t("|= \"a\" |= \"b\" |= \"a\"", {{"a"}, {"b"}});
  t("!= \"a\"", {});
  t("|= \"a\" or \"b\"", {{"a", "b"}});
  t("|= \"a\" or \"\"", {{"a"}});
  t("!= \"a\" or \"b\"", {});
  t("|~ \"foo\\\\d+bar\"", {{"foo"}, {"bar"}});
  t("|~ \"foo.*\"", {{"foo"}});
  t("|~ \"(?i)foo\"", {});
  t("!~ \"foo\"", {});
  t("|~ \"foo|bar\"", {{"foo", "bar"}});
  t("|~ \"foo|(?i)bar\"", {});
  t("|~ \"(foo|bar)[0-9]\"", {{"foo", "bar"}});
  t("|> \"a <_> b\"", {{"a "}, {" b"}});
  t("| json | x=\"y\" |= \"a\"", {{"a"}});
  t("| decolorize |= \"a\"", {{"a"}});
  t("| unpack |= \"a\"", {});
  t("| decolorize | x=\"y\" |= \"a\"", {});
  t("|= \"\"", {});
}

TEST(LogQuery, SelectsByLabels) {
  LogQuery query = compile(R"({app="x"} |= "err")");
  const auto x = record::LabelSet::intern({{"app", "x"}});
  const auto y = record::LabelSet::intern({{"app", "y"}});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(query.selects(*x));
    EXPECT_FALSE(query.selects(*y));
  }
  EXPECT_TRUE(compile("|= \"err\"").selects(*y));
}

TEST(LogQuery, RemembersMoreLabelSetsThanItKeeps) {
  LogQuery query = compile(R"({n=~".*7"})");
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10000; ++i) {
      const auto set = record::LabelSet::intern({{"n", fmt::format("{}", i)}});
      ASSERT_EQ(query.selects(*set), i % 10 == 7) << i;
    }
  }
}

TEST(LogQuery, MarkersNeverMatch) {
  LogQuery query = compile("");
  record::Batch batch;
  record::Record record;
  record.labels = batch.hold(record::LabelSet::empty());
  EXPECT_TRUE(query.matches(record, batch));
  record::Marker marker;
  record.marker = &marker;
  EXPECT_FALSE(query.matches(record, batch));
}

TEST(LogQuery, LeavesTheRecordAlone) {
  LogQuery query = compile("|= \"b\" | json | drop app | decolorize");
  record::Batch batch;
  record::Record record;
  record.labels = batch.hold(record::LabelSet::intern({{"app", "x"}}));
  record.line = record::Text{"a \\\"b\\\"", record::Text::Form::json};
  record.raw = "the text it came from";
  EXPECT_TRUE(query.matches(record, batch));
  EXPECT_TRUE(query.errored());
  EXPECT_EQ(query.error(), "JSONParserErr");
  EXPECT_EQ(record.raw, "the text it came from");
  EXPECT_EQ(batch.line(record), "a \"b\"");
}

// What an escaped line hides: other spellings of a byte, and letters of escapes.
TEST(LogQuery, EscapedLines) {
  auto t = [](std::string_view text, std::string_view escaped, bool expected) {
    LogQuery query = compile(text);
    record::Batch batch;
    record::Record record;
    record.labels = batch.hold(record::LabelSet::empty());
    record.line = record::Text{batch.copy(escaped), record::Text::Form::json};
    EXPECT_EQ(query.matches(record, batch), expected) << text << " on " << escaped;
  };
  t("|= \"name\"", "a\\name", false);
  t("!= \"name\"", "a\\name", true);
  t("|= \"abc\"", "\\u0061bc", true);
  t("!= \"abc\"", "\\u0061bc", false);
  t("|= \"a/b\"", "a\\/b", true);
  t("!= \"a/b\"", "a\\/b", false);
  t("|= \"\\\"q\\\"\"", "say \\\"q\\\"", true);
  t("|= \"\\n\"", "a\\nb", true);
  t("|= \"x\" or \"abc\"", "\\\"abc", true);
  t("|~ \"ab+c\"", "\\\"abbc", true);
  t("|~ \"ab+c\"", "\\\"abb", false);
  t("!~ \"ab+c\"", "\\\"abb", true);
  t("|~ \"(?i)ABC\"", "\\\"abc", true);
  t("|~ \"foo|bar\"", "\\\"bar", true);
  t("|~ \"foo|bar\"", "\\\"baz", false);
  t("|= \"b\" | json | v=\"x\\ny\"", "{\\\"v\\\":\\\"x\\\\ny\\\",\\\"b\\\":1}", true);
}

TEST(LogQuery, Moves) {
  LogQuery first = compile("| json | a=\"1\"");
  LogQuery second = std::move(first);
  first = compile("| json | a=\"2\"");
  record::Batch batch;
  record::Record record;
  record.labels = batch.hold(record::LabelSet::empty());
  record.line = record::Text::bytes(R"({"a":"1"})");
  EXPECT_TRUE(second.matches(record, batch));
  EXPECT_FALSE(first.matches(record, batch));
}

}  // namespace
}  // namespace weir::logql
