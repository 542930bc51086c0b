// Tries rules on records that are there, and says what they would do: `weir rules test`.
//
// Each record is judged by the new rules, and by the old ones where there are any. Numbers and a few samples are kept; nothing is
// changed anywhere.
#pragma once

#include "base/time_range.h"
#include "pipeline/stage.h"
#include "rules/rule_set.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::stages {

inline constexpr std::size_t kVerdicts = 6;                      // of rules::Verdict
[[nodiscard]] std::string_view word_of(rules::Verdict verdict);  // "pass", "drop", "hold", "sample", "limit", "dedup"

struct TrialCount {
  std::uint64_t records = 0, bytes = 0;
  std::vector<std::string> samples;  // the first few lines, cut
};

struct TrialReport {
  struct OfRule {
    std::string action, id, text;  // the text as printed
    std::string file;
    std::size_t line = 0;
    std::uint64_t failed = 0;  // records on which its expression failed
    TrialCount count;          // that it acted on; of redact, the samples are as it leaves them
    std::string hint = {};     // which name may be wrong, where it acted on nothing or its key has a name that no record has
  };
  std::uint64_t records = 0, bytes = 0;
  base::Timestamp oldest = 0, newest = 0;  // of the records
  std::array<TrialCount, kVerdicts> verdicts;
  std::vector<OfRule> rules;
  // Records that get another verdict than from the old rules.
  std::map<std::pair<rules::Verdict, rules::Verdict>, TrialCount> changes;
  TrialCount other_text;  // records that pass or are held as before, with another text than after the old rules
  bool compared = false;

  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] std::string to_json() const;  // one object and a line end
};

// Not thread safe.
class RuleTrial {
 public:
  // `before`: rules to compare with. Records outside of `range` are left out. `context` gives the clock.
  RuleTrial(rules::RuleSet set, std::optional<rules::RuleSet> before, const base::TimeRange& range,
            const pipeline::Context& context);

  // Judges the records of a batch, and leaves them in any state.
  void take(record::Batch& batch);

  [[nodiscard]] TrialReport report() const;
  // So far.
  [[nodiscard]] std::uint64_t records() const { return report_.records; }
  [[nodiscard]] std::uint64_t bytes() const { return report_.bytes; }

 private:
  void learn(const record::Record& record);
  void add_redacted(std::string_view line);
  [[nodiscard]] std::string hint_for(const rules::Rule& rule, bool acted) const;
  rules::RuleSet set_;
  std::optional<rules::RuleSet> before_;
  const base::TimeRange range_;
  const pipeline::Context context_;
  TrialReport report_;
  std::vector<std::vector<std::string>> samples_;  // by rule
  std::vector<std::size_t> redactions_;            // indices of rules
  std::vector<std::uint64_t> redacted_;            // of each, the records so far
  std::vector<record::LabelSetRef> sets_;          // that came, the first few thousand
  const record::LabelSet* latest_ = nullptr;
  std::set<std::string, std::less<>> names_;  // of labels and metadata
};

// The end of a chain whose records `trial` takes; it outlives the stage.
[[nodiscard]] std::unique_ptr<pipeline::Stage> make_trial_stage(RuleTrial& trial);

}  // namespace weir::stages
