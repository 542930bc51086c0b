// Tries rules on records that are there, and says what they would do: `weir rules test`.
//
// A stage at the end of a chain that reads a spool or log files. It judges each record by the new rules, and by the old ones where
// there are any, and keeps numbers and a few samples. Nothing is changed anywhere.
#pragma once

#include "pipeline/stage.h"
#include "rules/rule_set.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
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
    TrialCount count;          // that it acted on
  };
  std::uint64_t records = 0, bytes = 0;
  base::Timestamp oldest = 0, newest = 0;  // of the records
  std::array<TrialCount, kVerdicts> verdicts;
  std::vector<OfRule> rules;
  // Records that get another verdict than from the old rules.
  std::map<std::pair<rules::Verdict, rules::Verdict>, TrialCount> changes;
  bool compared = false;
  std::optional<std::uint64_t> dropped_before;  // of a spool: records that earlier rules dropped unseen are not in it

  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] std::string to_json() const;  // one object and a line end
};

class RuleTrial : public pipeline::Stage {
 public:
  // `before`: rules to compare with.
  RuleTrial(rules::RuleSet set, std::optional<rules::RuleSet> before, const pipeline::Context& context);

  base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet& out) override;
  [[nodiscard]] std::string_view name() const override { return "rules"; }

  // After the chain has ended.
  [[nodiscard]] TrialReport report() const;

 private:
  void progress();
  rules::RuleSet set_;
  std::optional<rules::RuleSet> before_;
  const pipeline::Context context_;
  TrialReport report_;
  std::vector<std::vector<std::string>> samples_;  // by rule
  base::Monotonic shown_ = 0;
};

}  // namespace weir::stages
