// What the rules of some files say at one time: which alerts would be pending or firing, since when, and what recording rules give.
// The rules are evaluated at that time and, to know since when, at each multiple of their group's interval before it, as far back
// as there are records. All of them read the records together, once.
//
//   auto survey = Survey::compile(files, times);
//   for (…) survey->add(record, batch);     // in the order of time
//   for (const RuleReport& report : survey->finish()) …
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/time_range.h"
#include "logql/ast.h"
#include "record/record.h"
#include "ruler/rule_run.h"

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace weir::ruler {

struct SurveyTimes {
  base::Timestamp at = 0;
  base::Timestamp from = 0;                     // the earliest evaluation
  base::Duration interval = base::kMinute;      // of groups that have none; Loki's default
  static constexpr std::size_t kMost = 11'000;  // evaluations of one rule. Where there would be more, they begin later
};

struct AlertReport {
  Alert alert;
  Pairs annotations;
};

struct RuleReport {
  const RuleFile* file = nullptr;
  const Group* group = nullptr;
  const Rule* rule = nullptr;
  base::Duration interval = 0;
  base::Timestamp since = 0;         // the first evaluation
  std::vector<AlertReport> alerts;   // pending and firing ones, sorted by labels
  std::optional<Alert> last;         // that was resolved, when none is active
  std::vector<Sample> samples;       // of a recording rule
  std::optional<base::Error> error;  // why it could not be evaluated
  std::string nothing;               // why there is nothing, where whoever reads the records knows it; a line

  [[nodiscard]] AlertState state() const;
};

// Not thread safe. The files must outlive it and its reports.
class Survey {
 public:
  // Errors: those of RuleRun, which read_rules() has checked before.
  static base::Result<Survey> compile(std::span<const RuleFile> files, const SurveyTimes& times);

  // The records that any rule needs.
  [[nodiscard]] base::TimeRange reads() const;
  [[nodiscard]] bool selects(const record::LabelSet& labels) const;
  [[nodiscard]] logql::LogExpr common_filter() const;  // as MetricQuery's; {} for several rules
  void add(record::Record& record, record::Batch& batch);

  // In the order of the files.
  [[nodiscard]] std::vector<RuleReport> finish();

 private:
  struct Entry {
    RuleReport report;
    std::unique_ptr<RuleRun> run;
  };
  std::vector<Entry> entries_;
};

}  // namespace weir::ruler
