#include "stages/line_fields.h"

#include "logql/log_query.h"
#include "record/json.h"
#include "record/timestamp.h"
#include "stages/enrich.h"
#include "support/run_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::stages {
namespace {

using base::Code;
using test::Lines;

// enrich with nothing but what comes out of lines.
EnrichSpec spec_of(LineFieldsSpec fields) {
  EnrichSpec spec;
  spec.path = false;
  spec.service_name = false;
  spec.fields = std::move(fields);
  return spec;
}

std::unique_ptr<pipeline::Stage> make(const EnrichSpec& spec, metrics::Registry* registry = nullptr) {
  pipeline::Context context;
  context.metrics = registry;
  auto stage = make_enrich(spec, context);
  if (!stage) ADD_FAILURE() << stage.error().message;
  return *std::move(stage);
}

Lines run(const EnrichSpec& spec, const Lines& input) {
  return test::run_stage([&spec] { return make(spec); }, input);
}
Lines run(const LineFieldsSpec& fields, const Lines& input) { return run(spec_of(fields), input); }

// A record as the writer prints it. `line` is decoded bytes.
std::string record(std::string_view line, std::string_view rest = "", std::string_view time = "2024-05-01T10:00:00Z") {
  std::string escaped;
  record::append_escaped(escaped, line);
  return fmt::format(R"({{"timestamp":"{}","line":"{}"{}}})", time, escaped, rest);
}

// What has been counted in a registry, by name.
std::uint64_t counted(const metrics::Registry& registry, std::string_view name) {
  for (const metrics::Sample& sample : registry.read())
    if (sample.metric->name == name) return sample.value;
  return 0;
}

TEST(LineFields, EachParser) {
  const auto f = [](std::string parse, std::string_view line) {
    EXPECT_EQ(run({.parse = std::move(parse), .to_labels = {{"level", "level"}}, .to_metadata = {{"user", "uid"}}}, {record(line)}),
              Lines{record(line, R"(,"labels":{"level":"warn"},"metadata":{"uid":"7"})")})
        << line;
  };
  f("json", R"({"level":"warn","user":7})");
  f("json level=\"log.level\", user=\"who[0]\"", R"({"log":{"level":"warn"},"who":[7]})");
  f("| json", R"({"level":"warn","user":7})");
  f("logfmt", R"(level=warn user="7")");
  f("logfmt level=\"lvl\", user", R"(lvl=warn user=7)");
  f("pattern `[<level>] <_> <user>:`", "[warn] by 7: x");
  f("regexp `^(?P<level>\\w+)/(?P<user>\\d+)`", "warn/7 x");
  f("unpack", R"({"_entry":"x","level":"warn","user":"7"})");
  f("decolorize | logfmt", "\x1b[31mlevel=warn\x1b[0m user=7");
}

// LogQL would make the rest of the line a field.
TEST(LineFields, APatternThatDoesNotFitGivesNothing) {
  const auto f = [](std::string_view line, std::string_view rest) {
    EXPECT_EQ(run({.parse = "decolorize | pattern `[<level>] <_>: <user>`", .to_labels = {{"level", "level"}}}, {record(line)}),
              Lines{record(line, rest)})
        << line;
  };
  f("[warn] by: 7", R"(,"labels":{"level":"warn"})");
  f("\x1b[1m[warn] by: 7", R"(,"labels":{"level":"warn"})");
  f("[warn] by: ", R"(,"labels":{"level":"warn"})");
  f("[warn by: 7", "");
  f("[warn] by 7", "");
  f(" [warn] by: 7", "");
}

TEST(LineFields, NamesAreThoseOfLogQL) {
  EXPECT_EQ(run({.parse = "json", .to_labels = {{"http_status", "status"}}, .to_metadata = {{"_1st", "first"}}},
                {record(R"({"http":{"status":200},"1st":true})")}),
            Lines{record(R"({"http":{"status":200},"1st":true})", R"(,"labels":{"status":"200"},"metadata":{"first":"true"})")});
}

TEST(LineFields, WhatTheRecordHasIsReplaced) {
  const std::string line = R"({"app":"new","id":"2"})";
  EXPECT_EQ(run({.parse = "json", .to_labels = {{"app", "app"}}, .to_metadata = {{"id", "id"}}},
                {record(line, R"(,"labels":{"app":"old","pod":"p"},"metadata":{"id":"1","k":"v"})")}),
            Lines{record(line, R"(,"labels":{"app":"new","pod":"p"},"metadata":{"k":"v","id":"2"})")});
}

TEST(LineFields, NothingFoundLeavesTheTextAlone) {
  const LineFieldsSpec fields = {
      .parse = "json", .to_labels = {{"app", "app"}}, .to_metadata = {{"id", "id"}}, .timestamp_from = "time"};
  const Lines input = {
      R"({ "timestamp":"2024-05-01T10:00:00Z", "line":"{\"other\":1}" })",
      R"({ "timestamp":"2024-05-01T10:00:00Z", "line":"{\"app\":\"\",\"id\":null,\"time\":\"\"}" })",
      R"({ "timestamp":"2024-05-01T10:00:00Z", "line":"not JSON" })",
      R"({ "timestamp":"2024-05-01T10:00:00Z", "line":"" })",
      R"({ "timestamp":"2024-05-01T10:00:00Z", "line":"{\"app\":\"a\",\"id\":\"1\",\"time\":\"2024-05-01T10:00:00Z\"}",)"
      R"( "labels":{"app":"a"}, "metadata":{"id":"1"} })",
  };
  EXPECT_EQ(run(fields, input), input);
}

// What came before the error is not used either.
TEST(LineFields, AnErrorLeavesTheRecordAlone) {
  const LineFieldsSpec fields = {.parse = "json", .to_labels = {{"app", "app"}}};
  const Lines input = {record(R"({"app":"a","b":)"), record(R"({"app":"a"} trailing)"), record("[1]")};
  metrics::Registry registry;
  const auto stage = make(spec_of(fields), &registry);
  const Lines out = test::run_stage_once(*stage, input, [] { return 2; });
  EXPECT_EQ(out[0], input[0]);
  EXPECT_EQ(out[2], input[2]);
  EXPECT_GE(counted(registry, "weir_enrich_parse_errors_total"), 2U);
}

TEST(LineFields, ValuesTooLong) {
  const std::string label(2048, 'l'), longer(2049, 'm'), longest((16 << 10) + 1, 'n');
  metrics::Registry registry;
  const auto stage = make(spec_of({.parse = "logfmt", .to_labels = {{"a", "a"}}, .to_metadata = {{"b", "b"}}}), &registry);
  const Lines input = {record("a=" + label), record("a=" + longer), record("a=" + longest), record("b=" + longer),
                       record("b=" + longest)};
  const Lines out = test::run_stage_once(*stage, input, [] { return 5; });
  EXPECT_EQ(out[0], record("a=" + label, fmt::format(R"(,"labels":{{"a":"{}"}})", label)));
  EXPECT_EQ(out[1], record("a=" + longer, fmt::format(R"(,"metadata":{{"a":"{}"}})", longer)));
  EXPECT_EQ(out[2], input[2]);
  EXPECT_EQ(out[3], record("b=" + longer, fmt::format(R"(,"metadata":{{"b":"{}"}})", longer)));
  EXPECT_EQ(out[4], input[4]);
  EXPECT_EQ(counted(registry, "weir_enrich_long_values_total"), 3U);
}

TEST(LineFields, BytesThatAreNotUtf8BecomeSpaces) {
  record::Batch batch;
  auto fields = LineFields::open({.parse = "regexp `(?P<a>.*)`", .to_labels = {{"a", "a"}}, .to_metadata = {{"a", "b"}}},
                                 pipeline::Context());
  ASSERT_TRUE(fields.ok());
  record::Record one;
  one.labels = record::LabelSet::empty().get();
  one.line = record::Text::bytes("x\xffy");
  (*fields)->begin();
  (*fields)->apply(batch, one);
  EXPECT_EQ(one.labels->get("a"), "x y");
  EXPECT_EQ(record::find(one.metadata, "b"), "x y");
}

TEST(LineFields, Time) {
  const LineFieldsSpec fields = {.parse = "json", .timestamp_from = "t"};
  const auto f = [&fields](std::string_view time, std::string_view then) {
    const std::string line = fmt::format(R"({{"t":"{}"}})", time);
    EXPECT_EQ(run(fields, {record(line)}), Lines{record(line, "", then)}) << time;
  };
  f("2024-05-01T09:59:59.25Z", "2024-05-01T09:59:59.25Z");
  f("2001-05-01T09:59:59Z", "2001-05-01T09:59:59Z");
  f("2024-05-01T10:10:00Z", "2024-05-01T10:10:00Z");
  f("2024-05-01T10:10:00.000000001Z", "2024-05-01T10:00:00Z");  // too far ahead
  f("1970-01-01T00:00:00Z", "2024-05-01T10:00:00Z");
  f("yesterday", "2024-05-01T10:00:00Z");

  LineFieldsSpec unix = fields;
  unix.timestamp_format = "unix";
  EXPECT_EQ(run(unix, {record(R"({"t":1714557599.5})")}), Lines{record(R"({"t":1714557599.5})", "", "2024-05-01T09:59:59.5Z")});

  metrics::Registry registry;
  const auto stage = make(spec_of(fields), &registry);
  test::run_stage_once(*stage,
                       {record(R"({"t":"x"})"), record(R"({"t":""})"), record("{}"), record(R"({"t":"2030-01-01T00:00:00Z"})")},
                       [] { return 3; });
  EXPECT_EQ(counted(registry, "weir_enrich_timestamp_errors_total"), 2U);
}

TEST(LineFields, ComeBeforeEverythingElse) {
  EnrichSpec spec;
  spec.fields = {.parse = "json",
                 .to_labels = {{"app", "app"}},
                 .to_metadata = {{"severity", "severity"}, {"team", "team"}, {"file", "filename"}}};
  spec.level = EnrichSpec::Level::metadata;
  spec.tenant_from = "team";
  const std::string line = R"({"app":"shop","severity":"WARNING","team":"t","file":"/var/log/pods/n_p_1-2/c/0.log"})";
  EXPECT_EQ(run(spec, {record(line)}),
            Lines{record(line, R"(,"labels":{"app":"shop","container":"c","namespace":"n","pod":"p","service_name":"shop"},)"
                               R"("metadata":{"severity":"WARNING","team":"t","filename":"/var/log/pods/n_p_1-2/c/0.log",)"
                               R"("pod_uid":"1-2","detected_level":"warn"},"tenant":"t")")});
}

TEST(LineFields, StaticLabelsGoOverFields) {
  EnrichSpec spec = spec_of({.parse = "json", .to_labels = {{"app", "app"}}});
  spec.labels = {{"cluster", "c"}};
  spec.keep_labels = std::vector<std::string>{"cluster"};
  const std::string line = R"({"app":"a"})";
  EXPECT_EQ(run(spec, {record(line)}), Lines{record(line, R"(,"labels":{"cluster":"c"},"metadata":{"app":"a"})")});
}

TEST(LineFields, MarkersSamplesAndGapsPass) {
  const Lines input = {
      R"({"marker":{"type":"begin","checkpoint":"/c"}})",
      R"({"source":"f.1.1.o.20"})",
      R"({"timestamp":"2024-05-01T10:00:00Z","labels":{"level":"info"},"value":"12"})",
      record(R"({"a":"1"})", R"(,"metadata":{"weir_gap_bytes":"12"})"),
      R"({"marker":{"type":"end"}})",
  };
  EXPECT_EQ(run({.parse = "json", .to_labels = {{"a", "a"}}}, input), input);
}

TEST(LineFields, ManyLabelSets) {
  Lines input, expected;
  for (int i = 0; i < 6000; ++i) {
    const std::string line = fmt::format(R"({{"n":"{}","m":"{}"}})", i % 5000, i % 3);
    input.push_back(record(line, fmt::format(R"(,"labels":{{"pod":"{}"}})", i % 7)));
    expected.push_back(
        record(line, fmt::format(R"(,"labels":{{"n":"{}","pod":"{}"}},"metadata":{{"m":"{}"}})", i % 5000, i % 7, i % 3)));
  }
  EXPECT_EQ(run({.parse = "json", .to_labels = {{"n", "n"}}, .to_metadata = {{"m", "m"}}}, input), expected);
}

// What a query over the same parser shows.
// Records of a batch share metadata that is the same, and never that of a record which has more.
TEST(LineFields, MetadataIsThatOfTheRecordAlone) {
  Lines input, expected;
  for (int i = 0; i < 400; ++i) {
    const int org = i % 3, trace = i / 5;
    const std::string line = i % 2 == 0 ? fmt::format("trace=t{} org=o{}", trace, org) : fmt::format("org=o{}", org);
    input.push_back(record(line));
    expected.push_back(record(line, i % 2 == 0 ? fmt::format(R"(,"metadata":{{"trace":"t{}","org":"o{}"}})", trace, org)
                                               : fmt::format(R"(,"metadata":{{"org":"o{}"}})", org)));
  }
  EXPECT_EQ(run({.parse = "logfmt", .to_metadata = {{"trace", "trace"}, {"org", "org"}}}, input), expected);
}

TEST(LineFields, AgreeWithAQueryOnOddLines) {
  const std::vector<std::string> parsers = {"json",
                                            "json f=\"a.b\", g",
                                            "json f=\"f[1]\", g=\"[\\\"g\\\"]\"",
                                            "logfmt",
                                            "logfmt --strict",
                                            "logfmt --keep-empty",
                                            "logfmt f=\"a\", g",
                                            "pattern `<f> <_>=<g>`",
                                            "pattern `{<f>:<g>}`",
                                            "regexp `(?P<f>\\w+)\\W+(?P<g>\\w*)`",
                                            "unpack",
                                            "decolorize | logfmt",
                                            "json | logfmt"};
  const std::vector<std::string> lines = {
      "",
      " ",
      "{}",
      "[]",
      "null",
      R"({"f":1})",
      R"({"f":"1","f":"2","g":true})",
      R"({"f":{"g":1},"g":null})",
      R"({"a":{"b":"deep"},"g":[1,"x"]})",
      R"({"f":[1,{"x":"y"}],"g":1e400})",
      R"({"f":"é\u00e9\ud83d\ude00\n\t\"","g":"\ud800"})",
      R"({"f":"broken)",
      R"({"f":"a","g":})",
      R"({"f":"a"} {"g":"b"})",
      R"( {"f":"lead"})",
      R"({"f ":"blank"," g":"b"})",
      R"({"f.":"dot","g-":"dash"})",
      R"({"_entry":"x","f":"packed","g":5})",
      R"("f")",
      "f=1 g=2",
      "f g=2",
      "f= g=\"\"",
      "f=\"a b\" g=\"\\\"q\\\"\"",
      "f=\"open g=1",
      "f==x g=\"a\"b",
      "=x f=1",
      "a=1 f=2 a=3 g=4 g=5",
      "f=\x1b[31mred\x1b[0m g=\x1b[1m",
      "f=é g=\xef\xbf\xbd",
      "one two=three",
      "{a:b}",
      "{\"f\":\"\x01\",\"g\":\"\xc3\xa9\"}",
      std::string("{\"f\":\"a\0b\"}", 11),
      std::string(5000, '{'),
      "{\"f\":\"" + std::string(3000, 'x') + "\"}",
  };
  int values = 0, errors = 0;
  for (const std::string& parse : parsers) {
    auto fields = LineFields::open({.parse = parse, .to_metadata = {{"f", "f"}, {"g", "g"}}}, pipeline::Context());
    ASSERT_TRUE(fields.ok()) << parse << ": " << fields.error().message;
    auto query = logql::LogQuery::compile("| " + parse, {.selector_optional = true});
    ASSERT_TRUE(query.ok()) << parse;
    const auto* expr = std::get_if<logql::PatternExpr>(&query->expr().stages.back().node);
    const auto pattern = expr == nullptr ? std::nullopt : std::optional(*logql::Pattern::compile_parser(expr->pattern));
    for (const std::string& line : lines) {
      record::Batch batch;
      record::Record one;
      one.labels = record::LabelSet::empty().get();
      one.line = record::Text::bytes(line);
      record::Record other = one;
      (*fields)->begin();
      (*fields)->apply(batch, one);
      logql::LogQuery::Entry entry;
      ASSERT_TRUE(query->run(other, batch, entry)) << parse << ": " << line;
      errors += entry.errored ? 1 : 0;
      for (const std::string_view name : {"f", "g"}) {
        std::string_view expected;
        for (const record::Label& label : entry.parsed)
          if (label.name == name && !entry.errored && (!pattern || pattern->fits(line))) expected = label.value;
        EXPECT_EQ(record::find(one.metadata, name), expected) << parse << ": " << line << ": " << name;
        values += expected.empty() ? 0 : 1;
      }
    }
  }
  EXPECT_GT(values, 100);
  EXPECT_GT(errors, 50);
}

TEST(LineFields, BadSpecs) {
  const auto f = [](const LineFieldsSpec& spec, std::string_view message, std::string_view hint = "") {
    const auto checked = check(spec);
    ASSERT_FALSE(checked.ok()) << message;
    EXPECT_EQ(checked.error().code, Code::usage) << message;
    EXPECT_THAT(checked.error().message, testing::HasSubstr(message));
    EXPECT_THAT(checked.error().hint, testing::HasSubstr(hint));
  };
  f({.to_labels = {{"a", "a"}}}, "--to-label needs --parse", "--parse json");
  f({.to_metadata = {{"a", "a"}}}, "--to-metadata needs --parse");
  f({.timestamp_from = "a"}, "--timestamp-from needs --parse");
  f({.parse = "json"}, "--parse alone does nothing", "--to-label");
  f({.parse = "jsn", .timestamp_from = "a"}, "cannot use 'jsn' for --parse: parse error");
  f({.parse = "json | a=\"b\"", .timestamp_from = "a"}, "it must be a parser of LogQL", "weir filter");
  f({.parse = "|= \"x\"", .timestamp_from = "a"}, "it must be a parser of LogQL");
  f({.parse = "line_format `x`", .timestamp_from = "a"}, "it must be a parser of LogQL");
  f({.parse = "pattern `<a>`", .to_labels = {{"b", "b"}}}, "cannot use 'b' for --to-label: the parser of --parse does not give it");
  f({.parse = "regexp `(?P<level>x)(y)`", .to_metadata = {{"levl", "b"}}}, "does not give it", "did you mean 'level'");
  f({.parse = "json status=\"s\", user", .to_metadata = {{"x", "x"}}}, "does not give it", "it gives status, user");
  f({.parse = "decolorize", .timestamp_from = "a"}, "does not give it", "it gives no fields");
  f({.parse = "json", .to_labels = {{"http.status", "http.status"}}}, "LogQL has no field of such a name",
    "it calls the field http_status");
  // A line must not be able to say that something was lost.
  f({.parse = "json", .to_metadata = {{"x", "weir_gap_bytes"}}}, "names that begin with weir_ are weir's own");
  f({.parse = "json", .to_metadata = {{"weir_split", "weir_split"}}}, "names that begin with weir_ are weir's own");
  f({.parse = "json", .to_labels = {{"http.status", "status"}}}, "LogQL has no field of such a name",
    "it calls the field http_status");
  f({.parse = "json", .timestamp_from = "1"}, "LogQL has no field of such a name", "_1");
  f({.parse = "json", .to_metadata = {{"a", "a.b"}}}, "it is no name of metadata", "a_b");
  f({.parse = "json", .to_metadata = {{"a", ""}}}, "it is no name of metadata", "NAME=KEY");
  f({.parse = "json", .to_metadata = {{"a", "m"}, {"b", "m"}}}, "metadata \"m\" is set twice");
  f({.parse = "json", .timestamp_from = "t", .timestamp_format = "iso"}, "cannot use 'iso' for --timestamp-from", "rfc3339");
}

TEST(LineFields, LabelsAreCheckedByEnrich) {
  const auto f = [](const std::string& label, std::string_view message) {
    EnrichSpec spec = spec_of({.parse = "json", .to_labels = {{"a", label}}});
    spec.labels = {{"app", "x"}};
    const auto checked = check(spec);
    ASSERT_FALSE(checked.ok()) << label;
    EXPECT_THAT(checked.error().message, testing::HasSubstr(message));
  };
  f("1", "is no label name");
  f("__a", "is reserved");
  f("detected_level", "Loki's own metadata");
  f("app", "is set twice");
}

}  // namespace
}  // namespace weir::stages
