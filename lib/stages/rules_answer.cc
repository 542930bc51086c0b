#include "stages/rules_answer.h"

#include "base/text_file.h"
#include "base/visible.h"
#include "record/timestamp.h"
#include "ruler/report.h"
#include "scan/metric_scan.h"
#include "stages/answer_source.h"
#include "stages/query_metrics.h"
#include "stages/unmatched.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using base::fail;
using base::Result;

Result<std::vector<ruler::RuleFile>> read_files(const std::vector<std::string>& paths, base::Diagnostics& diagnostics) {
  std::vector<ruler::RuleFile> files;
  for (const std::string& path : paths) {
    auto text = base::read_text_file(path, fmt::format("'{}'", path));
    if (!text) return std::move(text).error();
    auto file = ruler::read_rules(*text, path);
    if (!file) return std::move(file).error();
    for (const std::string& note : file->notes) diagnostics.say(note);
    files.push_back(*std::move(file));
  }
  return files;
}

class RulesAnswer : public AnswerSource {
 public:
  RulesAnswer(const QuerySpec& spec, const pipeline::Context& context, RulesQuestion question,
              std::shared_ptr<RulesVerdict> verdict, std::unique_ptr<std::vector<ruler::RuleFile>> files, ruler::Survey survey)
      : AnswerSource(spec, context),
        question_(std::move(question)),
        verdict_(std::move(verdict)),
        files_(std::move(files)),
        survey_(std::move(survey)) {}

  Result<void> run(pipeline::Outlet& out, base::Stop& stop) override {
    if (auto read = this->read(stop); !read) return read;
    std::vector<ruler::RuleReport> reports = survey_.finish();
    explain(reports);
    note(reports);
    if (auto emitted = emit_lines(out, question_.json ? ruler::to_json_lines(reports) : ruler::to_lines(reports)); !emitted)
      return emitted;
    finished_ = true;
    const auto failed = std::ranges::count_if(reports, [](const ruler::RuleReport& report) { return report.error.has_value(); });
    if (failed == 0) return {};
    return fail(Code::config, "cannot evaluate {} of {} rules", failed, reports.size())
        .with_hint("the answer says why, at each of them");
  }

  [[nodiscard]] std::string summary() const override { return finished_ ? summary_ : std::string(); }

 private:
  Result<void> read(const base::Stop& stop) {
    const base::TimeRange reads = survey_.reads();
    if (reads.from >= reads.to) return {};
    auto scan = scan::SpoolScan::open(question_.spools, survey_.common_filter(), reads, *context_.diagnostics);
    if (!scan) return std::move(scan).error();
    (*scan)->set_limits(question_.scan);
    (*scan)->keep_as_stored();
    (*scan)->take_tenant(question_.tenant);
    (*scan)->take_streams([this](const record::LabelSet& labels) { return survey_.selects(labels); });
    bool interrupted = false;
    (*scan)->watch([&](const scan::SpoolScan::Work& work) {
      show_progress(work.done, work.all, work.done, 0);
      interrupted = interrupted || stop.stopped();
      return !interrupted;
    });
    auto done = (*scan)->run([&](record::Batch& batch) -> Result<bool> {
      for (record::Record& record : batch.records) survey_.add(record, batch);
      interrupted = interrupted || stop.stopped();
      return !interrupted;
    });
    progress_.end();
    unreadable_.add((*scan)->unreadable_blocks());
    if (interrupted) return fail(Code::interrupted, "interrupted while reading {}", spools_in_words(question_.spools));
    return done;
  }

  // A selector that takes no stream is more likely to be misspelt than right.
  void explain(std::vector<ruler::RuleReport>& reports) const {
    if (unreadable_.value() > 0) return;  // what could not be read may have it
    std::vector<std::string> queries;
    const auto has_nothing = [](const ruler::RuleReport& report) {
      return !report.error && report.alerts.empty() && report.samples.empty() && !report.last;
    };
    for (const ruler::RuleReport& report : reports) {
      if (has_nothing(report)) queries.push_back(report.rule->expr);
    }
    if (queries.empty()) return;
    const std::vector<std::string> found = scan::explain_selectors_in_spools(question_.spools, queries, question_.tenant);
    auto why = found.begin();
    for (ruler::RuleReport& report : reports) {
      if (has_nothing(report)) report.nothing = *why++;
    }
  }

  void note(const std::vector<ruler::RuleReport>& reports) {
    bool alerts = false, firing = false, series = false;
    for (const ruler::RuleReport& report : reports) {
      alerts = alerts || report.rule->kind == ruler::Rule::Kind::alert;
      firing = firing || report.state() == ruler::AlertState::firing;
      series = series || !report.samples.empty();
    }
    verdict_->anything = firing || (!alerts && series);
    summary_ = fmt::format("{}: {}", record::to_rfc3339(*question_.at), ruler::summary_of(reports));
  }

  RulesQuestion question_;
  std::shared_ptr<RulesVerdict> verdict_;
  std::unique_ptr<std::vector<ruler::RuleFile>> files_;  // where the survey finds its rules
  ruler::Survey survey_;
  metrics::Counter unreadable_ = block_.counter(kQueryUnreadableBlocks);
  std::string summary_;
};

}  // namespace

Result<void> check_rule_files(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    auto text = base::read_text_file(path, fmt::format("'{}'", path));
    if (!text) return std::move(text).error();
    if (auto file = ruler::read_rules(*text, path); !file) return std::move(file).error();
  }
  return {};
}

Result<base::Timestamp> rules_time(const RulesQuestion& question, const base::Clock& clock) {
  auto stored = scan::stored_time(question.spools, question.tenant);
  if (!stored) return std::move(stored).error();
  const base::Timestamp newest = *stored ? (*stored)->to - 1 : clock.wall();
  // Answers have whole milliseconds, and the newest record counts.
  return (newest + base::kMillisecond - 1) / base::kMillisecond * base::kMillisecond;
}

Result<std::unique_ptr<pipeline::Source>> make_rules_answer(const RulesQuestion& question, std::shared_ptr<RulesVerdict> verdict,
                                                            const pipeline::Context& context) {
  auto files = read_files(question.files, *context.diagnostics);
  if (!files) return std::move(files).error();
  auto kept = std::make_unique<std::vector<ruler::RuleFile>>(*std::move(files));
  RulesQuestion asked = question;
  auto stored = scan::stored_time(asked.spools, asked.tenant);
  if (!stored) return std::move(stored).error();
  if (!asked.at) {
    auto at = rules_time(asked, *context.clock);
    if (!at) return std::move(at).error();
    asked.at = *at;
  }
  if (!*stored) {
    const bool of_one = asked.tenant && !asked.tenant->empty();
    context.diagnostics->say(of_one ? fmt::format("there are no records of the tenant {}", base::escape_control(*asked.tenant))
                                    : "there are no records");
  }
  if (asked.range.from > *asked.at) {
    return fail(Code::usage, "cannot evaluate rules at {}, before --from {}", record::to_rfc3339(*asked.at),
                record::to_rfc3339(asked.range.from))
        .with_hint("--at says when; without it that is the time of the newest record");
  }
  const base::Timestamp from = std::max(*stored ? (*stored)->from : *asked.at, asked.range.from);
  auto survey = ruler::Survey::compile(*kept, {.at = *asked.at, .from = std::min(from, *asked.at)});
  if (!survey) return std::move(survey).error();
  QuerySpec spec;
  spec.json = asked.json;
  return std::unique_ptr<pipeline::Source>(
      std::make_unique<RulesAnswer>(spec, context, std::move(asked), std::move(verdict), std::move(kept), *std::move(survey)));
}

}  // namespace weir::stages
