#include "stages/enrich.h"

#include "support/run_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace weir::stages {
namespace {

using base::Code;
using test::Lines;

const char* environment(const char* name) {
  const std::string_view wanted = name;
  if (wanted == "NODE") return "node-7";
  if (wanted == "EMPTY") return "";
  if (wanted == "BINARY") return "\xff";
  return nullptr;
}

const pipeline::Context& context() {
  static const pipeline::Context the_context{nullptr, nullptr, nullptr, environment};
  return the_context;
}

Lines enrich(const EnrichSpec& spec, const Lines& input) {
  return test::run_stage(
      [&spec] {
        auto stage = make_enrich(spec, context());
        EXPECT_TRUE(stage.ok()) << stage.error().message;
        return std::move(*stage);
      },
      input);
}

// A record with this line, these labels and what comes behind them, as the writer prints it.
std::string record(std::string_view line, std::string_view labels, std::string_view rest = "") {
  const std::string object = labels.empty() ? "" : fmt::format(R"(,"labels":{{{}}})", labels);
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}"{}{}}})", line, object, rest);
}

// Nothing but what a test switches on.
EnrichSpec plain() {
  EnrichSpec spec;
  spec.path = false;
  spec.service_name = false;
  return spec;
}

TEST(Enrich, NothingToAddLeavesTheTextAlone) {
  const std::string odd =
      R"({ "line" : "x", "labels":{"service_name":"a"}, "timestamp":"2024-05-01T10:00:00+02:00", "my":[1, 2] })";
  EXPECT_EQ(enrich(EnrichSpec(), {odd}), Lines{odd});
}

TEST(Enrich, UnknownKeysSurviveAChange) {
  EnrichSpec spec = plain();
  spec.labels = {{"a", "b"}};
  EXPECT_EQ(enrich(spec, {R"({"timestamp":"2024-05-01T10:00:00Z","my":[1, 2],"line":"x"})"}),
            Lines{record("x", R"("a":"b")", R"(,"my":[1, 2])")});
}

TEST(Enrich, MarkersAndSamplesPassUntouched) {
  EnrichSpec spec;
  spec.labels = {{"a", "b"}};
  spec.level = EnrichSpec::Level::metadata;
  const Lines input = {
      R"({"marker":{"type":"begin","checkpoint":"/c"}})",
      R"({"source":"f.1.1.o.10","marker":{"type":"generation","path":"/p","log":"/p","inode":1,"device":2,)"
      R"("head_size":3,"head_hash":"00000000000000aa"}})",
      R"({"source":"f.1.1.o.20"})",
      R"({"timestamp":"2024-05-01T10:00:00Z","labels":{"level":"info"},"value":"12"})",
      R"({"marker":{"type":"end"}})",
  };
  EXPECT_EQ(enrich(spec, input), input);
}

TEST(Enrich, SourceTenantAndHeldSurviveAChange) {
  EnrichSpec spec = plain();
  spec.labels = {{"a", "b"}};
  const std::string rest = R"(,"metadata":{"m":"1"},"tenant":"t","source":"f.1.1.o.10","held":true)";
  EXPECT_EQ(enrich(spec, {record("x", "", rest)}), Lines{record("x", R"("a":"b")", rest)});
}

TEST(Enrich, StaticLabelsGoOverThoseThatAreThere) {
  EnrichSpec spec = plain();
  spec.labels = {{"b", "2"}, {"c", "3"}};
  spec.labels_from_environment = {{"node", "NODE"}};
  EXPECT_EQ(enrich(spec, {record("x", R"("a":"1","b":"1")")}), Lines{record("x", R"("a":"1","b":"2","c":"3","node":"node-7")")});
}

TEST(Enrich, ServiceNameAsLokiChoosesIt) {
  EnrichSpec spec = plain();
  spec.service_name = true;
  const auto f = [&spec](std::string_view labels, std::string_view service) {
    const Lines out = enrich(spec, {record("x", labels)});
    EXPECT_THAT(out[0], testing::HasSubstr(fmt::format(R"("service_name":"{}")", service))) << labels;
  };
  f("", "unknown_service");
  f(R"("stream":"stdout")", "unknown_service");
  f(R"("service_name":"mine","app":"a")", "mine");
  f(R"("service_name":"","app":"a")", "a");
  const std::vector<std::string> order = {"service",
                                          "app",
                                          "application",
                                          "app_name",
                                          "name",
                                          "app_kubernetes_io_name",
                                          "container",
                                          "container_name",
                                          "k8s_container_name",
                                          "component",
                                          "workload",
                                          "job",
                                          "k8s_job_name"};
  std::string labels;
  for (auto name = order.rbegin(); name != order.rend(); ++name) {  // each goes before those of the rounds before
    labels += fmt::format(R"({}"{}":"from {}")", labels.empty() ? "" : ",", *name, *name);
    f(labels, "from " + *name);
  }
}

TEST(Enrich, ServiceNameSeesLabelsOfTheCommand) {
  EnrichSpec spec;
  spec.labels = {{"app", "shop"}};
  EXPECT_EQ(enrich(spec, {record("x", R"("container":"c")")}),
            Lines{record("x", R"("app":"shop","container":"c","service_name":"shop")")});
  spec.labels = {{"service_name", "mine"}};
  EXPECT_EQ(enrich(spec, {record("x", R"("service_name":"theirs")")}), Lines{record("x", R"("service_name":"mine")")});
}

constexpr std::string_view kPodsPath = "/var/log/pods/shop_web-1_0a1b-2c/nginx/0.log";

TEST(Enrich, PathInALabel) {
  EnrichSpec spec = plain();
  spec.path = true;
  const auto f = [&spec](std::string_view filename, std::string_view labels, std::string_view rest) {
    EXPECT_EQ(enrich(spec, {record("x", fmt::format(R"("filename":"{}")", filename))}), Lines{record("x", labels, rest)});
  };
  f(kPodsPath, R"("container":"nginx","filename":"/var/log/pods/shop_web-1_0a1b-2c/nginx/0.log","namespace":"shop","pod":"web-1")",
    R"(,"metadata":{"pod_uid":"0a1b-2c"})");
  const std::string link = "/var/log/containers/web-1_shop_nginx-" + std::string(64, 'a') + ".log";
  f(link, fmt::format(R"("container":"nginx","filename":"{}","namespace":"shop","pod":"web-1")", link), "");
  f("/var/log/syslog", R"("filename":"/var/log/syslog")", "");
}

TEST(Enrich, PathInTheMetadata) {
  EnrichSpec spec = plain();
  spec.path = true;
  const auto filename = [](std::string_view path) { return fmt::format(R"("filename":"{}")", path); };
  const auto metadata = [](const std::string& members) { return fmt::format(R"(,"metadata":{{{}}})", members); };
  const Lines out =
      enrich(spec, {record("1", "", metadata(filename(kPodsPath))), record("2", "", metadata(filename("/var/log/syslog"))),
                    record("3", R"("a":"b")", metadata(filename(kPodsPath) + R"(,"pod_uid":"given")")),
                    record("4", "", metadata(filename("/x/n_p_u/c/1.log")))});
  const std::string labels = R"("container":"nginx","namespace":"shop","pod":"web-1")";
  EXPECT_EQ(out, (Lines{record("1", labels, metadata(filename(kPodsPath) + R"(,"pod_uid":"0a1b-2c")")),
                        record("2", "", metadata(filename("/var/log/syslog"))),
                        record("3", R"("a":"b",)" + labels, metadata(filename(kPodsPath) + R"(,"pod_uid":"given")")),
                        record("4", R"("container":"c","namespace":"n","pod":"p")",
                               metadata(filename("/x/n_p_u/c/1.log") + R"(,"pod_uid":"u")"))}));
}

TEST(Enrich, PathFillsOnlyWhatIsMissing) {
  EnrichSpec spec = plain();
  spec.path = true;
  const std::string rest = fmt::format(R"(,"metadata":{{"filename":"{}"}})", kPodsPath);
  const std::string complete = record("x", R"("container":"c","namespace":"n","pod":"p")", rest);
  EXPECT_EQ(enrich(spec, {complete}), Lines{complete});
  EXPECT_THAT(enrich(spec, {record("x", R"("namespace":"n")", rest)})[0],
              testing::HasSubstr(R"("labels":{"container":"nginx","namespace":"n","pod":"web-1"})"));
  spec.path = false;
  EXPECT_EQ(enrich(spec, {record("x", "", rest)}), Lines{record("x", "", rest)});
}

TEST(Enrich, LevelAsMetadata) {
  EnrichSpec spec = plain();
  spec.level = EnrichSpec::Level::metadata;
  const auto f = [&spec](const std::string& in, const std::string& out) { EXPECT_EQ(enrich(spec, {in}), Lines{out}); };
  f(record("an ERROR here", ""), record("an ERROR here", "", R"(,"metadata":{"detected_level":"error"})"));
  f(record("nothing", ""), record("nothing", "", R"(,"metadata":{"detected_level":"unknown"})"));
  f(record("x", R"("level":"Notice")"), record("x", R"("level":"Notice")", R"(,"metadata":{"detected_level":"Notice"})"));
  f(record("x", "", R"(,"metadata":{"pod_uid":"u","lvl":"WRN"})"),
    record("x", "", R"(,"metadata":{"pod_uid":"u","lvl":"WRN","detected_level":"warn"})"));
  f(record("x", "", R"(,"metadata":{"detected_level":"INFO","a":"b"})"),
    record("x", "", R"(,"metadata":{"a":"b","detected_level":"info"})"));
}

TEST(Enrich, LevelThatIsThereLeavesTheTextAlone) {
  EnrichSpec spec = plain();
  spec.level = EnrichSpec::Level::metadata;
  const std::string odd = R"({ "line": "x", "timestamp": "2024-05-01T10:00:00Z", "metadata":{"detected_level":"info"} })";
  EXPECT_EQ(enrich(spec, {odd}), Lines{odd});
}

TEST(Enrich, LevelOfEscapedLinesKeepsTheirEscapes) {
  EnrichSpec spec = plain();
  spec.level = EnrichSpec::Level::metadata;
  const auto f = [&spec](const std::string& text, std::string_view level) {
    EXPECT_EQ(enrich(spec, {record(text, "")}),
              Lines{record(text, "", fmt::format(R"(,"metadata":{{"detected_level":"{}"}})", level))});
  };
  f(R"({\"level\":\"dbg\",\"msg\":\"a \\\"b\\\"\"})", "debug");
  f(R"(line one\nerror: two)", "error");
  f(R"(\u0065rror \/)", "error");
  f(R"(\udcff\tinfo)", "info");
}

TEST(Enrich, LevelAsLabel) {
  EnrichSpec spec = plain();
  spec.level = EnrichSpec::Level::label;
  spec.level_label = "severity";
  const Lines out = enrich(spec, {record("error", R"("a":"b")"), record("info", R"("a":"b")"), record("error", R"("a":"b")"),
                                  record("x", R"("severity":"ERR")"), record("x", "", R"(,"metadata":{"level":"odd"})")});
  EXPECT_EQ(out, (Lines{record("error", R"("a":"b","severity":"error")"), record("info", R"("a":"b","severity":"info")"),
                        record("error", R"("a":"b","severity":"error")"), record("x", R"("severity":"error")"),
                        record("x", R"("severity":"odd")", R"(,"metadata":{"level":"odd"})")}));
}

TEST(Enrich, LabelsThatAreNotKeptBecomeMetadata) {
  EnrichSpec spec = plain();
  spec.keep_labels = {"app"};
  const auto f = [&spec](const std::string& in, const std::string& out) { EXPECT_EQ(enrich(spec, {in}), Lines{out}); };
  f(record("x", R"("app":"a","pod":"p","zone":"z")"), record("x", R"("app":"a")", R"(,"metadata":{"pod":"p","zone":"z"})"));
  f(record("x", R"("app":"a")"), record("x", R"("app":"a")"));
  f(record("x", R"("pod":"p")", R"(,"metadata":{"pod_uid":"u"})"), record("x", "", R"(,"metadata":{"pod_uid":"u","pod":"p"})"));
  f(record("x", R"("pod":"p")", R"(,"metadata":{"pod":"p","b":"c"})"), record("x", "", R"(,"metadata":{"b":"c","pod":"p"})"));
  f(record("x", R"("pod":"p")", R"(,"metadata":{"pod":"other"})"),
    record("x", "", R"(,"metadata":{"pod_extracted":"other","pod":"p"})"));
}

TEST(Enrich, ServiceNameAndTheLevelsLabelAreKept) {
  EnrichSpec spec;
  spec.keep_labels = {"app"};
  spec.labels = {{"cluster", "c"}};
  spec.level = EnrichSpec::Level::label;
  spec.level_label = "level";
  EXPECT_EQ(enrich(spec, {record("error", R"("container":"web")")}),
            Lines{record("error", R"("level":"error","service_name":"web")", R"(,"metadata":{"cluster":"c","container":"web"})")});
  spec.service_name = false;
  EXPECT_EQ(enrich(spec, {record("error", R"("service_name":"web")")}),
            Lines{record("error", R"("level":"error")", R"(,"metadata":{"cluster":"c","service_name":"web"})")});
}

TEST(Enrich, TenantFromLabelOrMetadata) {
  EnrichSpec spec = plain();
  spec.tenant_from = "namespace";
  const auto f = [&spec](const std::string& in, const std::string& out) { EXPECT_EQ(enrich(spec, {in}), Lines{out}); };
  f(record("x", R"("namespace":"shop")"), record("x", R"("namespace":"shop")", R"(,"tenant":"shop")"));
  f(record("x", R"("namespace":"shop")", R"(,"tenant":"old")"), record("x", R"("namespace":"shop")", R"(,"tenant":"shop")"));
  f(record("x", "", R"(,"metadata":{"namespace":"m"})"), record("x", "", R"(,"metadata":{"namespace":"m"},"tenant":"m")"));
  f(record("x", R"("namespace":"shop")", R"(,"metadata":{"namespace":"m"})"),
    record("x", R"("namespace":"shop")", R"(,"metadata":{"namespace":"m"},"tenant":"shop")"));
  f(record("x", "", R"(,"tenant":"old")"), record("x", "", R"(,"tenant":"old")"));
  f(record("x", ""), record("x", ""));
  spec.keep_labels = {"app"};
  f(record("x", R"("namespace":"shop")"), record("x", "", R"(,"metadata":{"namespace":"shop"},"tenant":"shop")"));
}

TEST(Enrich, ManyPodsAndLevelsInOneStream) {
  EnrichSpec spec;
  spec.level = EnrichSpec::Level::metadata;
  spec.keep_labels = {"namespace"};
  Lines input;
  Lines expected;
  for (int i = 0; i < 3000; ++i) {
    const auto pod = fmt::format("p-{}", i % 300);
    const std::string_view level = i % 7 == 0 ? "warn" : "info";
    input.push_back(record(level, fmt::format(R"("container":"c","namespace":"n","pod":"{}")", pod)));
    expected.push_back(record(level, R"("namespace":"n","service_name":"c")",
                              fmt::format(R"(,"metadata":{{"container":"c","pod":"{}","detected_level":"{}"}})", pod, level)));
  }
  EXPECT_EQ(enrich(spec, input), expected);
}

// More label sets than are remembered: forgetting must neither change the outcome nor keep sets for ever.
TEST(Enrich, WhatIsRememberedIsBounded) {
  EnrichSpec spec;
  spec.level = EnrichSpec::Level::label;
  spec.level_label = "level";
  auto stage = make_enrich(spec, context());
  ASSERT_TRUE(stage.ok());
  test::FakeClock clock;
  record::JsonlReader reader(clock);
  record::Batch batch;
  test::LinesOutlet out;
  for (int i = 0; i < 30'000; ++i) {
    const auto rest = fmt::format(R"(,"metadata":{{"level":"l{}","filename":"/f/{}"}})", i, i);
    ASSERT_TRUE(reader.parse(batch.copy(record("x", R"("a":"b")", rest)), batch).ok());
    if (i % 100 != 99) continue;
    ASSERT_TRUE((*stage)->consume(batch, out).ok());
    ASSERT_EQ(out.lines.back(), record("x", fmt::format(R"("a":"b","level":"l{}","service_name":"unknown_service")", i), rest));
    out.lines.clear();
    batch.clear();
    ASSERT_LT(record::LabelSet::live(), 20'000U);
  }
}

TEST(Enrich, CountsSamplesThatItPassesOn) {
  const auto stage = make_enrich({}, {});
  ASSERT_TRUE(stage);
  const Lines in = {R"({"timestamp":"2024-05-01T10:00:00Z","line":"a","labels":{}})",
                    R"({"timestamp":"2024-05-01T10:00:00Z","line":"","labels":{},"value":"1"})"};
  EXPECT_EQ(test::run_stage_once(**stage, in, [] { return 2; }).size(), 2U);
  EXPECT_EQ((*stage)->counters().records_in, 2U);
  EXPECT_EQ((*stage)->counters().records_out, 2U);
}

TEST(Enrich, Counters) {
  auto stage = make_enrich(EnrichSpec(), context());
  ASSERT_TRUE(stage.ok());
  test::run_stage_once(**stage, {record("four", ""), R"({"source":"f.1.1.o.20"})", record("x", "")}, [] { return 2; });
  const pipeline::Counters counters = (*stage)->counters();
  EXPECT_EQ(counters.records_in, 2U);
  EXPECT_EQ(counters.bytes_in, 5U);
  EXPECT_EQ(counters.records_out, 2U);
  EXPECT_EQ(counters.bytes_out, 5U);
}

TEST(EnrichCheck, Success) {
  EnrichSpec spec;
  spec.labels = {{"_a9", "v"}, {"A", std::string(2048, 'x')}, {std::string(1024, 'n'), "\xc3\xa9"}};
  spec.labels_from_environment = {{"b", "NODE"}};
  spec.keep_labels = {"x", "x", "service_name"};
  spec.tenant_from = "k8s.ns";
  EXPECT_TRUE(check(spec).ok());
}

TEST(EnrichCheck, Failure) {
  const auto f = [](const EnrichSpec& spec, std::string_view fragment) {
    const auto result = check(spec);
    ASSERT_FALSE(result.ok()) << fragment;
    EXPECT_EQ(result.error().code, Code::usage);
    EXPECT_THAT(result.error().message, testing::HasSubstr(std::string(fragment)));
  };
  const auto label = [](std::string name, std::string value) {
    EnrichSpec spec;
    spec.labels = {{std::move(name), std::move(value)}};
    return spec;
  };
  f(label("", "v"), R"(label "" is no label name)");
  f(label("9a", "v"), R"(label "9a" is no label name)");
  f(label("a.b", "v"), "is no label name");
  f(label("a-b", "v"), "is no label name");
  f(label("\xc3\xa9", "v"), "is no label name");
  f(label(std::string(1025, 'n'), "v"), "1025 bytes");
  f(label("__name__", "v"), "reserved");
  f(label("detected_level", "v"), "never a label");
  f(label("weir_gap_bytes", "v"), "names that begin with weir_ are weir's own");
  EnrichSpec own;
  own.labels_from_environment = {{"weir_node", "NODE"}};
  f(own, "label \"weir_node\" is reserved");
  own = {};
  own.pod_labels.labels = {{"app", "weir_app"}};
  f(own, "label \"weir_app\" is reserved");
  own.pod_labels = {.metadata = {{"app", "weir_gap_bytes"}}};
  f(own, "metadata \"weir_gap_bytes\" is reserved");
  own.pod_labels = {};
  own.fields = {.parse = "json", .to_labels = {{"x", "weir_x"}}};
  f(own, "label \"weir_x\" is reserved");
  own.fields.to_labels = {{"http.status", "http.status"}};
  f(own, "LogQL has no field of such a name");
  f(label("a", ""), "no value");
  f(label("a", std::string(2049, 'x')), "2049 bytes");
  f(label("a", "\xff"), "not UTF-8");
  EnrichSpec twice = label("a", "1");
  twice.labels_from_environment = {{"a", "NODE"}};
  f(twice, R"(label "a" is set twice)");
  EnrichSpec level = label("level", "x");
  level.level = EnrichSpec::Level::label;
  level.level_label = "level";
  f(level, "set twice");
  level.level_label = "";
  f(level, "is no label name");
  level.level_label = "detected_level";
  f(level, "never a label");
  EnrichSpec variable;
  variable.labels_from_environment = {{"a", ""}};
  f(variable, "no environment variable");
  EnrichSpec keep;
  keep.keep_labels = {"a", "b c"};
  f(keep, R"(label to keep "b c")");
}

TEST(EnrichCheck, EnvironmentIsReadWhenTheStageIsMade) {
  const auto f = [](const std::string& variable, std::string_view fragment) {
    EnrichSpec spec;
    spec.labels_from_environment = {{"node", variable}};
    EXPECT_TRUE(check(spec).ok());
    const auto stage = make_enrich(spec, context());
    ASSERT_FALSE(stage.ok());
    EXPECT_THAT(stage.error().message, testing::HasSubstr(std::string(fragment)));
  };
  f("MISSING", "environment variable MISSING is not set");
  f("EMPTY", "environment variable EMPTY is empty");
  f("BINARY", "not UTF-8");
}

}  // namespace
}  // namespace weir::stages
