// Random rules over random records: however records are cut into batches, and in whatever form their lines come, the verdicts and
// what is written are those of an evaluator that is slow and plain.
#include "base/stable_hash.h"
#include "gotext/regex.h"
#include "logql/log_query.h"
#include "logql/parser.h"
#include "record/jsonl_reader.h"
#include "record/jsonl_writer.h"
#include "rules/rule_set.h"
#include "support/fake_clock.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

namespace weir::rules {
namespace {

using base::kSecond;
using record::Batch;
using record::Record;

constexpr base::Timestamp kNow = 1'760'000'000 * kSecond;

struct Plain {
  base::Timestamp time = 0;
  std::string line;
  std::map<std::string, std::string> labels;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string tenant;
  bool held = false;
};

void add(Batch& batch, const Plain& plain) {
  Record& record = batch.records.emplace_back();
  record.timestamp = plain.time;
  std::vector<record::Label> labels;
  for (const auto& [name, value] : plain.labels) labels.push_back({name, value});
  record.labels = batch.hold(record::LabelSet::intern(labels));
  record.line = record::Text::bytes(batch.copy(plain.line));
  const auto metadata = batch.allocate_labels(plain.metadata.size());
  for (std::size_t i = 0; i < metadata.size(); ++i)
    metadata[i] = {batch.copy(plain.metadata[i].first), batch.copy(plain.metadata[i].second)};
  record.metadata = metadata;
  record.tenant = batch.copy(plain.tenant);
  record.held = plain.held;
}

std::string written(const Record& record) {
  std::string out;
  record::append_jsonl(out, record);
  return out;
}

// ---- the plain evaluator

class Reference {
 public:
  explicit Reference(const std::vector<Rule>& rules) : rules_(rules) {
    for (const Rule& rule : rules) {
      queries_.push_back(std::move(*logql::LogQuery::compile(rule.match, "")));
      const auto* redact = std::get_if<Redact>(&rule.action);
      patterns_.push_back(std::move(*gotext::Regex::compile(redact != nullptr ? redact->pattern : "x")));
    }
  }

  Judgement judge(Plain& record) {
    const auto labels_before = record.labels;
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      if (!is<Redact>(i)) continue;
      Plain asked = record;
      asked.labels = labels_before;
      if (!matches(i, asked)) continue;
      replace(i, record.line);
      for (auto& [name, value] : record.labels) replace(i, value);
      for (auto& [name, value] : record.metadata) {
        if (name != "weir_gap_bytes") replace(i, value);
      }
    }
    std::erase_if(record.labels, [](const auto& label) { return label.second.empty(); });

    const bool gap = !metadata_of(record, "weir_gap_bytes").empty();
    Judgement judgement;
    bool exempt = gap;
    for (std::size_t i = 0; i < rules_.size() && !gap; ++i) {
      const auto* keep = std::get_if<Keep>(&rules_[i].action);
      const bool over = keep != nullptr && keep->lifetime && (kNow < keep->lifetime->from || kNow >= keep->lifetime->until());
      if ((keep == nullptr && !is<Drop>(i) && !is<Hold>(i)) || over || !matches(i, record)) continue;
      judgement.rule = i;
      if (is<Drop>(i)) return {Verdict::drop, i};
      if (is<Hold>(i)) judgement.verdict = Verdict::hold;
      record.held = record.held || is<Hold>(i);
      exempt = is<Hold>(i) || keep->lifetime;
      break;
    }
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      if (is<Tenant>(i) && matches(i, record)) record.tenant = std::get<Tenant>(rules_[i].action).name;
      if (exempt || (!is<Sample>(i) && !is<Limit>(i) && !is<Dedup>(i)) || !matches(i, record)) continue;
      const Verdict verdict = third(i, record);
      if (verdict != Verdict::pass) return {verdict, i};
    }
    return judgement;
  }

 private:
  template <typename T>
  [[nodiscard]] bool is(std::size_t i) const {
    return std::holds_alternative<T>(rules_[i].action);
  }

  bool matches(std::size_t i, const Plain& plain) {
    Batch batch;
    add(batch, plain);
    if (!queries_[i].matches(batch.records[0], batch)) return false;
    const bool loses = !is<Keep>(i) && !is<Tenant>(i) && !is<Redact>(i);
    return !loses || !queries_[i].errored() || queries_[i].asks_for_error();
  }

  // Match by match, with the groups written in place of \0 to \9.
  void replace(std::size_t i, std::string& text) const {
    std::string out;
    std::vector<std::string_view> groups;
    std::size_t at = 0;
    const gotext::Regex::Subject subject(text);
    while (at <= text.size() && patterns_[i].find(subject, at, groups)) {
      const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
      out += text.substr(at, begin - at);
      const std::string& replacement = std::get<Redact>(rules_[i].action).replacement;
      for (std::size_t c = 0; c < replacement.size(); ++c) {
        if (replacement[c] == '\\') {
          out += groups[static_cast<std::size_t>(replacement[++c] - '0')];
        } else {
          out += replacement[c];
        }
      }
      at = begin + groups[0].size();
    }
    text = out + text.substr(at);
  }

  static std::string metadata_of(const Plain& record, const std::string& name) {
    for (const auto& [key, value] : record.metadata) {
      if (key == name) return value;
    }
    return "";
  }
  static std::vector<std::string> key(const Plain& record, const std::vector<std::string>& by) {
    std::vector<std::string> values;
    for (const std::string& name : by) {
      const auto found = record.labels.find(name);
      values.push_back(found != record.labels.end() ? found->second : metadata_of(record, name));
    }
    return values;
  }

  Verdict third(std::size_t i, const Plain& record) {
    if (const auto* sample = std::get_if<Sample>(&rules_[i].action)) {
      std::vector<record::Label> labels;
      for (const auto& [name, value] : record.labels) labels.push_back({name, value});
      auto hash = base::stable_hash(record::LabelSet::intern(labels)->hash(), base::stable_hash(record.line));
      hash = base::stable_hash(static_cast<std::uint64_t>(record.time), hash);
      return hash.low % 1'000'000 < sample->per_million ? Verdict::pass : Verdict::sampled;
    }
    if (const auto* dedup = std::get_if<Dedup>(&rules_[i].action)) {
      std::vector<std::string> of = key(record, dedup->by);
      if (dedup->by.empty()) {
        for (const auto& [name, value] : record.labels) of.push_back(name + "=" + value);
      }
      std::vector<base::Timestamp>& passed = passed_[{i, of, record.line}];
      for (const base::Timestamp time : passed) {
        if (std::abs(time - record.time) < dedup->within) return Verdict::repeated;
      }
      passed.push_back(record.time);
      return Verdict::pass;
    }
    const auto& limit = std::get<Limit>(rules_[i].action);
    const auto length = static_cast<base::Duration>(limit.burst * static_cast<std::uint64_t>(limit.per) / limit.amount);
    base::Timestamp window = record.time / length;
    if (window * length > kNow + 10 * kSecond) window = kNow / length;
    const std::uint64_t size = limit.unit == Limit::Unit::bytes ? record.line.size() : 1;
    std::uint64_t& count = counted_[{i, key(record, limit.by), window}];
    if (count != 0 && count + size > limit.burst) return Verdict::limited;
    count += size;
    return Verdict::pass;
  }

  const std::vector<Rule>& rules_;
  std::vector<logql::LogQuery> queries_;
  std::vector<gotext::Regex> patterns_;
  std::map<std::tuple<std::size_t, std::vector<std::string>, std::string>, std::vector<base::Timestamp>> passed_;
  std::map<std::tuple<std::size_t, std::vector<std::string>, base::Timestamp>, std::uint64_t> counted_;
};

// ---- random rules and records

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  unsigned below(unsigned limit) { return engine_() % limit; }
  template <typename T>
  const T& one_of(const std::vector<T>& all) {
    return all[below(static_cast<unsigned>(all.size()))];
  }

  Rule rule() {
    static const std::vector<std::string> kSelectors = {"",
                                                        "",
                                                        R"({namespace="shop"})",
                                                        R"({namespace="pay", app="web"})",
                                                        R"({app=~"w.*"})",
                                                        R"({namespace!="pay"})",
                                                        "{}",
                                                        R"({pod=""})",
                                                        R"({namespace=~"shop|kube"})"};
    static const std::vector<std::string> kStages = {"",
                                                     "",
                                                     R"( |= "error")",
                                                     R"( != "ok")",
                                                     R"( |~ "code=[45]")",
                                                     R"( | detected_level="debug")",
                                                     R"( | detected_level=~"info|warn")",
                                                     " | json | size > 5",
                                                     R"( | logfmt | level="debug")",
                                                     R"( | json | __error__!="")",
                                                     R"( |= "\"quoted\"")",
                                                     R"( | pod!="p1")",
                                                     R"( |= "error" | detected_level!="info")",
                                                     R"( | line_format "{{.app}}" |= "web")",
                                                     R"( |= "#")"};
    static const std::vector<Redact> kRedacts = {{R"(\d{4,})", "#"},   {"secret=(\\w+)", R"(secret=<\1>)"},
                                                 {"p1", "p2"},         {R"x("(\w+)")x", R"('\1')"},
                                                 {"(?i)ERROR", "err"}, {"web|db", ""},
                                                 {"\xc3\xa9+", "e"},   {".secret", R"(\0\0)"}};
    static const std::vector<std::vector<std::string>> kBy = {{}, {"pod"}, {"namespace", "app"}, {"pod", "namespace"}};
    std::string selector = one_of(kSelectors);
    Action action;
    bool stages = true;
    static const std::vector<int> kActions = {0, 1, 2, 3, 4, 5, 6, 6, 6, 7, 7, 7, 8};
    switch (one_of(kActions)) {
      case 0:
        action = one_of(kRedacts);
        stages = false;
        break;
      case 1:
        action = Keep{};
        if (below(2) == 0) action = Keep{Lifetime{(1 + below(3)) * kSecond, kNow - below(4) * kSecond}};
        break;
      case 2:
        action = Drop{};
        break;
      case 3:
        action = Hold{};
        break;
      case 4:
        action = Release{kNow - kSecond, kNow};
        break;
      case 5:
        action = Sample{(1 + below(3)) * 300'000};
        break;
      case 6: {
        const std::uint64_t amount = 1 + below(2);
        const bool bytes = below(2) == 0;
        action = Limit{bytes ? amount * 30 : amount, bytes ? Limit::Unit::bytes : Limit::Unit::records,
                       below(2) == 0 ? kSecond : 10 * kSecond, (bytes ? amount * 30 : amount) * (1 + below(3)), one_of(kBy)};
        break;
      }
      case 7:
        action = Dedup{(1 + below(20)) * kSecond, one_of(kBy)};
        break;
      default:
        action = Tenant{"team-" + std::to_string(below(2))};
    }
    std::string match = selector + (stages ? one_of(kStages) : "");
    // What matches everything would leave nothing to the rules behind it.
    const bool decides =
        std::holds_alternative<Keep>(action) || std::holds_alternative<Drop>(action) || std::holds_alternative<Hold>(action);
    while (decides && match.size() < 4) match = one_of(kSelectors) + one_of(kStages);
    auto parsed = logql::parse(match, {.selector_optional = true});
    EXPECT_TRUE(parsed.ok()) << match;
    return {"", std::move(action), std::get<logql::LogExpr>(parsed->node), {}};
  }

  Plain record() {
    static const std::vector<std::string> kLines = {"error code=500 here",
                                                    "ok code=200",
                                                    R"({"size":9,"level":"debug"})",
                                                    R"({"size":"big"})",
                                                    "level=debug msg=x",
                                                    "",
                                                    "card 4111111111111111 secret=abc",
                                                    R"(a "quoted" word)",
                                                    "tab\tand\nline",
                                                    "\xc3\xa9\xc3\xa9 caf\xc3\xa9",
                                                    "bad \xff"
                                                    "secret=x \xfe",
                                                    "ERROR \\u0065rror",
                                                    "web",
                                                    R"(path\/x "secret=y")"};
    Plain plain;
    plain.time = kNow - static_cast<base::Timestamp>(below(30)) * kSecond;
    if (below(20) == 0) plain.time = kNow + static_cast<base::Timestamp>(below(100)) * kSecond;
    plain.line = one_of(kLines);
    const auto label = [&](const char* name, const std::vector<std::string>& values) {
      if (const std::string value = one_of(values); !value.empty()) plain.labels[name] = value;
    };
    label("namespace", {"shop", "pay", "kube", ""});
    label("app", {"web", "db", ""});
    label("pod", {"p1", "p2", "", ""});
    if (below(2) == 0) plain.metadata.emplace_back("detected_level", one_of<std::string>({"debug", "info", "warn", ""}));
    if (below(3) == 0) plain.metadata.emplace_back("pod", one_of<std::string>({"p1", "p3", "12345"}));
    if (below(15) == 0) plain.metadata.emplace_back("weir_gap_bytes", one_of<std::string>({"12345", "unknown", ""}));
    if (below(6) == 0) plain.tenant = "team-0";
    return plain;
  }

 private:
  std::mt19937 engine_;
};

struct Outcome {
  std::vector<Judgement> judgements;
  std::vector<std::string> records;   // as they are written after
  std::vector<std::uint64_t> counts;  // of the rules
  bool operator==(const Outcome&) const = default;
};

TEST(RuleSetProperty, VerdictsAreThoseOfThePlainEvaluatorHoweverBatchesAreCut) {
  const char* asked = std::getenv("WEIR_PROPERTY_RUNS");
  const unsigned runs = asked != nullptr ? static_cast<unsigned>(std::atoi(asked)) : 60;
  std::map<Verdict, std::size_t> seen;
  std::size_t changed = 0;
  for (unsigned seed = 0; seed < runs; ++seed) {
    Random random(seed);
    std::vector<Rule> rules(random.below(10));
    for (Rule& rule : rules) rule = random.rule();
    std::vector<Plain> records(100);
    for (Plain& record : records) record = random.record();

    Reference reference(rules);
    Outcome expected;
    for (const Plain& record : records) {
      Plain judged = record;
      expected.judgements.push_back(reference.judge(judged));
      ++seen[expected.judgements.back().verdict];
      Batch batch;
      add(batch, record);
      const std::string before = written(batch.records[0]);
      add(batch, judged);
      expected.records.push_back(written(batch.records[1]));
      changed += expected.records.back() != before;
    }

    test::FakeClock clock;
    std::vector<std::uint64_t> counts_before;
    for (const std::size_t size : {std::size_t{1}, std::size_t{2}, records.size(), std::size_t{0}}) {
      for (const bool as_json : {false, true}) {
        auto set = RuleSet::compile(rules);
        ASSERT_TRUE(set.ok()) << set.error().message;
        record::JsonlReader reader(clock);
        Outcome outcome;
        Batch batch;
        std::vector<std::string> texts;
        for (std::size_t at = 0; at < records.size();) {
          const std::size_t end = std::min(records.size(), at + (size != 0 ? size : 1 + random.below(20)));
          batch.clear();
          for (std::size_t i = at; i < end; ++i) add(batch, records[i]);
          if (as_json) {
            texts.clear();
            for (const Record& record : batch.records) texts.push_back(written(record));
            batch.clear();
            for (const std::string& text : texts)
              ASSERT_TRUE(reader.parse(std::string_view(text).substr(0, text.size() - 1), batch).ok());
          }
          set->begin(kNow);
          for (Record& record : batch.records) {
            outcome.judgements.push_back(set->judge(record, batch));
            outcome.records.push_back(written(record));
          }
          at = end;
        }
        for (std::size_t i = 0; i < records.size(); ++i) {
          ASSERT_EQ(static_cast<int>(outcome.judgements[i].verdict), static_cast<int>(expected.judgements[i].verdict))
              << "seed " << seed << ", record " << i << ", batches of " << size << (as_json ? ", JSON: " : ": ")
              << expected.records[i];
          ASSERT_EQ(outcome.judgements[i].rule, expected.judgements[i].rule) << "seed " << seed << ", record " << i;
          const Verdict verdict = expected.judgements[i].verdict;
          if (verdict == Verdict::pass || verdict == Verdict::hold) {
            ASSERT_EQ(outcome.records[i], expected.records[i]) << "seed " << seed << ", record " << i << (as_json ? ", JSON" : "");
          }
        }
        std::vector<std::uint64_t> counts;
        for (const RuleCounts& one : set->counts()) counts.insert(counts.end(), {one.records, one.errors});
        if (size == 1 && !as_json) counts_before = counts;
        ASSERT_EQ(counts, counts_before) << "seed " << seed;
      }
    }
  }
  if (runs < 60) return;
  for (const Verdict verdict : {Verdict::pass, Verdict::drop, Verdict::hold, Verdict::sampled, Verdict::limited, Verdict::repeated})
    EXPECT_GT(seen[verdict], 50U) << static_cast<int>(verdict);
  EXPECT_GT(changed, 500U);
}

}  // namespace
}  // namespace weir::rules
