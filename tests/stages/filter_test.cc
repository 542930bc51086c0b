#include "stages/filter.h"

#include "support/collect.h"
#include "support/run_stage.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace weir::stages {
namespace {

using Lines = std::vector<std::string>;

std::string record(std::string_view line, std::string_view rest = "") {
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}","labels":{{"app":"shop"}}{}}})", line, rest);
}

// The lines that pass, however the input is cut.
Lines pass(const FilterSpec& spec, const Lines& in) {
  test::TestContext test;
  Lines first;
  for (const std::size_t cut : {1UL, 2UL, 3UL, 1000UL}) {
    auto stage = make_filter(spec, test.context);
    EXPECT_TRUE(stage) << (stage ? "" : stage.error().message);
    Lines out = test::through(**stage, in, cut);
    std::erase_if(out, [](const std::string& line) { return line.find("\"line\"") == std::string::npos; });
    if (cut == 1) {
      first = out;
    } else {
      EXPECT_EQ(out, first) << cut;
    }
  }
  return first;
}

TEST(Filter, PassesWhatEveryExpressionMatches) {
  const Lines in = {record("error one"), record("info two"), record("error three")};
  EXPECT_EQ(pass({}, in), in);
  EXPECT_EQ(pass({.pass = {"|= `error`"}}, in), (Lines{in[0], in[2]}));
  EXPECT_EQ(pass({.pass = {"|= `error`", "|= `three`"}}, in), Lines{in[2]});
  EXPECT_EQ(pass({.pass = {R"({app="shop"})"}}, in), in);
  EXPECT_EQ(pass({.pass = {R"({app!="shop"})"}}, in), Lines{});
  EXPECT_EQ(pass({.drop = {"|= `one`", "|= `two`"}}, in), Lines{in[2]});
  EXPECT_EQ(pass({.pass = {"|= `error`"}, .drop = {"|= `three`"}}, in), Lines{in[0]});
}

TEST(Filter, DroppingNeedsCertainty) {
  const Lines in = {record("no json"), record(R"({\"level\":\"debug\"})"), record(R"({\"level\":\"info\"})")};
  EXPECT_EQ(pass({.drop = {R"(| json | level!="info")"}}, in), (Lines{in[0], in[2]}));
  EXPECT_EQ(pass({.drop = {R"(| json | __error__!="")"}}, in), (Lines{in[1], in[2]}));
}

TEST(Filter, GapsAreNeverDropped) {
  const Lines in = {record("lost", R"(,"metadata":{"weir_gap_bytes":"17"})")};
  EXPECT_EQ(pass({.pass = {"|= `error`"}, .drop = {"|= `lost`"}}, in), in);
}

TEST(Filter, DroppedRecordsLeaveOneMarkerALogUnlessASurvivorFollows) {
  test::TestContext test;
  auto stage = make_filter({.pass = {"|= `keep`"}}, test.context);
  ASSERT_TRUE(stage);
  const auto in = [](std::string_view line, std::string_view source) {
    return record(line, fmt::format(R"(,"source":"{}")", source));
  };
  const Lines all = {in("drop", "f.1.1.o.10"), in("drop", "f.1.1.e.20"), in("drop", "f.2.1.o.5"),
                     in("keep", "f.2.1.o.9"),  in("keep", "f.3.1.o.1"),  in("drop", "f.3.1.o.2.1")};
  EXPECT_EQ(test::through(**stage, all, 100),
            (Lines{in("keep", "f.2.1.o.9"), in("keep", "f.3.1.o.1"), R"({"source":"f.1.1.e.20"})", R"({"source":"f.3.1.o.2.1"})"}));
  // Markers that come in pass in order.
  EXPECT_EQ(test::through(**stage, {R"({"source":"f.1.1.o.30"})", in("keep", "f.1.1.o.40"), R"({"marker":{"type":"end"}})"}, 100),
            (Lines{R"({"source":"f.1.1.o.30"})", in("keep", "f.1.1.o.40"), R"({"marker":{"type":"end"}})"}));
}

TEST(Filter, MarkersOfWhatWasDroppedComeBeforeTheEnd) {
  const auto in = [](std::string_view line, std::string_view source) {
    return record(line, fmt::format(R"(,"source":"{}")", source));
  };
  const std::string done = R"({"source":"f.1.1.o.20","marker":{"type":"done"}})";
  const std::string end = R"({"marker":{"type":"end"}})";
  const Lines all = {in("drop", "f.1.1.o.10"),
                     in("drop", "f.2.1.o.5"),
                     in("keep", "f.2.1.o.9"),
                     in("drop", "f.1.1.o.20"),
                     done,
                     in("drop", "f.1.2.o.7"),
                     end};
  for (const std::size_t cut : {1UL, 100UL}) {
    test::TestContext test;
    auto stage = make_filter({.pass = {"|= `keep`"}}, test.context);
    ASSERT_TRUE(stage);
    Lines want = {in("keep", "f.2.1.o.9"), R"({"source":"f.1.1.o.20"})", done, R"({"source":"f.1.2.o.7"})", end};
    if (cut == 1) want.insert(want.begin(), {R"({"source":"f.1.1.o.10"})", R"({"source":"f.2.1.o.5"})"});
    EXPECT_EQ(test::through(**stage, all, cut), want) << cut;
  }
}

TEST(Filter, CountsAddUp) {
  test::TestContext test;
  auto stage = make_filter({.pass = {"!= `a`"}, .drop = {"|= `b`"}}, test.context);
  ASSERT_TRUE(stage);
  test::through(**stage, {record("a"), record("b"), record("c"), record("b")}, 2);
  const pipeline::Counters counters = (*stage)->counters();
  EXPECT_EQ(counters.records_in, 4U);
  EXPECT_EQ(counters.records_out, 1U);
  EXPECT_EQ(counters.dropped.at("not_matched"), 1U);
  EXPECT_EQ(counters.dropped.at("dropped_by_expression"), 2U);
}

TEST(Filter, SaysWhichNameIsWrong) {
  const auto f = [](const FilterSpec& spec, std::string_view wanted, const Lines& in = {record("a"), record("b")}) {
    test::TestContext test;
    auto stage = make_filter(spec, test.context);
    ASSERT_TRUE(stage);
    test::through(**stage, in, 1);
    EXPECT_EQ((*stage)->summary(), wanted);
  };
  f({.pass = {R"({apq="shop"})"}}, R"({apq="shop"} matched nothing: no label 'apq' here; did you mean 'app'?)");
  f({.pass = {R"({app="shpo"} |= "a")"}}, R"({app="shpo"} matched nothing: no app 'shpo' here; did you mean 'shop'?)");
  f({.pass = {R"({app="shop"} |= "nothing has this")", "|= `nor this`"}}, "");
  f({.pass = {R"({apq!="x"})"}}, R"(no label 'apq' here, so {apq!="x"} excludes nothing)");
  f({.pass = {R"({app!="x"})"}}, "");
  f({.drop = {R"({apq="shop"})"}}, R"(--drop {apq="shop"} matched nothing: no label 'apq' here; did you mean 'app'?)");
  f({.drop = {R"({app="elsewhere"})"}}, "");  // rules name what other nodes have
  f({.pass = {R"({apq="shop"})"}}, "", {});
}

TEST(Filter, ABadExpressionIsAConfigErrorWithItsPlace) {
  test::TestContext test;
  const auto stage = make_filter({.pass = {R"({app="x)"}}, test.context);
  ASSERT_FALSE(stage);
  EXPECT_EQ(stage.error().code, base::Code::config);
  EXPECT_NE(stage.error().message.find("line 1, col 6"), std::string::npos) << stage.error().message;
}

// -- rules --

// What comes out of a filter with these rules.
Lines by_rules(const std::string& rules, const Lines& in, bool explain = false) {
  test::TempDir folder;
  folder.write("rules", rules);
  return test::run_stage(
      [&] {
        static test::TestContext test;
        auto stage = make_filter({.rules = {.files = {folder / "rules"}}, .explain = explain}, test.context);
        EXPECT_TRUE(stage) << (stage ? "" : stage.error().message + "\n" + stage.error().hint);
        return *std::move(stage);
      },
      in);
}

TEST(FilterRules, DropHoldAndKeep) {
  const Lines in = {record("debug one"), record("error two"), record("debug healthz"), record("debug kept")};
  EXPECT_EQ(by_rules("keep |= \"kept\"\ndrop |= \"healthz\"\nhold |= \"debug\"\n", in),
            (Lines{record("debug one", R"(,"held":true)"), in[1], in[3]}));
}

TEST(FilterRules, ComeBehindTheExpressions) {
  test::TempDir folder;
  folder.write("rules", "keep |= \"a\"\ndrop |= \"c\"\n");
  test::TestContext test;
  auto stage = make_filter({.pass = {"!= `x`"}, .drop = {"|= `b`"}, .rules = {.files = {folder / "rules"}}}, test.context);
  ASSERT_TRUE(stage);
  EXPECT_EQ(test::through(**stage, {record("a"), record("a x"), record("a b"), record("c"), record("d")}, 1),
            (Lines{record("a"), record("d")}));
  const pipeline::Counters counters = (*stage)->counters();
  EXPECT_EQ(counters.records_in, 5U);
  EXPECT_EQ(counters.records_out, 2U);
  EXPECT_EQ(counters.dropped.at("not_matched"), 1U);
  EXPECT_EQ(counters.dropped.at("dropped_by_expression"), 1U);
  EXPECT_EQ(counters.dropped.at("drop"), 1U);
  EXPECT_EQ(counters.unaccounted(), 0);
}

TEST(FilterRules, ExplainPassesAllAndSaysWhatWouldBe) {
  const Lines in = {record("debug one"), record("two"), record("healthz")};
  EXPECT_EQ(by_rules("hold |= \"debug\"\nname health: drop |= \"healthz\"\nname all: tenant team-a |= \"two\"\n", in, true),
            (Lines{record("debug one", R"(,"metadata":{"weir_rule":"hold rule-f1fbadbc"})"),
                   record("two", R"(,"metadata":{"weir_rule":"pass"},"tenant":"team-a")"),
                   record("healthz", R"(,"metadata":{"weir_rule":"drop health"})")}));
}

TEST(FilterRules, AGapPasses) {
  const Lines in = {record("lost", R"(,"metadata":{"weir_gap_bytes":"17"})")};
  EXPECT_EQ(by_rules("drop {}\n", in), in);
}

TEST(FilterRules, ADroppedRecordLeavesItsPosition) {
  EXPECT_EQ(by_rules("drop |= \"no\"\n", {record("no", R"(,"source":"f.1.1.o.10")")}), (Lines{R"({"source":"f.1.1.o.10"})"}));
}

TEST(FilterRules, ReleasesGoDownstreamAsMarkersOnceAndWhenTheyEnd) {
  const std::string rule = "release from 2026-11-29T11:40:00Z to 2026-11-29T12:00:00Z {app=\"x\"}\n";
  test::TempDir folder;
  folder.write("rules", rule);
  test::TestContext test;
  auto stage = make_filter({.rules = {.files = {folder / "rules"}, .buffer_behind = true}}, test.context);
  ASSERT_TRUE(stage);
  base::Wake wake;
  ASSERT_TRUE((*stage)->attach(wake));
  test::LinesOutlet out;
  ASSERT_TRUE((*stage)->nudge(1, out));
  ASSERT_EQ(out.lines.size(), 1U);
  EXPECT_NE(out.lines[0].find(R"("type":"release")"), std::string::npos) << out.lines[0];
  EXPECT_NE(out.lines[0].find(R"("from":"2026-11-29T11:40:00Z","to":"2026-11-29T12:00:00Z")"), std::string::npos) << out.lines[0];
  ASSERT_TRUE((*stage)->nudge(2, out));
  EXPECT_EQ(out.lines.size(), 1U);
  folder.write("new", "# none\n");
  std::filesystem::rename(folder / "new", folder / "rules");
  ASSERT_TRUE((*stage)->nudge(3, out));
  ASSERT_EQ(out.lines.size(), 2U);
  EXPECT_NE(out.lines[1].find(R"("type":"release_ended")"), std::string::npos) << out.lines[1];
}

TEST(FilterRules, AReleaseThatWasRemovedWhileNothingRanEndsAtTheStart) {
  test::TempDir folder;
  test::TestContext test;
  const FilterSpec spec{.rules = {.files = {folder / "rules"}, .keep_beside = folder / "spool.db", .buffer_behind = true}};
  const auto start = [&](const std::string& text) {
    folder.write("rules", text);
    auto stage = make_filter(spec, test.context);
    EXPECT_TRUE(stage);
    base::Wake wake;
    EXPECT_TRUE((*stage)->attach(wake));
    test::LinesOutlet out;
    EXPECT_TRUE((*stage)->nudge(1, out));
    return out.lines;
  };
  const std::string one = "release from 2026-11-29T11:40:00Z to 2026-11-29T12:00:00Z {app=\"x\"}\n",
                    other = "release from 2026-11-29T11:40:00Z to 2026-11-29T12:00:00Z {app=\"y\"}\n";
  ASSERT_EQ(start(one + other).size(), 2U);
  const auto changed = start(other);
  ASSERT_EQ(changed.size(), 2U);
  EXPECT_NE(changed[0].find(R"("type":"release")"), std::string::npos) << changed[0];
  EXPECT_NE(changed[1].find(R"("type":"release_ended")"), std::string::npos) << changed[1];
  EXPECT_EQ(start(other).size(), 1U);
  const auto none = start("# none\n");
  ASSERT_EQ(none.size(), 1U);
  EXPECT_NE(none[0].find(R"("type":"release_ended")"), std::string::npos) << none[0];
}

TEST(FilterRules, InAPipeReleasesGoOnlyIntoATrackedStream) {
  test::TempDir folder;
  folder.write("rules", "release from 2026-11-29T11:40:00Z to 2026-11-29T12:00:00Z\n");
  test::TestContext test;
  auto stage = make_filter({.rules = {.files = {folder / "rules"}}}, test.context);
  ASSERT_TRUE(stage);
  EXPECT_EQ(test::through(**stage, {record("a")}, 1), (Lines{record("a")}));
  auto tracked = make_filter({.rules = {.files = {folder / "rules"}}}, test.context);
  ASSERT_TRUE(tracked);
  const Lines out = test::through(**tracked, {R"({"marker":{"type":"begin","checkpoint":"p"}})", record("a")}, 1);
  ASSERT_EQ(out.size(), 3U);
  EXPECT_NE(out[1].find(R"("type":"release")"), std::string::npos) << out[1];
}

TEST(FilterRules, RulesThatHoldNeedABuffer) {
  test::TempDir folder;
  folder.write("rules", "hold |= \"debug\"\n");
  test::TestContext test;
  const auto stage = make_filter({.rules = {.files = {folder / "rules"}, .buffer_behind = false}}, test.context);
  ASSERT_FALSE(stage);
  EXPECT_EQ(stage.error().code, base::Code::config);
  EXPECT_NE(stage.error().message.find("no buffer behind this filter"), std::string::npos) << stage.error().message;
  EXPECT_TRUE(make_filter({.rules = {.files = {folder / "rules"}, .buffer_behind = true}}, test.context));
}

TEST(FilterRules, CountsByRule) {
  test::TempDir folder;
  folder.write("rules", "name no: drop |= \"no\"\n");
  test::TestContext test;
  auto stage = make_filter({.rules = {.files = {folder / "rules"}}}, test.context);
  ASSERT_TRUE(stage);
  test::through(**stage, {record("no"), record("yes"), record("no")}, 2);
  std::uint64_t found = 0;
  for (const metrics::Sample& sample : test.registry.read()) {
    if (sample.metric->name == "weir_filter_rule_records_total" && sample.label_value == "no") found = sample.value;
  }
  EXPECT_EQ(found, 2U);
}

}  // namespace
}  // namespace weir::stages
