#include "rules/rule_set.h"

#include "logql/parser.h"
#include "record/jsonl_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::rules {
namespace {

using base::kHour;
using base::kMinute;
using base::kSecond;
using record::Batch;
using record::Record;

constexpr base::Timestamp kNow = 1'760'000'000 * kSecond;
constexpr base::Timestamp kAlways = std::numeric_limits<base::Timestamp>::max();

Rule rule(Action action, std::string_view match = "") {
  auto parsed = logql::parse(match, {.selector_optional = true});
  EXPECT_TRUE(parsed.ok()) << match;
  return {"", std::move(action), std::get<logql::LogExpr>(parsed->node), {"r.rules", 3, 0}};
}
Rule redact(const char* pattern, const char* replacement, std::string_view match = "") {
  return rule(Redact{pattern, replacement}, match);
}
Rule keep(std::string_view match) { return rule(Keep{}, match); }
Rule keep_for(base::Duration length, base::Timestamp from, std::string_view match) {
  return rule(Keep{Lifetime{length, from}}, match);
}
Rule drop(std::string_view match) { return rule(Drop{}, match); }
Rule hold(std::string_view match) { return rule(Hold{}, match); }
Rule sample(std::uint32_t per_million, std::string_view match = "") { return rule(Sample{per_million}, match); }
Rule limit(std::uint64_t amount, std::vector<std::string> by = {}, std::string_view match = "") {
  return rule(Limit{amount, Limit::Unit::records, kSecond, amount, std::move(by)}, match);
}
Rule dedup(base::Duration within, std::vector<std::string> by = {}, std::string_view match = "") {
  return rule(Dedup{within, std::move(by)}, match);
}
Rule tenant(const char* name, std::string_view match = "") { return rule(Tenant{name}, match); }

RuleSet compiled(std::vector<Rule> rules, const StateBounds& bounds = {}) {
  auto set = RuleSet::compile(std::move(rules), bounds);
  EXPECT_TRUE(set.ok()) << (set.ok() ? "" : set.error().message);
  set->begin(kNow);
  return std::move(*set);
}

// A record and the batch that owns it.
struct One {
  Batch batch;
  Record* record;
  explicit One(std::string_view line, std::initializer_list<record::Label> labels = {}, std::vector<record::Label> metadata = {},
               base::Timestamp time = kNow) {
    record = &batch.records.emplace_back();
    record->timestamp = time;
    record->labels = batch.hold(record::LabelSet::intern(labels));
    record->line = record::Text::bytes(batch.copy(line));
    const auto kept = batch.allocate_labels(metadata.size());
    for (std::size_t i = 0; i < metadata.size(); ++i) kept[i] = {batch.copy(metadata[i].name), batch.copy(metadata[i].value)};
    record->metadata = kept;
    record->raw = "as it came";
  }
  Judgement judged(RuleSet& set) { return set.judge(*record, batch); }
  Verdict verdict(RuleSet& set) { return judged(set).verdict; }
  [[nodiscard]] std::string json() const {
    std::string out;
    record::append_jsonl(out, *record);
    return out;
  }
  [[nodiscard]] bool touched() const { return record->raw.empty(); }
};

Judgement by(Verdict verdict, std::size_t number) { return {verdict, number}; }

// ---- phase 2

TEST(RuleSet, WithoutRulesAllPassUntouched) {
  RuleSet set = compiled({});
  One one("x");
  EXPECT_EQ(one.judged(set), Judgement());
  EXPECT_FALSE(one.touched());
}

TEST(RuleSet, TheFirstThatMatchesDecides) {
  RuleSet set = compiled({keep(R"({app="a"} |= "keep")"), drop(R"({app="a"})"), hold(R"(|= "hold")"), drop("")});
  EXPECT_EQ(One("keep", {{"app", "a"}}).judged(set), by(Verdict::pass, 0));
  EXPECT_EQ(One("other", {{"app", "a"}}).judged(set), by(Verdict::drop, 1));
  EXPECT_EQ(One("hold", {{"app", "a"}}).judged(set), by(Verdict::drop, 1));
  EXPECT_EQ(One("hold", {{"app", "b"}}).judged(set), by(Verdict::hold, 2));
  EXPECT_EQ(One("other", {{"app", "b"}}).judged(set), by(Verdict::drop, 3));
}

TEST(RuleSet, WhatNoRuleMatchesPasses) {
  RuleSet set = compiled({drop(R"({app="a"} |= "x")")});
  EXPECT_EQ(One("y", {{"app", "a"}}).judged(set), Judgement());
  EXPECT_EQ(One("x", {{"app", "b"}}).judged(set), Judgement());
}

TEST(RuleSet, HoldMarksTheRecord) {
  RuleSet set = compiled({hold(R"(| detected_level="debug")")});
  One debug("x", {}, {{"detected_level", "debug"}}), info("x", {}, {{"detected_level", "info"}});
  EXPECT_EQ(debug.verdict(set), Verdict::hold);
  EXPECT_TRUE(debug.record->held);
  EXPECT_TRUE(debug.touched());
  EXPECT_EQ(info.verdict(set), Verdict::pass);
  EXPECT_FALSE(info.record->held);
  EXPECT_FALSE(info.touched());
  EXPECT_TRUE(set.holds());
  EXPECT_FALSE(compiled({drop("")}).holds());
}

TEST(RuleSet, AReleaseDecidesNothing) {
  RuleSet set = compiled({rule(Release{1, 2})});
  EXPECT_EQ(One("x").judged(set), Judgement());
}

// ---- __error__

TEST(RuleSet, WhatCouldLoseARecordNeedsCertainty) {
  const char* size = "| json | size > 5";  // a size that is no number is an error, and passes the filter
  for (Rule one : {drop(size), hold(size), sample(0, size), rule(Limit{1, Limit::Unit::records, kSecond, 1, {}}, size),
                   dedup(kSecond, {}, size)}) {
    RuleSet set = compiled({std::move(one)});
    for (int i = 1; i <= 3; ++i) {
      EXPECT_EQ(One(R"({"size":"big"})").judged(set), Judgement()) << word_of(set.rules()[0].action);
      EXPECT_EQ(set.counts()[0].errors, static_cast<std::uint64_t>(i));
    }
    EXPECT_EQ(set.counts()[0].records, 0U);
  }
}

TEST(RuleSet, AnExpressionMayAskForErrors) {
  RuleSet set = compiled({drop(R"(| json | __error__!="")")});
  EXPECT_EQ(One("no json").verdict(set), Verdict::drop);
  EXPECT_EQ(One("{}").verdict(set), Verdict::pass);
  EXPECT_EQ(set.counts()[0].errors, 0U);
}

TEST(RuleSet, WhatLosesNothingTakesRecordsWithErrors) {
  RuleSet set = compiled({keep("| json"), tenant("t", "| json"), drop("")});
  One one("no json");
  EXPECT_EQ(one.judged(set), by(Verdict::pass, 0));
  EXPECT_EQ(one.record->tenant, "t");
}

// ---- gaps

TEST(RuleSet, AGapAlwaysPasses) {
  RuleSet set = compiled({drop(R"(|= "drop")"), hold(R"(|= "hold")"), sample(0), limit(1), dedup(kHour), tenant("t")});
  for (const char* line : {"drop", "hold", "x", "x"}) {
    One gap(line, {}, {{"weir_gap_bytes", "unknown"}});
    EXPECT_EQ(gap.judged(set), Judgement());
    EXPECT_FALSE(gap.record->held);
    EXPECT_EQ(gap.record->tenant, "t");
  }
  for (const RuleCounts& counts : set.counts()) EXPECT_EQ(counts.records, 0U);
}

TEST(RuleSet, AGapIsRedactedButStaysOne) {
  RuleSet set = compiled({redact("[0-9]", "")});
  One gap("lost 17", {{"pod", "a1"}}, {{"weir_gap_bytes", "17"}, {"file", "1.log"}});
  EXPECT_EQ(gap.verdict(set), Verdict::pass);
  EXPECT_EQ(gap.record->labels->json(), R"({"pod":"a"})");
  EXPECT_EQ(gap.record->line.data, "lost ");
  EXPECT_EQ(record::find(gap.record->metadata, "weir_gap_bytes"), "17");
  EXPECT_EQ(record::find(gap.record->metadata, "file"), ".log");
}

// ---- redact

TEST(RuleSet, RedactsLineMetadataAndLabels) {
  RuleSet set = compiled({redact(R"(\d{4,})", "#", R"({namespace="pay"})")});
  One one("card 41111", {{"namespace", "pay"}, {"pod", "p-12345"}}, {{"trace", "t77777"}, {"level", "info"}});
  EXPECT_EQ(one.judged(set), Judgement());
  EXPECT_EQ(one.json(), R"({"timestamp":"2025-10-09T08:53:20Z","line":"card #","labels":{"namespace":"pay","pod":"p-#"},)"
                        R"("metadata":{"trace":"t#","level":"info"}})"
                        "\n");
  One other("card 41111", {{"namespace", "shop"}});
  EXPECT_EQ(other.judged(set), Judgement());
  EXPECT_FALSE(other.touched());
  EXPECT_EQ(set.counts()[0].records, 1U);
  EXPECT_EQ(set.counts()[0].bytes, 10U);
}

TEST(RuleSet, WhatRedactDoesNotChangeIsNotTouched) {
  RuleSet set = compiled({redact("secret", "#")});
  One one("nothing", {{"pod", "p"}}, {{"a", "b"}});
  one.record->line = {R"(no\"thing)", record::Text::Form::json};
  EXPECT_EQ(one.judged(set), Judgement());
  EXPECT_FALSE(one.touched());
  EXPECT_FALSE(one.record->line.decoded());
  EXPECT_EQ(set.counts()[0].records, 0U);
}

TEST(RuleSet, RedactionsFollowEachOtherAndAllSeeTheLabelsAsTheyCame) {
  RuleSet set = compiled({redact("a", "b", R"({pod="a"})"), redact("b", "c", R"({pod="a"})"), redact("c", "d", R"({pod="b"})")});
  One one("aX", {{"pod", "a"}});
  EXPECT_EQ(one.verdict(set), Verdict::pass);
  EXPECT_EQ(one.record->line.data, "cX");
  EXPECT_EQ(one.record->labels->json(), R"({"pod":"c"})");
}

TEST(RuleSet, LaterPhasesSeeWhatWasRedacted) {
  RuleSet set = compiled({drop(R"({pod="a"})"), drop(R"(|= "secret")"), keep(R"({pod="#"} |= "#")"), redact("a|secret", "#")});
  EXPECT_EQ(One("secret", {{"pod", "a"}}).judged(set), by(Verdict::pass, 2));
}

TEST(RuleSet, ARedactedLabelMayVanish) {
  RuleSet set = compiled({redact("x", "")});
  One one("l", {{"a", "x"}, {"b", "y"}});
  EXPECT_EQ(one.verdict(set), Verdict::pass);
  EXPECT_EQ(one.record->labels->json(), R"({"b":"y"})");
}

// ---- lifetimes

TEST(RuleSet, ALifetimeCountsFromItsBeginningToItsEnd) {
  RuleSet set = compiled({keep_for(10 * kSecond, kNow, ""), keep_for(kHour, kNow + kMinute, ""), drop("")});
  const auto passes_at = [&](base::Timestamp now, base::Timestamp& next) {
    next = set.begin(now);
    return One("x").judged(set).rule;
  };
  base::Timestamp next = 0;
  EXPECT_EQ(passes_at(kNow - 1, next), 2U);
  EXPECT_EQ(next, kNow);
  EXPECT_EQ(passes_at(kNow, next), 0U);
  EXPECT_EQ(next, kNow + 10 * kSecond);
  EXPECT_EQ(passes_at(kNow + 10 * kSecond - 1, next), 0U);
  EXPECT_EQ(passes_at(kNow + 10 * kSecond, next), 2U);
  EXPECT_EQ(next, kNow + kMinute);
  EXPECT_EQ(passes_at(kNow + kMinute, next), 1U);
  EXPECT_EQ(next, kNow + kMinute + kHour);
  EXPECT_EQ(passes_at(kNow + kMinute + kHour, next), 2U);
  EXPECT_EQ(next, kAlways);
  EXPECT_EQ(passes_at(kNow + 1, next), 0U) << "a clock that was set back";
}

TEST(RuleSet, NoLifetimeCountsBeforeTheFirstBatch) {
  auto set = RuleSet::compile({keep_for(kHour, kNow, ""), drop("")});
  ASSERT_TRUE(set.ok());
  EXPECT_EQ(One("x").verdict(*set), Verdict::drop);
}

TEST(RuleSet, AKeepWithALifetimeExempts) {
  RuleSet set = compiled({keep_for(kHour, kNow, R"(|= "now")"), keep(R"(|= "always")"), sample(0), tenant("t")});
  One now("now"), always("always");
  EXPECT_EQ(now.judged(set), by(Verdict::pass, 0));
  EXPECT_EQ(now.record->tenant, "t");
  EXPECT_EQ(always.judged(set), by(Verdict::sampled, 2));
  RuleSet limited = compiled({keep_for(kHour, kNow, R"(|= "now")"), limit(1)});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(One("now").verdict(limited), Verdict::pass);
  EXPECT_EQ(One("x").verdict(limited), Verdict::pass) << "what is exempt does not count";
  EXPECT_EQ(One("x").verdict(limited), Verdict::limited);
}

// ---- sample

TEST(RuleSet, ASampleIsAboutItsShare) {
  RuleSet set = compiled({sample(100'000)});
  int passed = 0;
  for (int i = 0; i < 10'000; ++i) passed += One("line", {{"pod", "p"}}, {}, kNow + i).verdict(set) == Verdict::pass;
  EXPECT_NEAR(passed, 1000, 150);
  EXPECT_EQ(set.counts()[0].records, 10'000U - static_cast<unsigned>(passed));
}

// The same in every process and release: a sample that is sampled again is itself.
TEST(RuleSet, ASampleIsTheSameEverywhere) {
  RuleSet set = compiled({sample(500'000)}), again = compiled({sample(500'000), sample(500'000)});
  std::string passed;
  for (int i = 0; i < 32; ++i) {
    One one("line " + std::to_string(i), {{"pod", "p"}});
    const Verdict verdict = one.verdict(set);
    passed += verdict == Verdict::pass ? '1' : '0';
    EXPECT_EQ(One("line " + std::to_string(i), {{"pod", "p"}}).verdict(again), verdict);
  }
  EXPECT_EQ(passed, "11000011100010110010100001010111");
}

TEST(RuleSet, ASampleOfNothingAndOfAll) {
  RuleSet none = compiled({sample(0)}), all = compiled({sample(1'000'000)});
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(One(std::to_string(i)).verdict(none), Verdict::sampled);
    EXPECT_EQ(One(std::to_string(i)).verdict(all), Verdict::pass);
  }
}

// ---- limit

int passing(RuleSet& set, int count, std::initializer_list<record::Label> labels, std::vector<record::Label> metadata = {}) {
  int passed = 0;
  for (int i = 0; i < count; ++i) passed += One("x", labels, metadata).verdict(set) == Verdict::pass;
  return passed;
}

TEST(RuleSet, ALimitCountsForEachKey) {
  RuleSet set = compiled({limit(3, {"namespace", "pod"})});
  EXPECT_EQ(passing(set, 5, {{"namespace", "a"}, {"pod", "p"}, {"stream", "stdout"}}), 3);
  EXPECT_EQ(passing(set, 5, {{"namespace", "a"}, {"pod", "p"}, {"stream", "stderr"}}), 0);
  EXPECT_EQ(passing(set, 5, {{"namespace", "b"}, {"pod", "p"}}), 3);
  EXPECT_EQ(passing(set, 5, {{"namespace", "ab"}}), 3);
  EXPECT_EQ(set.counts()[0].records, 2U + 5 + 2 + 2);
}

TEST(RuleSet, ALabelThatEnrichMovedIsFoundInTheMetadata) {
  RuleSet set = compiled({limit(1, {"pod"})});
  EXPECT_EQ(passing(set, 3, {}, {{"pod", "p"}}), 1);
  EXPECT_EQ(passing(set, 3, {}, {{"pod", "q"}}), 1);
  EXPECT_EQ(passing(set, 3, {}), 1);
  EXPECT_EQ(passing(set, 3, {{"pod", "p"}}), 0) << "the same pod";
}

TEST(RuleSet, ALimitWithoutKeysCountsAllThatMatch) {
  RuleSet set = compiled({limit(3, {}, R"({app="a"})")});
  EXPECT_EQ(passing(set, 2, {{"app", "a"}, {"pod", "p"}}), 2);
  EXPECT_EQ(passing(set, 2, {{"app", "a"}, {"pod", "q"}}), 1);
  EXPECT_EQ(passing(set, 9, {{"app", "b"}}), 9);
}

TEST(RuleSet, ALimitGoesByRecordTimeAndTheFutureCountsAsNow) {
  RuleSet set = compiled({limit(1)});
  const auto verdict = [&](base::Timestamp time) { return One("x", {}, {}, time).verdict(set); };
  EXPECT_EQ(verdict(kNow - kHour), Verdict::pass);
  EXPECT_EQ(verdict(kNow - kHour), Verdict::limited);
  EXPECT_EQ(verdict(kNow + 5 * kSecond), Verdict::pass);
  EXPECT_EQ(verdict(kNow + kHour), Verdict::pass);
  EXPECT_EQ(verdict(kNow + 2 * kHour), Verdict::limited);
  EXPECT_EQ(verdict(kNow), Verdict::limited);
  EXPECT_EQ(verdict(kNow + kSecond), Verdict::pass);
}

TEST(RuleSet, ALimitInBytesCountsTheDecodedLine) {
  RuleSet set = compiled({rule(Limit{10, Limit::Unit::bytes, kSecond, 10, {}})});
  One first("12345"), second("x");
  second.record->line = {R"(\n\n\n\n\n)", record::Text::Form::json};
  EXPECT_EQ(first.verdict(set), Verdict::pass);
  EXPECT_EQ(second.verdict(set), Verdict::pass);
  EXPECT_EQ(One("1").verdict(set), Verdict::limited);
}

TEST(RuleSet, EqualRulesCountApart) {
  RuleSet set = compiled({limit(4), limit(4)});
  EXPECT_EQ(passing(set, 6, {}), 4);
}

TEST(RuleSet, StateIsBoundedAndFailsOpen) {
  RuleSet set = compiled({limit(1, {"pod"})}, {.keys = 10, .bytes = 1 << 20});
  const auto verdict = [&](int pod) { return One("x", {{"pod", "p" + std::to_string(pod)}}).verdict(set); };
  for (int pod = 0; pod < 10; ++pod) EXPECT_EQ(verdict(pod), Verdict::pass);
  EXPECT_EQ(verdict(0), Verdict::limited);
  EXPECT_EQ(set.forgotten_keys(), 0U);
  EXPECT_EQ(verdict(10), Verdict::pass);
  EXPECT_EQ(set.forgotten_keys(), 1U);
  EXPECT_EQ(verdict(0), Verdict::limited) << "it was used";
  EXPECT_EQ(verdict(1), Verdict::pass) << "it was forgotten";
}

TEST(RuleSet, NothingIsForgottenThatIsOver) {
  RuleSet set = compiled({limit(1)}, {.keys = 2, .bytes = 1 << 20});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(One("x", {}, {}, kNow - kHour + i * kSecond).verdict(set), Verdict::pass);
  EXPECT_EQ(set.forgotten_keys(), 0U);
}

// ---- dedup

TEST(RuleSet, DedupPassesEqualLinesOnce) {
  RuleSet set = compiled({dedup(10 * kSecond)});
  const auto verdict = [&](const char* line, int second, const char* pod = "p") {
    return One(line, {{"pod", pod}}, {}, kNow + second * kSecond).verdict(set);
  };
  EXPECT_EQ(verdict("a", 0), Verdict::pass);
  EXPECT_EQ(verdict("a", 9), Verdict::repeated);
  EXPECT_EQ(verdict("b", 9), Verdict::pass);
  EXPECT_EQ(verdict("a", 9, "q"), Verdict::pass) << "without by, all labels of the stream are the key";
  EXPECT_EQ(verdict("a", 10), Verdict::pass);
}

TEST(RuleSet, DedupByLabelsSpansStreams) {
  RuleSet set = compiled({dedup(kSecond, {"app"})});
  EXPECT_EQ(passing(set, 2, {{"app", "a"}, {"pod", "p"}}), 1);
  EXPECT_EQ(passing(set, 2, {{"app", "a"}, {"pod", "q"}}), 0);
  EXPECT_EQ(passing(set, 2, {{"app", "b"}, {"pod", "q"}}), 1);
}

TEST(RuleSet, DedupKnowsALineInEitherForm) {
  RuleSet set = compiled({dedup(kSecond)});
  One bytes("a\"b"), json("");
  json.record->line = {R"(a\"b)", record::Text::Form::json};
  EXPECT_EQ(bytes.verdict(set), Verdict::pass);
  EXPECT_EQ(json.verdict(set), Verdict::repeated);
}

// ---- tenant, and the order of phase 3

TEST(RuleSet, TheLastTenantStays) {
  RuleSet set = compiled({tenant("first"), tenant("second", R"(|= "x")")});
  One one("x"), other("y"), same("y");
  same.record->tenant = "first";
  EXPECT_EQ(one.verdict(set), Verdict::pass);
  EXPECT_EQ(one.record->tenant, "second");
  EXPECT_TRUE(one.touched());
  EXPECT_EQ(other.verdict(set), Verdict::pass);
  EXPECT_EQ(other.record->tenant, "first");
  EXPECT_EQ(same.verdict(set), Verdict::pass);
  EXPECT_FALSE(same.touched());
}

TEST(RuleSet, WhatIsHeldHasItsTenantAndIsLostToNothing) {
  RuleSet set = compiled({hold(""), sample(0), limit(1), dedup(kHour), tenant("t")});
  for (int i = 0; i < 3; ++i) {
    One one("x");
    EXPECT_EQ(one.judged(set), by(Verdict::hold, 0));
    EXPECT_EQ(one.record->tenant, "t");
  }
}

TEST(RuleSet, WhatAnEarlierRuleLostCountsInNoLaterOne) {
  RuleSet set = compiled({dedup(kHour), limit(2)});
  int passed = 0;
  for (const char* line : {"a", "a", "a", "b", "b", "c"}) passed += One(line).verdict(set) == Verdict::pass;
  EXPECT_EQ(passed, 2);
  EXPECT_EQ(set.counts()[0].records, 3U);
  EXPECT_EQ(set.counts()[1].records, 1U);
}

// ---- reload

TEST(RuleSet, StateGoesOnForRulesThatSayTheSame) {
  RuleSet before = compiled({limit(2), dedup(kHour, {"app"}), limit(5, {"pod"})});
  EXPECT_EQ(One("a").verdict(before), Verdict::pass);
  RuleSet after = compiled({limit(5, {"app"}), drop(R"(|= "drop")"), dedup(kHour, {"app"}), limit(2)});
  after.take_state_of(before);
  EXPECT_EQ(One("a").judged(after), by(Verdict::repeated, 2));
  EXPECT_EQ(One("b").judged(after), Judgement());
  EXPECT_EQ(One("c").judged(after), by(Verdict::limited, 3));
  EXPECT_EQ(One("a").judged(before), Judgement()) << "the old set begins anew";
}

TEST(RuleSet, ARuleThatCameLaterDoesNotFindTheStateOfAnother) {
  RuleSet first = compiled({limit(1), limit(1, {"pod"})});
  EXPECT_EQ(One("x").verdict(first), Verdict::pass);
  RuleSet second = compiled({limit(1, {"pod"})});
  second.take_state_of(first);
  EXPECT_EQ(One("x").verdict(second), Verdict::limited);
  RuleSet third = compiled({limit(1), limit(1, {"app"})});
  third.take_state_of(second);
  EXPECT_EQ(One("x").verdict(third), Verdict::pass);
  EXPECT_EQ(One("x").verdict(third), Verdict::limited);
}

TEST(RuleSet, AStateThatIsTooLargeForTheNewBoundsIsCut) {
  RuleSet before = compiled({limit(1, {"pod"})});
  for (int pod = 0; pod < 10; ++pod) EXPECT_EQ(One("x", {{"pod", "p" + std::to_string(pod)}}).verdict(before), Verdict::pass);
  RuleSet after = compiled({limit(1, {"pod"})}, {.keys = 4, .bytes = 1 << 20});
  after.take_state_of(before);
  EXPECT_EQ(after.forgotten_keys(), 6U);
  EXPECT_EQ(One("x", {{"pod", "p9"}}).verdict(after), Verdict::limited);
  EXPECT_EQ(One("x", {{"pod", "p0"}}).verdict(after), Verdict::pass);
}

// ---- label sets

TEST(RuleSet, MoreLabelSetsThanAreRemembered) {
  RuleSet set = compiled({redact("^p", "q"), drop(R"({pod=~"q.*7"})")});
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3000; ++i) {
      One one("x", {{"pod", "p" + std::to_string(i)}});
      EXPECT_EQ(one.verdict(set), i % 10 == 7 ? Verdict::drop : Verdict::pass);
      EXPECT_EQ(one.record->labels->get("pod"), "q" + std::to_string(i));
    }
  }
}

TEST(RuleSet, LabelSetsGoWithTheSet) {
  const std::size_t before = record::LabelSet::live();
  {
    RuleSet set = compiled({redact("^p", "q")});
    for (int i = 0; i < 100; ++i) EXPECT_EQ(One("x", {{"pod", "p" + std::to_string(i)}}).verdict(set), Verdict::pass);
    EXPECT_GT(record::LabelSet::live(), before);
  }
  EXPECT_EQ(record::LabelSet::live(), before);
}

// ---- mistakes

TEST(RuleSet, WhatDoesNotCompileNamesItsPlace) {
  const auto error = [](Rule one) {
    auto set = RuleSet::compile({keep(""), std::move(one)});
    return set.ok() ? std::string("(none)") : set.error().message;
  };
  EXPECT_EQ(error(redact("(", "")), "cannot use rules r.rules: line 3: redact: error parsing regexp: missing closing ): `(`");
  EXPECT_EQ(error(redact("a", "", R"(|= "x")")),
            "cannot use rules r.rules: line 3: redact: only a selector may stand here, in braces");
  EXPECT_EQ(error(sample(1'000'001)), "cannot use rules r.rules: line 3: sample: a share is at most 100 %");
  EXPECT_EQ(error(limit(0)), "cannot use rules r.rules: line 3: limit: a rate is more than 0");
  EXPECT_EQ(error(dedup(0)), "cannot use rules r.rules: line 3: dedup: a duration is more than 0");
  EXPECT_EQ(error(keep_for(0, kNow, "")), "cannot use rules r.rules: line 3: keep: a lifetime ends after it begins, before 2262");
  EXPECT_EQ(error(keep_for(kAlways, kNow, "")), error(keep_for(-1, kNow, "")));
  Rule bad = drop(R"(| line_format "{{.a}}")");
  std::get<logql::LineFormatExpr>(bad.match.stages[0].node).text = "{{.a";
  const std::string message = error(bad);
  EXPECT_TRUE(message.starts_with("cannot use rules r.rules: line 3: drop: ")) << message;
  EXPECT_NE(message.find("line_format"), std::string::npos) << message;
  Rule selector = drop(R"({a=~"x"})");
  selector.match.matchers[0].value = "(";
  selector.place.file.clear();
  EXPECT_EQ(error(selector), "cannot use rules: line 3: drop: error parsing regexp: missing closing ): `(`");
}

}  // namespace
}  // namespace weir::rules
