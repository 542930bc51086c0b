// What rules cost a record: those that few streams are selected by, those that all are asked, 200 rules beside one. Run with a
// release build:
//   weir_micro_rules --benchmark_min_time=2
#include "base/clock.h"
#include "logql/parser.h"
#include "record/jsonl_reader.h"
#include "rules/rule_set.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace {

using namespace weir;  // NOLINT(google-build-using-namespace)

constexpr int kNamespaces = 50, kApps = 4;

rules::Rule rule(rules::Action action, const std::string& match) {
  auto parsed = logql::parse(match, {.selector_optional = true});
  return {"", std::move(action), std::get<logql::LogExpr>(parsed->node), {}};
}

std::vector<rules::Rule> one(rules::Rule rule) { return {std::move(rule)}; }

// One rule for each app of each namespace.
std::vector<rules::Rule> one_for_each(const rules::Action& action, const std::string& stages) {
  std::vector<rules::Rule> made;
  for (int n = 0; n < kNamespaces; ++n) {
    for (int a = 0; a < kApps; ++a) {
      made.push_back(rule(action, fmt::format(R"({{namespace="team-{}", app="app-{}"}}{})", n, a, stages)));
    }
  }
  return made;
}

// Four rules for each namespace, all of which are asked about each of its records.
std::vector<rules::Rule> four_for_each(const rules::Action& action, const std::vector<std::string>& stages) {
  std::vector<rules::Rule> made;
  for (int n = 0; n < kNamespaces; ++n) {
    for (const std::string& one : stages) made.push_back(rule(action, fmt::format(R"({{namespace="team-{}"}}{})", n, one)));
  }
  return made;
}

// Records of 200 streams, as enrich --level passes them on, runs of ten of a stream. One in five has the level debug.
void judge(benchmark::State& state, std::vector<rules::Rule> made) {
  std::vector<std::string> lines;
  for (int i = 0; i < 2000; ++i) {
    const int stream = i / 10;
    lines.push_back(
        fmt::format(R"({{"timestamp":"2024-05-01T10:00:00.{:09}Z","line":"time=2024-05-01T10:00:00Z level=info msg=\"request )"
                    R"(served\" path=/orders status=200 duration=12.3ms trace_id={:032x}","labels":{{"app":"app-{}","container":)"
                    R"("main","namespace":"team-{}","pod":"app-{}","stream":"stdout"}},"metadata":{{"pod_uid":"u-{}",)"
                    R"("detected_level":"{}"}}}})",
                    i, i * 7919, stream % kApps, stream / kApps, stream, stream, i % 5 == 0 ? "debug" : "info"));
  }
  record::JsonlReader reader(base::Clock::system());
  record::Batch batch;
  std::vector<record::Record> original;
  const auto read = [&] {
    batch.clear();
    for (const std::string& line : lines) static_cast<void>(reader.parse(line, batch));
    original = batch.records;
  };
  read();
  auto set = rules::RuleSet::compile(std::move(made));
  std::size_t lost = 0;
  for (auto _ : state) {
    batch.records = original;
    set->begin(base::Clock::system().wall());
    for (record::Record& record : batch.records) lost += set->judge(record, batch).verdict != rules::Verdict::pass;
    if (batch.bytes() > (8U << 20)) {  // what redactions and decoded lines added
      state.PauseTiming();
      read();
      state.ResumeTiming();
    }
  }
  const auto records = state.iterations() * original.size();
  state.SetItemsProcessed(static_cast<std::int64_t>(records));
  state.SetLabel(fmt::format("{} rules, {:.0f} % lost", set->rules().size(),
                             100.0 * static_cast<double>(lost) / static_cast<double>(records)));
}

constexpr const char* kDebug = R"( | detected_level="debug")";
BENCHMARK_CAPTURE(judge, no_rules, std::vector<rules::Rule>());
BENCHMARK_CAPTURE(judge, one_that_selects_nothing, one(rule(rules::Drop{}, R"({namespace="nowhere"} |= "x")")));
BENCHMARK_CAPTURE(judge, two_hundred_that_select_nothing, [] {
  std::vector<rules::Rule> made;
  for (int i = 0; i < 200; ++i) made.push_back(rule(rules::Drop{}, fmt::format(R"({{namespace="nowhere-{}"}} |= "x")", i)));
  return made;
}());
BENCHMARK_CAPTURE(judge, one_by_labels, one(rule(rules::Drop{}, R"({namespace=~"team-1.*"})")));
BENCHMARK_CAPTURE(judge, two_hundred_by_labels, one_for_each(rules::Drop{}, ""));
BENCHMARK_CAPTURE(judge, one_by_level, one(rule(rules::Drop{}, kDebug)));
BENCHMARK_CAPTURE(judge, two_hundred_by_level, one_for_each(rules::Drop{}, kDebug));
BENCHMARK_CAPTURE(judge, two_hundred_by_level_four_a_stream,
                  four_for_each(rules::Drop{}, {kDebug, R"( | detected_level="trace")", R"( | detected_level="unknown")",
                                                R"( | detected_level=~"verbose|fine")"}));
BENCHMARK_CAPTURE(judge, one_by_line, one(rule(rules::Drop{}, R"(|= "healthz")")));
BENCHMARK_CAPTURE(judge, two_hundred_by_line, one_for_each(rules::Drop{}, R"( |= "healthz")"));
BENCHMARK_CAPTURE(judge, two_hundred_by_line_four_a_stream,
                  four_for_each(rules::Drop{}, {R"( |= "healthz")", R"( |= "livez")", R"( |= "metrics")", R"( |= "favicon")"}));
BENCHMARK_CAPTURE(judge, one_by_logfmt, one(rule(rules::Drop{}, R"(| logfmt | level="debug")")));
BENCHMARK_CAPTURE(judge, limit, one(rule(rules::Limit{100, rules::Limit::Unit::records, base::kSecond, 100, {"pod"}}, "")));
BENCHMARK_CAPTURE(judge, dedup, one(rule(rules::Dedup{base::kSecond, {}}, "")));
BENCHMARK_CAPTURE(judge, sample, one(rule(rules::Sample{100'000}, "")));
BENCHMARK_CAPTURE(judge, redact_with_literal, one(rule(rules::Redact{"password=\\S+", "password=*"}, "")));
BENCHMARK_CAPTURE(judge, redact_without_literal, one(rule(rules::Redact{R"(\b\d{13,16}\b)", "****"}, "")));

}  // namespace

BENCHMARK_MAIN();
