#include "ruler/survey.h"

#include <algorithm>
#include <utility>

namespace weir::ruler {

using base::Result;
using base::Timestamp;

AlertState RuleReport::state() const {
  AlertState state = AlertState::inactive;
  for (const AlertReport& one : alerts) state = std::max(state, one.alert.state);
  return state;
}

Result<Survey> Survey::compile(std::span<const RuleFile> files, const SurveyTimes& times) {
  Survey survey;
  for (const RuleFile& file : files) {
    for (const Group& group : file.groups) {
      const base::Duration interval = group.interval > 0 ? group.interval : times.interval;
      const auto before = std::clamp<base::Duration>((times.at - times.from) / interval, 0, SurveyTimes::kMost - 1);
      for (const Rule& rule : group.rules) {
        // A recording rule has no memory.
        const Timestamp start = rule.kind == Rule::Kind::record ? times.at : times.at - before * interval;
        auto run = RuleRun::compile(rule, group, {start, times.at, interval}, {});
        if (!run) return std::move(run).error();
        RuleReport report;
        report.file = &file;
        report.group = &group;
        report.rule = &rule;
        report.interval = interval;
        report.since = start;
        survey.entries_.push_back({std::move(report), *std::move(run)});
      }
    }
  }
  return survey;
}

base::TimeRange Survey::reads() const {
  std::optional<base::TimeRange> all;
  for (const Entry& entry : entries_) {
    const base::TimeRange one = entry.run->reads();
    if (one.from >= one.to) continue;
    all = all ? base::TimeRange{std::min(all->from, one.from), std::max(all->to, one.to)} : one;
  }
  return all.value_or(base::TimeRange{0, 0});
}

bool Survey::selects(const record::LabelSet& labels) const {
  return std::ranges::any_of(entries_, [&](const Entry& entry) { return entry.run->selects(labels); });
}

logql::LogExpr Survey::common_filter() const {
  return entries_.size() == 1 ? entries_.front().run->common_filter() : logql::LogExpr();
}

void Survey::add(record::Record& record, record::Batch& batch) {
  for (const Entry& entry : entries_) entry.run->add(record, batch);
}

std::vector<RuleReport> Survey::finish() {
  std::vector<RuleReport> reports;
  for (Entry& entry : entries_) {
    RuleReport& report = entry.report;
    entry.run->finish([](std::size_t, Timestamp) {});
    report.error = entry.run->error();
    report.samples = entry.run->samples();
    for (Alert& alert : entry.run->alerts()) {
      if (alert.state == AlertState::inactive) continue;
      Pairs annotations = entry.run->annotations(alert);
      report.alerts.push_back({std::move(alert), std::move(annotations)});
    }
    if (report.alerts.empty()) report.last = entry.run->last_resolved();
    reports.push_back(std::move(report));
    entry.run.reset();
  }
  return reports;
}

}  // namespace weir::ruler
