// weir rules: check, list, edit and try files of rules; unit tests of those of Loki's ruler.
#include "base/count.h"
#include "cli/kube_options.h"
#include "cli/pipeline_run.h"
#include "cli/terminal.h"
#include "cli/time_options.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "cmd/rules_unit.h"
#include "record/age.h"
#include "record/json.h"
#include "record/timestamp.h"
#include "rules/check.h"
#include "rules/edit.h"
#include "rules/parser.h"
#include "rules/printer.h"
#include "scan/spool_scan.h"
#include "show/progress.h"
#include "stages/rule_hits.h"
#include "stages/rule_maps.h"
#include "stages/rule_place.h"
#include "stages/rule_trial.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

namespace weir::cmd {
namespace {

using record::json_string;

using base::Code;
using base::Result;

// Where a rule stands in its time.
struct State {
  std::string_view word;  // "active", "pending", "expired"
  std::string text;       // for people
};

State state_of(const rules::Rule& rule, base::Timestamp now) {
  const auto* keep = std::get_if<rules::Keep>(&rule.action);
  if (keep == nullptr || !keep->lifetime) return {"active", "active"};
  const rules::Lifetime& lifetime = *keep->lifetime;
  const auto rounded = [](base::Duration left) {
    return record::print_duration(left > base::kMinute ? left / base::kMinute * base::kMinute
                                                       : left / base::kSecond * base::kSecond);
  };
  if (now < lifetime.from) return {"pending", fmt::format("begins in {}", rounded(lifetime.from - now))};
  if (now >= lifetime.until()) return {"expired", "expired"};
  return {"active", fmt::format("expires in {}", rounded(lifetime.until() - now))};
}

Result<std::vector<rules::NamedText>> read_texts(const std::vector<std::string>& files, stages::RulePlaces& places) {
  std::vector<rules::NamedText> texts;
  for (const std::string& file : files) {
    auto text = places.read(file);
    if (!text) return std::move(text).error();
    texts.push_back({file, *std::move(text)});
  }
  return texts;
}

Result<std::vector<rules::Rule>> read_rules(const std::vector<std::string>& files, stages::RulePlaces& places,
                                            base::Timestamp now) {
  auto texts = read_texts(files, places);
  if (!texts) return std::move(texts).error();
  return rules::parse(*texts, now);
}

// What is said of files alone: an empty ConfigMap is no broken one.
std::vector<rules::Finding> check_files_alone(std::vector<rules::NamedText> texts) {
  std::erase_if(texts, [](const rules::NamedText& text) { return kube::is_config_map(text.name); });
  return rules::check_texts(texts);
}

std::string_view word_of(rules::Severity severity) { return severity == rules::Severity::warning ? "warning" : "note"; }

std::string findings_to_json(const std::vector<rules::Finding>& findings) {
  std::string out = "[";
  for (const rules::Finding& one : findings) {
    out += fmt::format(R"({}{{"file":{},"line":{},"severity":"{}","message":{},"hint":{}}})", out.size() == 1 ? "" : ",",
                       json_string(one.place.file), one.place.line, word_of(one.severity), json_string(one.message),
                       json_string(one.hint));
  }
  return out + "]";
}

std::string findings_to_text(const std::vector<rules::Finding>& findings) {
  std::string out;
  for (const rules::Finding& one : findings) {
    out += fmt::format("{}: {}: {}\n", base::escape_control(rules::print(one.place)), word_of(one.severity),
                       base::escape_control(one.message));
    if (!one.hint.empty()) out += fmt::format("  {}\n", base::escape_control(one.hint));
  }
  return out;
}

Result<rules::RuleSet> read_set(const std::vector<std::string>& files, stages::RulePlaces& places, base::Timestamp now) {
  auto rules = read_rules(files, places, now);
  if (!rules) return std::move(rules).error();
  return rules::RuleSet::compile(*std::move(rules));
}

bool is_spool(const std::string& path) {
  std::string head(16, '\0');
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) &&
         std::ifstream(path, std::ios::binary).read(head.data(), static_cast<std::streamsize>(head.size())) &&
         head == std::string_view("SQLite format 3\0", 16);
}

// A word of a pipeline's text.
std::string shell_word(std::string_view word) {
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

enum class Action : std::uint8_t { check, list, add, remove, test, unit };

class Rules : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    cli::add_choice<Action>(
        app, "action", action_,
        {{"check", Action::check},
         {"list", Action::list},
         {"add", Action::add},
         {"remove", Action::remove},
         {"test", Action::test},
         {"unit", Action::unit}},
        "`check` finds mistakes, `list` shows the rules with their state, `add` and `remove` edit the file, `test` tries the "
        "rules on records that exist; `unit` runs unit tests of the alerts of Loki's ruler, which are other rules")
        ->type_name("check|list|add|remove|test|unit")
        ->default_str("")
        ->required();
    app.add_option("arguments", arguments_,
                   "the file, or configmap:NAMESPACE/NAME; for `add` also the rule; for `remove` also its line number, name, id or "
                   "text; `check`, `list` and "
                   "`test` take several files and read them in order as one text; for `unit`, files of unit tests")
        ->type_name("FILE");
    app.add_option("--against", against_, "for `test`: the records to try the rules on: a spool, a folder of logs or a log file")
        ->type_name("SPOOL|PATH");
    app.add_option("--compare", compare_, "for `test`: a file of other rules, whose decisions are compared (repeatable)")
        ->type_name("FILE");
    app.add_option("--enrich", enrich_, "for `test` on logs: the options of `enrich`, which reads the lines before the rules do")
        ->type_name("OPTIONS")
        ->capture_default_str();
    app.add_option("--metrics", metrics_, "for `list`: the metrics of a running chain; shows how often each rule acted")
        ->type_name("ADDR|URL|FILE");
    app.add_option("--junit", junit_, "for `unit`: also write the outcome as JUnit XML to FILE")->type_name("FILE");
    cli::declare_time(app, time_, "");
    cli::declare_kube(app, kube_);
    cli::add_choice<bool>(app, "-o,--output", json_, {{"text", false}, {"json", true}}, "text for people or JSON for programs");
  }

  [[nodiscard]] Result<void> check() const override {
    if (arguments_.empty()) {
      return base::fail(Code::usage, "cannot read rules: FILE is missing")
          .with_hint(action_ == Action::unit ? "name the file of unit tests: weir rules unit loki.test.yml"
                                             : "name the file of rules: weir rules check /etc/weir/rules");
    }
    if (action_ != Action::unit && !junit_.empty())
      return base::fail(Code::usage, "cannot take --junit here").with_hint("it belongs to `weir rules unit`");
    if (action_ == Action::unit) return check_unit();
    if (action_ == Action::add && arguments_.size() != 2) {
      return base::fail(Code::usage, "cannot add a rule: {}",
                        arguments_.size() < 2 ? "the rule is missing" : "there are too many arguments")
          .with_hint("quote the rule: weir rules add FILE 'keep for 30m {app=\"checkout\"}'");
    }
    if (action_ == Action::remove && arguments_.size() != 2) {
      return base::fail(Code::usage, "cannot remove a rule: {}",
                        arguments_.size() < 2 ? "which one is missing" : "there are too many arguments")
          .with_hint("name its line, its name, its id or its text in quotes: weir rules remove FILE 3");
    }
    const std::size_t places = action_ == Action::add || action_ == Action::remove ? 1 : arguments_.size();
    if (auto good = stages::check_rule_places({arguments_.begin(), arguments_.begin() + static_cast<std::ptrdiff_t>(places)});
        !good) {
      return good;
    }
    if (auto good = stages::check_rule_places(compare_); !good) return good;
    if (action_ == Action::test && against_.empty()) {
      return base::fail(Code::usage, "cannot try rules: --against is missing")
          .with_hint("try the rules on a spool or on logs: weir rules test FILE --against /var/log/pods");
    }
    if (action_ != Action::test && (!against_.empty() || !compare_.empty() || time_.given())) {
      return base::fail(Code::usage, "cannot take --against, --compare, --since, --from or --to here")
          .with_hint("they belong to `weir rules test`");
    }
    if (action_ != Action::list && !metrics_.empty())
      return base::fail(Code::usage, "cannot take --metrics here").with_hint("it belongs to `weir rules list`");
    return cli::check(time_);
  }

  Result<cli::Exit> act(const pipeline::Context& context) override {
    if (action_ == Action::unit) return run_rule_units({.files = arguments_, .json = json_, .junit = junit_}, *context.diagnostics);
    const base::Timestamp now = context.clock->wall();
    stages::RulePlaces places(kube_, context);
    if (action_ == Action::check) return check_files(places, context, now);
    if (action_ == Action::list) return list(places, context, now);
    if (action_ == Action::add) return add(places, context, now);
    if (action_ == Action::remove) return remove(places, now);
    return test(places, context, now);
  }

 private:
  [[nodiscard]] Result<void> check_unit() const {
    if (!against_.empty() || !compare_.empty() || !metrics_.empty() || time_.given()) {
      return base::fail(Code::usage, "cannot take other options than --output and --junit with `weir rules unit`")
          .with_hint("its tests hold their own log lines; to evaluate alerts over a spool: weir query --rules FILE --spool SPOOL");
    }
    return {};
  }

  static Result<cli::Exit> finish(const std::string& text) {
    auto written = cli::write_all(STDOUT_FILENO, text);
    if (!written) return std::move(written).error();
    return cli::Exit::ok;
  }

  Result<cli::Exit> check_files(stages::RulePlaces& places, const pipeline::Context& context, base::Timestamp now) const {
    constexpr std::size_t kMostMistakes = 20;
    auto texts = read_texts(arguments_, places);
    if (!texts) return std::move(texts).error();
    auto mistakes = rules::mistakes(*texts, kMostMistakes, now);
    if (!mistakes.empty()) {
      if (mistakes.size() == kMostMistakes)
        context.diagnostics->say(fmt::format("only the first {} mistakes are shown", kMostMistakes));
      // The last one is the error that ends the command.
      for (std::size_t i = 0; i + 1 < mistakes.size(); ++i) context.diagnostics->report(mistakes[i]);
      return std::move(mistakes.back());
    }
    auto rules = rules::parse(*texts, now);
    if (!rules) return std::move(rules).error();
    if (auto set = rules::RuleSet::compile(*rules); !set) return std::move(set).error();
    auto findings = rules::check(*rules, {.now = now});
    for (rules::Finding& one : check_files_alone(*texts)) findings.push_back(std::move(one));
    if (json_) return finish(fmt::format("{{\"rules\":{},\"findings\":{}}}\n", rules->size(), findings_to_json(findings)));
    return finish(findings_to_text(findings) + fmt::format("{}: ok\n", base::count_of(rules->size(), "rule")));
  }

  Result<cli::Exit> list(stages::RulePlaces& places, const pipeline::Context& context, base::Timestamp now) const {
    auto texts = read_texts(arguments_, places);
    if (!texts) return std::move(texts).error();
    auto rules = rules::parse(*texts, now);
    if (!rules) return std::move(rules).error();
    for (const rules::Finding& one : check_files_alone(*texts)) {
      context.diagnostics->say(fmt::format("'{}': {}; {}", one.place.file, one.message, one.hint));
    }
    std::optional<stages::HitsById> hits;
    if (!metrics_.empty()) {
      auto read = stages::read_rule_hits(metrics_, context);
      if (!read) return std::move(read).error();
      hits = *std::move(read);
    }
    const auto hits_of = [&](const rules::Rule& rule) {
      const auto found = hits->find(rule.id());
      return found == hits->end() ? stages::RuleHits() : found->second;
    };
    std::string out;
    if (json_) {
      for (const rules::Rule& rule : *rules) {
        const State state = state_of(rule, now);
        const auto* keep = std::get_if<rules::Keep>(&rule.action);
        out += fmt::format(R"({{"file":{},"line":{},"id":{},"action":"{}","state":"{}",)", json_string(rule.place.file),
                           rule.place.line, json_string(rule.id()), rules::word_of(rule.action), state.word);
        if (keep != nullptr && keep->lifetime)
          out += fmt::format(R"("until":{},)", json_string(record::to_rfc3339(keep->lifetime->until())));
        if (hits) out += fmt::format(R"("records":{},"bytes":{},)", hits_of(rule).records, hits_of(rule).bytes);
        out += fmt::format(R"("text":{}}})"
                           "\n",
                           json_string(rules::print(rule)));
      }
      return finish(out);
    }
    for (const rules::Rule& rule : *rules) {
      const State state = state_of(rule, now);
      const std::string place = arguments_.size() == 1 ? fmt::format("{}", rule.place.line) : rules::print(rule.place);
      const std::string acted =
          hits ? fmt::format("{:>14} {:>10}  ", base::grouped(hits_of(rule).records), record::print_size(hits_of(rule).bytes))
               : std::string();
      out += fmt::format("{:>4}  {:<16} {}{:<14} {}\n", base::escape_control(place), state.text, acted,
                         base::escape_control(rule.id()), base::escape_control(rules::print(rule)));
    }
    return finish(out.empty() ? "no rules\n" : out);
  }

  Result<cli::Exit> add(stages::RulePlaces& places, const pipeline::Context& context, base::Timestamp now) const {
    const std::string& file = arguments_.front();
    if (!kube::is_config_map(file) && rules::looks_swapped(file, arguments_.back())) {
      return base::fail(Code::usage, "the file comes first, then the rule")
          .with_hint(fmt::format("write: weir rules add {} {}", arguments_.back(), shell_word(file)));
    }
    std::optional<rules::Added> added;
    auto edited = places.edit(file, [&](std::string_view text) -> Result<std::string> {
      auto done = rules::add(text, file, arguments_.back(), {.now = now, .user = user(context)});
      if (!done) return std::move(done).error();
      added = *std::move(done);
      return added->text;
    });
    if (!edited) return std::move(edited).error();
    const State state = state_of(added->rule, now);
    if (json_) {
      return finish(fmt::format(
          R"({{"file":{},"line":{},"id":{},"state":"{}","text":{},"pruned":{},"already":{},"created":{},"warnings":{}}})"
          "\n",
          json_string(file), added->rule.place.line, json_string(added->rule.id()), state.word,
          json_string(rules::print(added->rule)), added->pruned, added->already, edited->created,
          findings_to_json(added->warnings)));
    }
    const std::string where = base::escape_control(file);
    std::string out = added->already ? fmt::format("the rule is already there, line {} of '{}'", added->rule.place.line, where)
                                     : fmt::format("added to '{}', line {}", where, added->rule.place.line);
    out += fmt::format(": {} ({})\n", base::escape_control(rules::print(added->rule)), state.text);
    if (edited->created) out += "this ConfigMap did not exist before; chains that name it with `filter --rules` use it now\n";
    out += findings_to_text(added->warnings);
    if (added->pruned > 0) {
      out += fmt::format("{} removed, expired over 7 days ago\n", base::count_of(added->pruned, "rule was", "rules were"));
    }
    return finish(out);
  }

  Result<cli::Exit> remove(stages::RulePlaces& places, base::Timestamp now) const {
    const std::string& file = arguments_.front();
    std::string line;
    auto edited = places.edit(file, [&](std::string_view text) -> Result<std::string> {
      auto done = rules::remove(text, file, arguments_.back(), now);
      if (!done) return std::move(done).error();
      line = std::move(done->line);
      return std::move(done->text);
    });
    if (!edited) return std::move(edited).error();
    return finish(json_ ? fmt::format("{{\"file\":{},\"removed\":{}}}\n", json_string(file), json_string(line))
                        : fmt::format("removed from '{}': {}\n", base::escape_control(file), base::escape_control(line)));
  }

  // Who acts, also behind sudo.
  static std::string user(const pipeline::Context& context) {
    for (const char* name : {"SUDO_USER", "USER", "LOGNAME"}) {
      const char* const value = context.environment(name);
      if (value != nullptr && *value != '\0') return value;
    }
    return fmt::format("uid {}", ::getuid());
  }

  Result<cli::Exit> test(stages::RulePlaces& places, const pipeline::Context& context, base::Timestamp now) const {
    auto set = read_set(arguments_, places, now);
    if (!set) return std::move(set).error();
    std::optional<rules::RuleSet> before;
    if (!compare_.empty()) {
      auto old = read_set(compare_, places, now);
      if (!old) return std::move(old).error();
      before = *std::move(old);
    }
    auto range = cli::time_range(time_, now);
    if (!range) return std::move(range).error();
    stages::RuleTrial trial(*std::move(set), std::move(before), *range, context);
    auto ended = is_spool(against_) ? scan_spool(*range, trial, context) : read_logs(*range, trial, context);
    if (!ended) return std::move(ended).error();
    const stages::TrialReport report = trial.report();
    if (report.records == 0) context.diagnostics->say(fmt::format("'{}' has no records in this time", against_));
    if (auto done = finish(json_ ? report.to_json() : report.to_text()); !done) return done;
    if (context.stop->stopped()) return cli::exit_of_signal(context.stop->signal(), cli::Exit::ok);
    return *ended;
  }

  Result<cli::Exit> scan_spool(const base::TimeRange& range, stages::RuleTrial& trial, const pipeline::Context& context) const {
    auto scan = scan::SpoolScan::open(against_, "", range, *context.diagnostics);
    if (!scan) return std::move(scan).error();
    (*scan)->take_states([](spool::State state) { return state != spool::State::rejected; });
    (*scan)->keep_as_stored();
    show::Progress progress("tried", *context.diagnostics, *context.clock);
    (*scan)->watch([&](const scan::SpoolScan::Work& work) {
      if (progress.due()) {
        progress.show({.records = trial.records(), .bytes = trial.bytes(), .done = work.done, .all = work.all});
      }
      return !context.stop->stopped();
    });
    auto done = (*scan)->run([&](record::Batch& batch) -> Result<bool> {
      trial.take(batch);
      return !context.stop->stopped();
    });
    progress.end();
    if (!done) return std::move(done).error();
    if (!json_) context.diagnostics->say("a spool does not have the records that were dropped before it");
    return (*scan)->unreadable_blocks() > 0 ? cli::Exit::incomplete : cli::Exit::ok;
  }

  // Through `tail` and `enrich`, as a chain would.
  Result<cli::Exit> read_logs(const base::TimeRange& range, stages::RuleTrial& trial, const pipeline::Context& context) const {
    std::string text = "tail";
    if (range.from != base::TimeRange::kBeginning) text += fmt::format(" --since {}", record::to_rfc3339(range.from));
    text += fmt::format(" -- {} | enrich {}", shell_word(against_), enrich_);
    cli::PipelineChoice choice;
    choice.text = text;
    choice.text_given = true;
    auto source = cli::load_pipelines(choice, commands());
    if (!source) return std::move(source).error();
    auto entries = cli::read_pipelines(*std::move(source), commands(), context);
    if (!entries) return std::move(entries).error();
    auto links = cli::read_links(entries->front(), commands(), context);
    if (!links) return std::move(links).error();
    // What is tried must not be delivered or stored.
    if (entries->size() != 1 || links->size() != 2) {
      return base::fail(Code::usage, "cannot use '{}' for --enrich: it is more than options of `weir enrich`",
                        base::escape_control(enrich_))
          .with_hint("for example: --enrich '--level --label cluster=eu'");
    }
    std::unique_ptr<pipeline::Source> reader;
    std::vector<std::unique_ptr<pipeline::Stage>> stages;
    for (const cli::Link& link : *links) {
      auto built = link.parsed.invocation->build({.fused = true}, context);
      if (!built) return std::move(built).error();
      if (built->source) reader = std::move(built->source);
      if (built->stage) stages.push_back(std::move(built->stage));
    }
    stages.push_back(stages::make_trial_stage(trial));
    const pipeline::ChainResult result = pipeline::run_chain(*reader, stages, context);
    if (!result.ended) return result.ended.error();
    return result.source.unreadable_files > 0 || result.source.lost > 0 ? cli::Exit::incomplete : cli::Exit::ok;
  }

  Action action_ = Action::check;
  bool json_ = false;
  std::string against_, metrics_, junit_, enrich_ = "--level";
  std::vector<std::string> arguments_, compare_;
  kube::Access kube_;
  cli::TimeFlags time_;
};

constexpr std::string_view kManual =
    R"(There are two kinds of rules. weir-rules(5) describes those that `weir filter --rules` applies to
records: drop, keep, hold, redact and others. All actions but `unit` are about them. `unit` is about the alerting and recording
rules of Loki's ruler: LogQL in YAML.

# ConfigMaps
In place of FILE, `configmap:NAMESPACE/NAME` or `configmap:NAMESPACE/NAME/KEY` names a ConfigMap of Kubernetes. `add` and
`remove` then edit it through the API server, and every node whose `filter --rules` names it has the new rules within
two seconds. `add` makes a ConfigMap that does not exist, and says so. --kube-server http://127.0.0.1:8001 goes through
`kubectl proxy`, with your own rights. It needs the rights get and patch, and create where the ConfigMap does not exist;
without them, it prints the commands that give them.

# check
`weir rules check FILE` prints what is most likely a mistake: a rule that drops all records, one that no record reaches,
a lifetime that is over, a `limit` by a label with a value for each record. No chain uses a file with an error.
`check` shows the first error of each line with its line and column, up to 20 of them, and exits with 2.

# list
`weir rules list FILE` prints each rule with its line, its state and its id. The state is `active`, `begins in …`,
`expires in …` or `expired`. --metrics URL adds how many records and bytes each rule acted on since the chain at URL
started.

# add and remove
`weir rules add FILE RULE` puts RULE before all others and writes a comment above it: when, and by whom. A
`keep for 30m` gets its `from`. Where the file has an equal rule, nothing changes. What is most likely a mistake in the
new rule is printed as by `check`. The command also removes rules that expired over 7 days ago. `weir rules remove FILE WHICH`
removes one rule. WHICH is the number of its line, its name, its id, or its text. Where neither a rule
nor a comment would remain, it writes the comment `# no rules`, because a running chain takes an empty file for a broken
one. Both replace the file in one step, and keep comments and order. A chain that reads the file uses the new rules within a second.

# test
`weir rules test FILE --against SPOOL` judges the records of a spool. --against PATH judges the records of log files,
which `enrich` reads first, as in a chain. It prints for each rule how many records and bytes it acts on, and a few of
them. With --compare OLD it also prints the records that the rules in OLD treat differently. Nothing is changed.

# unit
`weir rules unit FILE` runs unit tests of alerting and recording rules for Loki's ruler. FILE has the format of `promtool test
rules`, with two differences: `input_streams` has log lines in place of `input_series`, and `logql_expr_test` stands in place of
`promql_expr_test`. Names below `rule_files` are relative to FILE and may be patterns. An example:

    rule_files: [loki.rules.yml]
    evaluation_interval: 1m
    tests:
      - name: a third of the lines are errors
        interval: 1m
        input_streams:
          - stream: '{namespace="shop", pod="web-0"}'
            lines:
              - {line: cannot pay, every: 10s, times: 90, metadata: {detected_level: error}}
              - {line: paid, at: 0s, every: 5s, times: 180, metadata: {detected_level: info}}
        alert_rule_test:
          - eval_time: 15m
            alertname: HighErrorRatio
            exp_alerts:
              - exp_labels: {namespace: shop, severity: warning}
        logql_expr_test:
          - expr: sum(count_over_time({namespace="shop"}[5m]))
            eval_time: 5m
            exp_samples: [{labels: '{}', value: 90}]

An entry of `lines` is a text, or a map: `line`, `at` (since the start of the test), `every` (default: `interval`),
`times` (default: 1), `metadata`, and `bytes`, up to which the text is repeated. Without `at` it stands one `interval`
behind the entry before it. A stream has `metadata` for all of its lines. Lines are stored as they stand there:
nothing adds a level or other labels.

`recording_rule_test`, beside `alert_rule_test`, compares what a recording rule of this name gives at a time:

    recording_rule_test:
      - record: checkout:errors:rate1m
        eval_time: 5m
        exp_samples: [{labels: 'checkout:errors:rate1m{pod="web-1"}', value: 0.5}]

Two more keys stand beside `rule_files`, as for promtool. `group_eval_order: [GROUP, …]` names groups in an order; it
changes nothing, because no LogQL rule reads what another one records. `fuzzy_compare: true` also accepts a value that
differs in the last bit of the number.

All rules are evaluated every `evaluation_interval` (1m), as by promtool: the intervals of groups do not count.
`exp_alerts` are the alerts that fire at `eval_time`, with all of their labels; `alertname` is added. Without
`exp_annotations` the annotations are not compared. A name that no rule has is an error. The test begins at
`start_timestamp` (1970).

What differs is printed, with what was expected and what there is, and the exit code is 1. `-o json` prints it for programs, and
--junit FILE writes it for CI systems.)";

}  // namespace

const cli::Command rules_command = {
    .name = "rules",
    .summary = "check, list, edit and try files of rules; test alerts",
    .description =
        "Works on the files of rules that `weir filter --rules` applies: finds mistakes, lists the rules with their state, "
        "adds or removes one in place, or tries them on existing records. `weir rules unit` is about other rules, the alerts of "
        "Loki's ruler, and runs unit tests of them.",
    .manual = kManual,
    .usual = {"--against", "--compare", "--since", "--enrich", "--metrics", "--output", "--kube-server", "--junit"},
    .role = cli::Role::action,
    .examples = {{"keep everything of one app for half an hour",
                  "weir rules add /etc/weir/rules 'keep for 30m {app=\"checkout\"}'"},
                 {"what would these rules do to the logs of this node?", "weir rules test rules --against /var/log/pods"},
                 {"what changes against the rules in use?", "weir rules test new --compare /etc/weir/rules --against spool.db"},
                 {"find mistakes before a deployment", "weir rules check rules"},
                 {"see which rules are in force", "weir rules list /etc/weir/rules"},
                 {"run the unit tests of alerts for Loki's ruler", "weir rules unit loki.test.yml"},
                 {"change a whole cluster, beside kubectl proxy",
                  "weir rules add configmap:logging/weir-rules 'drop |= \"healthz\"' --kube-server http://127.0.0.1:8001"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed,
              cli::Exit::interrupted, cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Rules>()); },
};

}  // namespace weir::cmd
