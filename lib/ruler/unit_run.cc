#include "ruler/unit_run.h"

#include "base/suggestion.h"
#include "base/text_file.h"
#include "gotext/quantity.h"
#include "ruler/rule_run.h"
#include "ruler/unit_compare.h"

#include <fmt/format.h>

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

namespace weir::ruler {
namespace {

using base::Code;
using base::Result;
using base::Timestamp;

constexpr base::Duration kMostEvaluations = 100'000;  // of a rule, in one test

class TestRun {
 public:
  TestRun(const UnitFile& file, std::span<const RuleFile> rules, const UnitTest& test) : file_(file), rules_(rules), test_(test) {}

  Result<std::vector<UnitFailure>> run() {
    if (auto known = check_names(); !known) return std::move(known).error();
    base::Duration end = 0;
    for (const AlertTest& one : test_.alerts) end = std::max(end, one.at);
    for (const SampleTest& one : test_.recordings) end = std::max(end, one.at);
    if (end / file_.interval >= kMostEvaluations) {
      return at_place(base::fail(Code::config, "the test needs more than {} evaluations", kMostEvaluations)
                          .with_hint("take a longer `evaluation_interval:`, or an earlier `eval_time:`"),
                      test_.place);
    }
    const logql::MetricTimes times = {test_.start, test_.start + end / file_.interval * file_.interval, file_.interval};
    const RunContext context = {&test_.external_labels, test_.external_url};
    for (const RuleFile& rules : rules_) {
      for (const Group& group : rules.groups) {
        for (const Rule& rule : group.rules) {
          auto run = RuleRun::compile(rule, group, times, context);
          if (!run) return std::move(run).error();
          runs_.push_back(*std::move(run));
        }
      }
    }
    for (const SampleTest& one : test_.expressions) {
      auto query = logql::MetricQuery::compile(one.subject, {test_.start + one.at, test_.start + one.at, 0}, true, {});
      if (!query) return at_place(std::move(query).error(), one.place);
      queries_.push_back(*std::move(query));
    }
    if (auto fed = feed(); !fed) return std::move(fed).error();
    if (auto done = evaluate(); !done) return std::move(done).error();
    for (std::size_t i = 0; i < test_.alerts.size(); ++i) {
      note(test_.alerts[i].place,
           fmt::format("alert {} at {}", test_.alerts[i].alert, gotext::print_range_duration(test_.alerts[i].at)),
           compare_alerts(test_.alerts[i].expected, active_[i], test_.start));
    }
    for (std::size_t i = 0; i < test_.recordings.size(); ++i) {
      compare(test_.recordings[i], std::move(recorded_[i]), "record");
    }
    return std::move(failures_);
  }

 private:
  [[nodiscard]] base::Error at_place(base::Error error, yaml::Place place) const {
    error.message = fmt::format("{}:{}:{}: {}", file_.name, place.line, place.column, error.message);
    error.text.clear();
    error.offset.reset();
    return error;
  }

  // A name that no rule has is a mistake: nothing of it ever fires, and a test that expects nothing would pass.
  [[nodiscard]] Result<void> check_names() const {
    std::vector<std::string> alerts, records;
    for (const RuleFile& rules : rules_) {
      for (const Group& group : rules.groups) {
        for (const Rule& rule : group.rules) (rule.kind == Rule::Kind::alert ? alerts : records).push_back(rule.name);
      }
    }
    const auto check = [&](const std::string& name, const std::vector<std::string>& known, yaml::Place place,
                           std::string_view what) -> Result<void> {
      if (std::ranges::find(known, name) != known.end()) return {};
      return at_place(base::fail(Code::config, "no rule file has the {} '{}'", what, name)
                          .with_hint(base::suggestion(name, known, "name its file below `rule_files:`")),
                      place);
    };
    for (const AlertTest& one : test_.alerts) {
      if (auto good = check(one.alert, alerts, one.place, "alert"); !good) return good;
    }
    for (const SampleTest& one : test_.recordings) {
      if (auto good = check(one.subject, records, one.place, "recording rule"); !good) return good;
    }
    return {};
  }

  // All lines, by their time.
  Result<void> feed() {
    struct Place {
      base::Duration at;
      const InputStream* stream;
      const InputLine* line;
    };
    std::vector<Place> places;
    for (const InputStream& stream : test_.streams) {
      for (const InputLine& line : stream.lines) {
        for (std::uint64_t i = 0; i < line.times; ++i)
          places.push_back({line.at + static_cast<base::Duration>(i) * line.every, &stream, &line});
      }
    }
    std::ranges::stable_sort(places, {}, &Place::at);
    record::Batch batch;
    for (const Place& place : places) {
      batch.clear();
      record::Record record;
      record.timestamp = test_.start + place.at;
      record.labels = batch.hold(place.stream->labels);
      record.line = record::Text::bytes(place.line->line);
      const auto metadata = batch.allocate_labels(place.line->metadata.size());
      for (std::size_t i = 0; i < metadata.size(); ++i)
        metadata[i] = {place.line->metadata[i].first, place.line->metadata[i].second};
      record.metadata = metadata;
      for (const auto& run : runs_) run->add(record, batch);
      for (std::size_t i = 0; i < queries_.size(); ++i) {
        if (auto good = queries_[i]->add(record, batch); !good)
          return at_place(std::move(good).error(), test_.expressions[i].place);
      }
    }
    return {};
  }

  Result<void> evaluate() {
    active_.resize(test_.alerts.size());
    recorded_.resize(test_.recordings.size());
    for (const auto& run : runs_) {
      std::optional<base::Error> wrong;
      run->finish([&](std::size_t point, Timestamp time) {
        if (run->error() && !wrong) {
          wrong = *run->error();
          wrong->message = fmt::format("{}: cannot evaluate '{}' at {}: {}", file_.name, run->rule().name,
                                       gotext::print_range_duration(time - test_.start), wrong->message);
        }
        take(*run, point);
      });
      if (wrong) return *std::move(wrong);
    }
    for (std::size_t i = 0; i < queries_.size(); ++i) {
      auto answer = queries_[i]->finish();
      if (!answer) return at_place(std::move(answer).error(), test_.expressions[i].place);
      std::vector<ExpectedSample> got;
      for (const auto& series : answer->series) {
        for (const auto& one : series.points) got.push_back({series.labels, one.value});
      }
      compare(test_.expressions[i], std::move(got), "expression");
    }
    return {};
  }

  // An expectation is about the evaluation before it, or at its time.
  void take(const RuleRun& run, std::size_t point) {
    const auto is_here = [&](base::Duration at) { return static_cast<std::size_t>(at / file_.interval) == point; };
    for (std::size_t i = 0; i < test_.alerts.size(); ++i) {
      if (test_.alerts[i].alert != run.rule().name || run.rule().kind != Rule::Kind::alert || !is_here(test_.alerts[i].at))
        continue;
      for (const Alert& alert : run.alerts()) {
        if (alert.state != AlertState::inactive) active_[i].push_back({alert, run.annotations(alert)});
      }
    }
    for (std::size_t i = 0; i < test_.recordings.size(); ++i) {
      if (test_.recordings[i].subject != run.rule().name || run.rule().kind != Rule::Kind::record ||
          !is_here(test_.recordings[i].at)) {
        continue;
      }
      for (const Sample& sample : run.samples()) recorded_[i].push_back({sample.labels, sample.value});
    }
  }

  void compare(const SampleTest& test, std::vector<ExpectedSample> got, std::string_view what) {
    note(test.place, fmt::format("{} {} at {}", what, test.subject, gotext::print_range_duration(test.at)),
         compare_samples(test.expected, std::move(got), file_.fuzzy));
  }

  void note(yaml::Place place, std::string subject, std::vector<std::string> differences) {
    if (!differences.empty()) failures_.push_back({place, std::move(subject), std::move(differences)});
  }

  const UnitFile& file_;
  std::span<const RuleFile> rules_;
  const UnitTest& test_;
  std::vector<std::unique_ptr<RuleRun>> runs_;
  std::vector<std::unique_ptr<logql::MetricQuery>> queries_;  // of test_.expressions
  std::vector<std::vector<ActiveAlert>> active_;              // of test_.alerts
  std::vector<std::vector<ExpectedSample>> recorded_;         // of test_.recordings
  std::vector<UnitFailure> failures_;
};

// The files that a pattern names.
std::vector<std::string> files_of(const std::string& pattern) {
  std::vector<std::string> files;
  glob_t found{};
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  return files;
}

}  // namespace

Result<std::vector<UnitOutcome>> run_unit_tests(const UnitFile& file, std::span<const RuleFile> rules) {
  std::vector<UnitOutcome> outcomes;
  for (const UnitTest& test : file.tests) {
    UnitOutcome outcome;
    outcome.test = test.name.empty() ? fmt::format("test {}", outcomes.size() + 1) : test.name;
    outcome.place = test.place;
    outcome.expectations = test.alerts.size() + test.expressions.size() + test.recordings.size();
    auto failures = TestRun(file, rules, test).run();
    if (!failures) return std::move(failures).error();
    outcome.failures = *std::move(failures);
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

Result<std::vector<RuleFile>> load_rule_files(const UnitFile& file, const std::string& path) {
  std::vector<RuleFile> rules;
  for (const std::string& written : file.rule_files) {
    const std::string pattern = (std::filesystem::path(path).parent_path() / written).string();
    const std::vector<std::string> found = files_of(pattern);
    if (found.empty()) {
      return base::fail(Code::config, "{}:{}:{}: no file matches '{}'", file.name, file.rule_files_place.line,
                        file.rule_files_place.column, written)
          .with_hint("the paths of `rule_files:` are relative to the folder of the file of tests");
    }
    for (const std::string& name : found) {
      auto text = base::read_text_file(name, fmt::format("'{}'", name));
      if (!text) return std::move(text).error();
      auto read = read_rules(*text, name);
      if (!read) return std::move(read).error();
      rules.push_back(*std::move(read));
    }
  }
  return rules;
}

}  // namespace weir::ruler
