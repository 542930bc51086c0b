#include "stages/rule_trial.h"

#include "base/count.h"
#include "base/diagnostics.h"
#include "base/suggestion.h"
#include "base/utf8.h"
#include "logql/printer.h"
#include "logql/selector_advice.h"
#include "record/json.h"
#include "record/timestamp.h"
#include "rules/printer.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::stages {
namespace {

using record::json_string;

using rules::Verdict;

constexpr std::size_t kSamples = 3;
constexpr std::size_t kSampleBytes = 160;

void add_sample(std::vector<std::string>& samples, std::string_view line) {
  if (samples.size() >= kSamples) return;
  std::string text(line.substr(0, kSampleBytes));
  if (line.size() > kSampleBytes) text += " …";
  samples.push_back(std::move(text));
}

void add(TrialCount& count, std::string_view line) {
  ++count.records;
  count.bytes += line.size();
  add_sample(count.samples, line);
}

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole) * 100;
}

std::string of_all(std::uint64_t records, std::uint64_t bytes, const TrialReport& all) {
  return fmt::format("{:>14} {:>6.1f} %  {:>10} {:>6.1f} %", base::grouped(records), share(records, all.records),
                     record::print_size(bytes), share(bytes, all.bytes));
}

void append_samples(std::string& out, const std::vector<std::string>& samples) {
  for (const std::string& sample : samples) out += fmt::format("      {}\n", base::escape_control(sample));
}

std::string json_of(const TrialCount& count) {
  std::string out = fmt::format(R"("records":{},"bytes":{},"samples":[)", count.records, count.bytes);
  for (std::size_t i = 0; i < count.samples.size(); ++i) out += (i == 0 ? "" : ",") + json_string(count.samples[i]);
  return out + "]";
}

class TrialStage : public pipeline::Stage {
 public:
  explicit TrialStage(RuleTrial& trial) : trial_(trial) {}
  base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet& out) override {
    static_cast<void>(out);
    trial_.take(batch);
    return pipeline::Flow::more;
  }
  [[nodiscard]] std::string_view name() const override { return "rules"; }

 private:
  RuleTrial& trial_;
};

}  // namespace

std::unique_ptr<pipeline::Stage> make_trial_stage(RuleTrial& trial) { return std::make_unique<TrialStage>(trial); }

std::string_view word_of(Verdict verdict) {
  static constexpr std::array<std::string_view, kVerdicts> kWords = {"pass", "drop", "hold", "sample", "limit", "dedup"};
  return kWords[static_cast<std::size_t>(verdict)];
}

RuleTrial::RuleTrial(rules::RuleSet set, std::optional<rules::RuleSet> before, const base::TimeRange& range,
                     const pipeline::Context& context)
    : set_(std::move(set)), before_(std::move(before)), range_(range), context_(context), samples_(set_.rules().size()) {
  const base::Timestamp now = context_.clock->wall();
  static_cast<void>(set_.begin(now));
  if (before_) static_cast<void>(before_->begin(now));
  report_.compared = before_.has_value();
  for (std::size_t i = 0; i < set_.rules().size(); ++i) {
    if (std::holds_alternative<rules::Redact>(set_.rules()[i].action)) redactions_.push_back(i);
  }
  redacted_.resize(redactions_.size());
}

// Which names there are, for what is said of rules that act on nothing.
void RuleTrial::learn(const record::Record& record) {
  constexpr std::size_t kMostSets = 2000;
  constexpr std::size_t kMostNames = 2000;
  if (names_.size() < kMostNames) {
    for (const record::Label& one : record.metadata) {
      if (!names_.contains(one.name)) names_.emplace(one.name);
    }
  }
  if (record.labels == latest_ || sets_.size() >= kMostSets) return;
  latest_ = record.labels;
  const auto known = std::ranges::find(sets_, record.labels, [](const record::LabelSetRef& one) { return one.get(); });
  if (known != sets_.end()) return;
  sets_.push_back(record::LabelSetRef::share(record.labels));
  for (const record::Label& one : record.labels->labels()) names_.emplace(one.name);
}

void RuleTrial::add_redacted(std::string_view line) {
  for (std::size_t i = 0; i < redactions_.size(); ++i) {
    const std::uint64_t records = set_.counts()[redactions_[i]].records;
    if (std::exchange(redacted_[i], records) != records) add_sample(samples_[redactions_[i]], line);
  }
}

std::string RuleTrial::hint_for(const rules::Rule& rule, bool acted) const {
  const auto* const limit = std::get_if<rules::Limit>(&rule.action);
  const auto* const dedup = std::get_if<rules::Dedup>(&rule.action);
  for (const std::string& name : limit != nullptr ? limit->by : dedup != nullptr ? dedup->by : std::vector<std::string>()) {
    if (names_.contains(name) || report_.records == 0) continue;
    const std::vector<std::string> there(names_.begin(), names_.end());
    return fmt::format("no record has '{}', so that all share one key; {}", name,
                       base::suggestion(name, there, "name labels or metadata that records have"));
  }
  return acted ? std::string() : logql::explain_selector(logql::print_selector(rule.match.matchers), sets_);
}

void RuleTrial::take(record::Batch& batch) {
  for (pipeline::Record& record : batch.records) {
    if (record.is_marker() || record.sample || !range_.contains(record.timestamp)) continue;
    // What one set changes in a record, the other one must not see.
    pipeline::Record other = record;
    const std::string_view line = batch.line(record);
    other.line = record.line;
    ++report_.records;
    report_.bytes += line.size();
    report_.oldest = report_.records == 1 ? record.timestamp : std::min(report_.oldest, record.timestamp);
    report_.newest = report_.records == 1 ? record.timestamp : std::max(report_.newest, record.timestamp);
    learn(record);
    const rules::Judgement now = set_.judge(record, batch);
    const std::string_view text = batch.line(record);
    add_redacted(text);
    add(report_.verdicts[static_cast<std::size_t>(now.verdict)], line);
    if (now.rule != rules::kNoRule) add_sample(samples_[now.rule], line);
    if (!before_) continue;
    const rules::Judgement then = before_->judge(other, batch);
    if (then.verdict != now.verdict) {
      add(report_.changes[{then.verdict, now.verdict}], line);
    } else if ((now.verdict == Verdict::pass || now.verdict == Verdict::hold) && batch.line(other) != text) {
      add(report_.other_text, text);
    }
  }
}

TrialReport RuleTrial::report() const {
  TrialReport report = report_;
  const auto rules = set_.rules();
  const auto counts = set_.counts();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    report.rules.push_back({std::string(rules::word_of(rules[i].action)),
                            rules[i].id(),
                            rules::print(rules[i]),
                            rules[i].place.file,
                            rules[i].place.line,
                            counts[i].errors,
                            {counts[i].records, counts[i].bytes, samples_[i]},
                            hint_for(rules[i], counts[i].records > 0)});
  }
  return report;
}

std::string TrialReport::to_text() const {
  std::string out = base::count_of(records, "record");
  out += ", " + record::print_size(bytes);
  if (records > 0) out += fmt::format(", from {} to {}", record::to_rfc3339(oldest), record::to_rfc3339(newest));
  out += '\n';
  out += fmt::format("\n{:<44} {:>14} {:>8}  {:>10} {:>8}\n", "decision", "records", "", "bytes", "");
  for (std::size_t i = 0; i < kVerdicts; ++i) {
    if (verdicts[i].records == 0) continue;
    out += fmt::format("  {:<42} {}\n", word_of(static_cast<Verdict>(i)), of_all(verdicts[i].records, verdicts[i].bytes, *this));
  }
  out += fmt::format("\n{}\n", base::count_of(rules.size(), "rule"));
  for (const OfRule& rule : rules) {
    out += fmt::format("  {:<42} {}\n", base::escape_control(fmt::format("{} {}", rule.action, rule.id)),
                       of_all(rule.count.records, rule.count.bytes, *this));
    out += fmt::format("    {}:{}: {}\n", base::escape_control(rule.file), rule.line, base::escape_control(rule.text));
    if (rule.failed > 0) {
      out += fmt::format("    its expression failed on {}, which it left alone\n", base::count_of(rule.failed, "record"));
    }
    if (!rule.hint.empty()) out += fmt::format("    {}\n", base::escape_control(rule.hint));
    append_samples(out, rule.count.samples);
  }
  if (!compared) return out;
  out += changes.empty() && other_text.records == 0 ? "\nthe old rules do the same with every record\n"
                                                    : "\nrecords that the old rules treat differently\n";
  for (const auto& [change, count] : changes) {
    out += fmt::format("  {:<42} {}\n", fmt::format("{} -> {}", word_of(change.first), word_of(change.second)),
                       of_all(count.records, count.bytes, *this));
    append_samples(out, count.samples);
  }
  if (other_text.records > 0) {
    out += fmt::format("  {:<42} {}\n", "another text (redact)", of_all(other_text.records, other_text.bytes, *this));
    append_samples(out, other_text.samples);
  }
  return out;
}

std::string TrialReport::to_json() const {
  std::string out = fmt::format(R"({{"records":{},"bytes":{},"oldest":{},"newest":{},"verdicts":{{)", records, bytes,
                                records == 0 ? "null" : json_string(record::to_rfc3339(oldest)),
                                records == 0 ? "null" : json_string(record::to_rfc3339(newest)));
  for (std::size_t i = 0; i < kVerdicts; ++i) {
    out += fmt::format(R"({}{}:{{{}}})", i == 0 ? "" : ",", json_string(word_of(static_cast<Verdict>(i))), json_of(verdicts[i]));
  }
  out += R"(},"rules":[)";
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const OfRule& rule = rules[i];
    out += fmt::format(R"({}{{"action":{},"id":{},"file":{},"line":{},"text":{},"failed":{},"hint":{},{}}})", i == 0 ? "" : ",",
                       json_string(rule.action), json_string(rule.id), json_string(rule.file), rule.line, json_string(rule.text),
                       rule.failed, json_string(rule.hint), json_of(rule.count));
  }
  out += "]";
  if (compared) {
    out += R"(,"changes":[)";
    bool first = true;
    for (const auto& [change, count] : changes) {
      out += fmt::format(R"({}{{"from":{},"to":{},{}}})", first ? "" : ",", json_string(word_of(change.first)),
                         json_string(word_of(change.second)), json_of(count));
      first = false;
    }
    out += fmt::format(R"(],"other_text":{{{}}})", json_of(other_text));
  }
  return out + "}\n";
}

}  // namespace weir::stages
