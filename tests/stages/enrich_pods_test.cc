// enrich with what a directory knows of pods.
#include "metrics/driver.h"
#include "stages/enrich.h"
#include "support/collect.h"
#include "support/fake_pods.h"
#include "support/run_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace weir::stages {
namespace {

using base::Code;
using test::Lines;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string record(std::string_view labels, std::string_view metadata = "", std::string_view line = "x") {
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}"{}{}}})", line,
                     labels.empty() ? "" : fmt::format(R"(,"labels":{{{}}})", labels),
                     metadata.empty() ? "" : fmt::format(R"(,"metadata":{{{}}})", metadata));
}

// As tail gives them.
constexpr std::string_view kTail = R"("container":"nginx","namespace":"shop","pod":"web-1","stream":"stdout")";
constexpr std::string_view kUid = R"("pod_uid":"u-1")";

struct Enrich {
  Enrich() {
    spec.service_name = false;
    spec.node_name = "node-7";
    spec.pods = pods;
  }
  // In batches of each size, each on a stage of its own, as a directory that stands still lets them be.
  Lines run(const Lines& input) {
    return test::run_stage(
        [this] {
          auto made = make_enrich(spec, {});
          EXPECT_TRUE(made.ok()) << made.error().message;
          return std::move(*made);
        },
        input);
  }
  std::string one(const std::string& input) { return run({input}).front(); }
  // One batch, on a stage that stays.
  Lines batch(const Lines& input) {
    if (stage == nullptr) stage = std::move(*make_enrich(spec, {}));
    record::JsonlReader reader(clock);
    record::Batch records;
    test::LinesOutlet out;
    for (const std::string& line : input) EXPECT_TRUE(reader.parse(records.copy(line), records).ok());
    EXPECT_TRUE(stage->consume(records, out).ok());
    return out.lines;
  }

  std::shared_ptr<test::FakePods> pods = std::make_shared<test::FakePods>();
  kube::PodDirectory& directory = pods->directory();
  EnrichSpec spec;
  std::unique_ptr<pipeline::Stage> stage;
  test::FakeClock clock;
};

TEST(EnrichPods, APodWithAForgedConfigHashLabelsNoOtherPodsLogs) {
  const std::string by_metadata = record(kTail, R"("pod_uid":"hash")");
  const std::string by_path = record("", R"("filename":"/var/log/pods/shop_web-1_hash/nginx/0.log")");
  for (const bool known : {false, true}) {
    Enrich f;
    f.directory.put(test::pod("hash", "evil", "web-1", {{"app", "forged"}}));
    f.directory.put(test::pod("hash", "shop", "other", {{"app", "forged"}}));
    if (known) f.directory.put(test::pod("hash", "shop", "web-1", {{"app", "right"}}));
    for (const std::string& in : {by_metadata, by_path}) {
      const std::string out = f.one(in);
      EXPECT_THAT(out, Not(HasSubstr("forged")));
      EXPECT_EQ(out.find(R"("app":"right")") != std::string::npos, known) << out;
    }
  }
}

TEST(EnrichPods, LabelsOfThePodThatTheMetadataNames) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web"}}));
  EXPECT_EQ(f.one(record(kTail, kUid)),
            record(R"("app":"web","container":"nginx","job":"shop/web","namespace":"shop","node_name":"node-7","pod":"web-1",)"
                   R"("stream":"stdout")",
                   kUid));
}

TEST(EnrichPods, ThePodIsFoundByTheUidOfAPath) {
  Enrich f;
  f.directory.put(test::pod("0a1b", "shop", "web-1", {{"app", "web"}}));
  f.directory.put(test::pod("else", "shop", "web-1", {{"app", "other"}}));
  const std::string path = R"("filename":"/var/log/pods/shop_web-1_0a1b/nginx/0.log")";
  EXPECT_THAT(f.one(record(path)), HasSubstr(R"("app":"web")"));
  EXPECT_THAT(f.one(record("", path)), HasSubstr(R"("app":"web")"));
  EXPECT_THAT(f.one(record(path, R"("pod_uid":"else")")), HasSubstr(R"("app":"web")"));
  EXPECT_THAT(f.one(record(R"("pod_uid":"else")")), HasSubstr(R"("app":"other")"));  // a label
}

TEST(EnrichPods, WithoutAUidItIsFoundByItsName) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web"}}));
  EXPECT_THAT(f.one(record(kTail)), HasSubstr(R"("app":"web")"));
  const std::string link = R"("filename":"/var/log/containers/web-1_shop_nginx-)" + std::string(64, 'a') + R"(.log")";
  EXPECT_THAT(f.one(record(link)), HasSubstr(R"("app":"web")"));
  EXPECT_THAT(f.one(record(R"("namespace":"shop")")), Not(HasSubstr("app")));
  // A uid that nobody knows is another pod, whatever its name.
  EXPECT_EQ(f.one(record(kTail, R"("pod_uid":"u-2")")), record(kTail, R"("pod_uid":"u-2")"));
}

TEST(EnrichPods, AUidAloneIsEnough) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app.kubernetes.io/name", "web"}}));
  EXPECT_EQ(f.one(record("", kUid)),
            record(R"("app":"web","job":"shop/web","namespace":"shop","node_name":"node-7","pod":"web-1")", kUid));
  f.spec.pod_labels.scheme = PodScheme::k8s_monitoring;
  EXPECT_EQ(f.one(record("", kUid)), record(R"("app_kubernetes_io_name":"web","namespace":"shop","service_name":"web")",
                                            R"("pod_uid":"u-1","pod":"web-1")"));
}

TEST(EnrichPods, PodsOfOneNameAreToldApart) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "old"}}));
  f.directory.put(test::pod("u-2", "shop", "web-1", {{"app", "new"}}));
  Lines input;
  for (int i = 0; i < 40; ++i)
    input.push_back(record(kTail, i % 3 == 0 ? R"("pod_uid":"u-2")" : i % 3 == 1 ? kUid : R"("pod_uid":"u-3")"));
  const Lines out = f.run(input);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i % 3 == 2) {
      EXPECT_EQ(out[i], input[i]);
    } else {
      EXPECT_THAT(out[i], HasSubstr(i % 3 == 0 ? R"("app":"new")" : R"("app":"old")"));
    }
  }
}

TEST(EnrichPods, AnUnknownPodKeepsWhatThePathGives) {
  Enrich f;
  f.spec.pod_labels.scheme = PodScheme::promtail;
  EXPECT_EQ(f.one(record(kTail, kUid)), record(kTail, kUid));
}

TEST(EnrichPods, TheRecordsOwnLabelsCountMoreButNotAgainstOptions) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web"}, {"tier", "front"}}));
  const std::string labels = R"("app":"mine","namespace":"shop","pod":"web-1","tier":"mine")";
  EXPECT_THAT(f.one(record(labels)), HasSubstr(R"("app":"mine",)"));
  f.spec.pod_labels.labels = {{"tier", "tier"}};
  EXPECT_THAT(f.one(record(labels)), HasSubstr(R"("tier":"front")"));
}

TEST(EnrichPods, StaticLabelsServiceNameAndTenantComeAfterThePod) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web"}, {"team", "blue"}}));
  f.spec.labels = {{"job", "mine"}};
  f.spec.service_name = true;
  f.spec.pod_labels.labels = {{"team", "team"}};
  f.spec.tenant_from = "team";
  const std::string out = f.one(record(kTail, kUid));
  EXPECT_THAT(out, HasSubstr(R"("job":"mine")"));
  EXPECT_THAT(out, HasSubstr(R"("service_name":"web")"));
  EXPECT_THAT(out, HasSubstr(R"("tenant":"blue")"));
}

TEST(EnrichPods, KeepLabelsMakesMetadataOfThePodsLabels) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web"}}));
  f.spec.keep_labels = {"app", "namespace"};
  EXPECT_EQ(f.one(record(kTail, kUid)),
            record(R"("app":"web","namespace":"shop")",
                   R"("pod_uid":"u-1","container":"nginx","job":"shop/web","node_name":"node-7","pod":"web-1","stream":"stdout")"));
}

TEST(EnrichPods, MetadataOfThePod) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web"}, {"version", "1.2"}}, {{"team", "blue"}}));
  f.spec.pod_labels.metadata = {{"version", "version"}, {"team", "team"}, {"absent", "absent"}};
  f.spec.level = EnrichSpec::Level::metadata;
  const auto metadata = [&f](std::string_view given) {
    const std::string out = f.one(record(kTail, given));
    return out.substr(out.find(R"("metadata")"));
  };
  EXPECT_EQ(metadata(kUid), R"("metadata":{"pod_uid":"u-1","team":"blue","version":"1.2","detected_level":"unknown"}})");
  EXPECT_EQ(metadata(R"("pod_uid":"u-1","version":"0","a":"b")"),
            R"("metadata":{"pod_uid":"u-1","a":"b","team":"blue","version":"1.2","detected_level":"unknown"}})");
  // A label that would become metadata of that name gives way.
  f.spec.level = EnrichSpec::Level::off;
  f.spec.keep_labels = {"app"};
  f.spec.pod_labels.metadata = {{"version", "stream"}};
  EXPECT_THAT(metadata(kUid), HasSubstr(R"("stream":"1.2")"));
  EXPECT_THAT(metadata(kUid), Not(HasSubstr("stdout")));
}

TEST(EnrichPods, TheLabelsOfAnotherAgent) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app.kubernetes.io/name", "web"}}));
  f.spec.service_name = true;
  f.spec.labels = {{"cluster", "c1"}};
  f.spec.pod_labels.scheme = PodScheme::k8s_monitoring;
  EXPECT_EQ(f.one(record(kTail, kUid)),
            record(R"("app_kubernetes_io_name":"web","cluster":"c1","container":"nginx","job":"shop/nginx","namespace":"shop",)"
                   R"("service_name":"web")",
                   R"("pod_uid":"u-1","pod":"web-1","stream":"stdout")"));
  // Also of a pod that is not known; records of no pod stay as they are.
  EXPECT_THAT(f.one(record(kTail, R"("pod_uid":"u-2")")), HasSubstr(R"("pod":"web-1","stream":"stdout"})"));
  EXPECT_THAT(f.one(record(R"("filename":"/var/log/syslog")")), HasSubstr(R"("filename":"/var/log/syslog","service_name")"));
  // What an option names stays a label.
  f.spec.pod_labels.annotations = {{"x", "stream"}};
  EXPECT_THAT(f.one(record(kTail, kUid)), HasSubstr(R"("stream":"stdout"},"metadata")"));
}

TEST(EnrichPods, LevelAsLabelWithPods) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web"}}));
  f.spec.level = EnrichSpec::Level::label;
  f.spec.level_label = "level";
  EXPECT_THAT(f.batch({record(kTail, kUid, "error")}).front(),
              testing::AllOf(HasSubstr(R"("app":"web")"), HasSubstr(R"("level":"error")")));
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web2"}}));
  EXPECT_THAT(f.batch({record(kTail, kUid, "error")}).front(),
              testing::AllOf(HasSubstr(R"("app":"web2")"), HasSubstr(R"("level":"error")")));
}

TEST(EnrichPods, ChangesCountFromTheNextBatchOn) {
  Enrich f;
  const std::string in = record(kTail, kUid);
  EXPECT_EQ(f.batch({in}), Lines{in});
  f.directory.put(test::pod("u-9", "shop", "other", {{"app", "other"}}));
  EXPECT_EQ(f.batch({in}), Lines{in});
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web"}}));
  EXPECT_THAT(f.batch({in, in}), testing::Each(HasSubstr(R"("app":"web")")));
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web2"}}));
  EXPECT_THAT(f.batch({in}).front(), HasSubstr(R"("app":"web2")"));
  f.directory.gone({"u-1", "shop", "web-1"}, 0);
  EXPECT_THAT(f.batch({in}).front(), HasSubstr(R"("app":"web2")"));
  f.directory.forget(2 * kube::PodDirectory::kKeepGone);
  EXPECT_EQ(f.batch({in}), Lines{in});
}

// What records of an earlier batch point at must not go while they are somewhere below.
TEST(EnrichPods, AChangeLeavesEarlierBatchesAlone) {
  Enrich f;
  f.spec.pod_labels.metadata = {{"v", "v"}};
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web"}, {"v", "1"}}));
  f.batch({});  // makes the stage
  record::JsonlReader reader(f.clock);
  record::Batch first;
  test::LinesOutlet out;
  ASSERT_TRUE(reader.parse(first.copy(record(kTail, kUid)), first).ok());
  ASSERT_TRUE(f.stage->consume(first, out).ok());
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web2"}, {"v", "2"}}));
  EXPECT_THAT(f.batch({record(kTail, kUid)}).front(), HasSubstr(R"("v":"2")"));
  EXPECT_EQ(first.records[0].labels->get("app"), "web");
  EXPECT_EQ(record::find(first.records[0].metadata, "v"), "1");
}

TEST(EnrichPods, AManyTimesChangedDirectoryKeepsNoSets) {
  Enrich f;
  const std::size_t before = record::LabelSet::live();
  for (int i = 0; i < 2000; ++i) {
    f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", fmt::format("web-{}", i)}}));
    ASSERT_THAT(f.batch({record(kTail, kUid)}).front(), HasSubstr(fmt::format("web-{}\"", i)));
  }
  EXPECT_LT(record::LabelSet::live(), before + 20);
}

TEST(EnrichPods, UnknownPodsAreCountedAndAskedFor) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1", {{"app", "web"}}));
  test::TestContext context;
  auto stage = std::move(*make_enrich(f.spec, context.context));
  test::run_stage_once(*stage,
                       {record(kTail, kUid), record(kTail, R"("pod_uid":"u-2")"), record(kTail, R"("pod_uid":"u-2")"),
                        record(R"("filename":"/var/log/syslog")"), record(R"("namespace":"shop","pod":"gone")")},
                       [] { return 5; });
  EXPECT_EQ(test::value_of(context.registry, "weir_enrich_unknown_records_total"), 4U);
  EXPECT_EQ(f.pods->asked(), std::vector<std::string>{"u-2"});  // once a batch
}

// Otherwise the request that used() makes due could leave before the pod is asked for, and would be none for it.
TEST(EnrichPods, PodsAreUsedBehindTheQuestionsOfABatch) {
  for (const bool waits : {false, true}) {
    Enrich f;
    test::TestContext context;
    if (waits) f.spec.knowledge = std::make_shared<PodKnowledge>(PodKnowledgeSpec{.wait = 0}, f.pods, *context.context.clock);
    auto stage = std::move(*make_enrich(f.spec, context.context));
    test::run_stage_once(*stage, {record(kTail, R"("pod_uid":"u-2")")}, [] { return 5; });
    const std::vector<std::string> calls = f.pods->calls();
    ASSERT_THAT(calls, testing::Contains("ask")) << waits;
    ASSERT_THAT(calls, testing::Contains("used")) << waits;
    EXPECT_LT(std::ranges::find(calls, "ask"), std::ranges::find(calls, "used")) << waits;
  }
}

TEST(EnrichPods, TheSourceOfPodsIsShownWhenSomebodyAsks) {
  Enrich f;
  f.directory.put(test::pod("u-1", "shop", "web-1"));
  test::TestContext context;
  metrics::Driver driver(context.registry, context.clock, "chain");
  context.context.driver = &driver;
  base::Wake wake;
  ASSERT_TRUE(wake.open().ok());
  const auto stage = std::move(*make_enrich(f.spec, context.context));
  driver.begin(wake);
  const auto expect = [&](std::uint64_t age, std::uint64_t silent, std::uint64_t lists) {
    EXPECT_FALSE(context.registry.ask(0));
    driver.turn(context.clock.monotonic());
    EXPECT_EQ(test::value_of(context.registry, "weir_enrich_known_pods"), 1U);
    EXPECT_EQ(test::value_of(context.registry, "weir_enrich_pods_age_seconds"), age);
    EXPECT_EQ(test::value_of(context.registry, "weir_enrich_unreachable_pod_sources"), silent);
    EXPECT_EQ(test::value_of(context.registry, "weir_enrich_pod_lists_total"), lists);
  };
  expect(metrics::kInfinite, 0, 0);
  kube::PodsStatus status;
  status.lists = 3;
  status.fresh = true;
  status.fresh_at = context.clock.monotonic();
  f.pods->set_status(status);
  expect(0, 0, 3);
  context.clock.advance(5 * base::kSecond);
  status.trouble = "cannot connect";
  status.failures = 1;
  f.pods->set_status(status);
  expect(5 * base::kSecond, 1, 3);
  driver.end();
}

TEST(EnrichPods, WithoutPodsNothingOfThemIsShown) {
  test::TestContext context;
  auto stage = std::move(*make_enrich({}, context.context));
  for (const auto& sample : context.registry.read()) EXPECT_THAT(std::string(sample.metric->name), Not(HasSubstr("pod_")));
}

TEST(EnrichPodsCheck, Failure) {
  const auto f = [](const PodLabelsSpec& labels, std::string_view fragment,
                    std::vector<std::pair<std::string, std::string>> own = {}) {
    EnrichSpec spec;
    spec.pod_labels = labels;
    spec.labels = std::move(own);
    const auto checked = check(spec);
    ASSERT_FALSE(checked.ok()) << fragment;
    EXPECT_EQ(checked.error().code, Code::usage);
    EXPECT_THAT(checked.error().message, HasSubstr(std::string(fragment)));
  };
  f({.labels = {{"9a", "9a"}}}, R"(label "9a" is no label name)");
  f({.annotations = {{"a", "__a"}}}, "reserved");
  f({.labels = {{"a", "detected_level"}}}, "never a label");
  f({.labels = {{"a", "x"}}}, R"(label "x" is set twice)", {{"x", "1"}});
  f({.annotations = {{"a", "x"}}}, R"(label "x" is set twice)", {{"x", "1"}});
  f({.metadata = {{"a", "a.b"}}}, R"(Loki would change the name "a.b" of metadata to "a_b")");
  f({.metadata = {{"a", "pod_uid"}}}, "a meaning of its own");
  f({.metadata = {{"a", "detected_level"}}}, "a meaning of its own");
}

TEST(EnrichPodsCheck, Success) {
  EnrichSpec spec;
  spec.pod_labels.labels = {{"a", "x"}, {"b", "x"}};  // the first that there is
  spec.pod_labels.annotations = {{"c", "x"}};
  spec.pod_labels.metadata = {{"a", "x"}, {"b", "x"}};
  EXPECT_TRUE(check(spec).ok());
}

}  // namespace
}  // namespace weir::stages
