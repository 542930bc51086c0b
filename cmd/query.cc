// weir query: read records back with LogQL, from Loki or from a spool.
#include "stages/query.h"

#include "cli/context_options.h"
#include "cli/expect_options.h"
#include "cli/follow_options.h"
#include "cli/loki_options.h"
#include "cli/output_options.h"
#include "cli/query_extent_options.h"
#include "cli/query_logcli_options.h"
#include "cli/query_rules_options.h"
#include "cli/query_store_options.h"
#include "cli/query_words.h"
#include "cli/selection_options.h"
#include "cli/time_options.h"
#include "cmd/commands.h"
#include "cmd/query_manual.h"
#include "stages/context_answer.h"
#include "stages/follow_answer.h"
#include "stages/input_answer.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <algorithm>

namespace weir::cmd {
namespace {

using base::Code;
using base::fail;
using base::Result;
using Format = stages::OutputOptions::Format;
using What = stages::QuerySpec::What;

class Query : public cli::Invocation {
 public:
  Query() { loki_.timeout = 5 * base::kMinute; }

  void declare(CLI::App& app) override {
    app.add_option(
           "query", words_,
           "a log or metric query; or labels, series, stats, volume, fields or values, mostly with a stream selector; or fmt and a "
           "query")
        ->type_name("logs|labels|series|stats|volume|fields|values|fmt|LOGQL");
    cli::declare(app, store_);
    cli::declare_time(app, time_, "1h; with --spool all that is stored");
    cli::declare_selection(app, selection_);
    cli::declare(app, extent_);
    cli::declare_context(app, around_);
    cli::declare_follow(app, follow_);
    cli::declare_expect(app, expect_);
    cli::declare(app, rules_);
    cli::declare_output(app, output_, cli::OutputKind::answer);
    cli::declare(app, loki_, {.spool = true});
    cli::declare(app, logcli_);
  }

  void fill_in(const char* (*environment)(const char* name)) override { cli::fill_in(store_, loki_, environment); }

  [[nodiscard]] Result<void> check() const override {
    if (auto ok = cli::check(rules_, {.words = !words_.empty(),
                                      .selection = !cli::matchers(selection_).empty(),
                                      .spool = !store_.spools.empty() || store_.input,
                                      .to_given = time_.to.has_value(),
                                      .now_given = extent_.now.has_value()});
        !ok) {
      return ok;
    }
    if (rules_.given()) {
      if (auto ok = check_rules(); !ok) return ok;
      if (auto ok = cli::check(store_, loki_); !ok) return ok;
      return cli::check(time_);
    }
    auto question = read_words();
    if (!question) return std::move(question).error();
    if (auto ok = cli::check(time_); !ok) return ok;
    if (auto ok = cli::check(store_, loki_); !ok) return ok;
    if (auto ok = cli::check(follow_, time_, extent_.forward); !ok) return ok;
    if (auto ok = cli::check(expect_, time_, follow_.follow, extent_.limit.has_value()); !ok) return ok;
    if (auto ok = cli::check(around_, goes_on(), question->what == What::records); !ok) return ok;
    if (auto ok = check_store(); !ok) return ok;
    if (auto ok = cli::check(extent_, question->what); !ok) return ok;
    if (question->what != What::records && (output_.format == Format::csv || output_.format == Format::table)) {
      return fail(Code::usage, "cannot write {} for what is no record or sample", output_.format == Format::csv ? "csv" : "a table")
          .with_hint("-o jsonl gives JSON values; text, the default, stands in columns");
    }
    if (goes_on() && question->what != What::records) {
      return fail(Code::usage, "cannot {} what is no record", follow_.follow ? "follow" : "count")
          .with_hint("only records can be followed, and counted by --expect");
    }
    const bool needs_selector = question->what == What::records || question->what == What::fields || question->what == What::values;
    if (store_.asks_loki() && needs_selector && question->logql.empty()) {
      return fail(Code::usage, "cannot ask Loki for everything")
          .with_hint(
              "give a stream selector such as '{namespace=\"shop\"}', or -n, -p or -c; only a query of a spool may leave it out");
    }
    return {};
  }

  [[nodiscard]] bool sets_level() const override { return true; }  // or whoever stored the records did

  [[nodiscard]] stages::OutputOptions output() const override { return output_; }
  [[nodiscard]] stages::OutputOptions last_output() const override {
    auto options = output_;
    options.header = !logcli_.quiet;
    const auto question = read_words();
    if (rules_.given() || (question && question->what != What::records)) {
      options.format = Format::raw;
    } else if (options.format == Format::automatic) {
      options.format = Format::text;
    }
    if (follow_.follow || expect_.wait) options.histogram = options.ends = false;  // records are shown as they come
    return options;
  }

  [[nodiscard]] cli::Exit verdict(const pipeline::ChainResult& result) const override {
    if (rules_.given()) return rules_verdict_->anything ? cli::Exit::ok : cli::Exit::negative;
    if (expect_.given()) return expectation_.verdict() == stages::Expectation::Verdict::met ? cli::Exit::ok : cli::Exit::negative;
    return result.source.records_out == 0 && !follow_.follow ? cli::Exit::negative : cli::Exit::ok;
  }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    if (rules_.given()) return build_rules(context);
    auto spec = this->spec(plan, context);
    if (!spec) return std::move(spec).error();
    if (spec->what == What::format) {
      auto source = stages::make_query(*spec, context);
      if (!source) return std::move(source).error();
      return cli::Built{.source = std::move(*source), .stage = nullptr};
    }
    const stages::AnswerMaker make = [this](stages::QuerySpec& asked, const pipeline::Context& of_it) {
      if (goes_on()) return make_follow(asked, of_it);
      return around_.given() ? stages::make_context(asked, around_.spec(), of_it) : stages::make_query(asked, of_it);
    };
    auto source = spec->input ? stages::make_input_answer(*spec, make, context) : make(*spec, context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = nullptr};
  }

 private:
  [[nodiscard]] Result<void> check_rules() const {
    if (extent_.limit || output_.format == Format::csv || output_.format == Format::table) {
      return fail(Code::usage, "cannot take {} with --rules", extent_.limit ? "--limit" : "-o csv or -o table")
          .with_hint("the answer has all alerts, as text or with -o jsonl");
    }
    if (const std::string_view other = extent_.of_queries(); !other.empty()) {
      return fail(Code::usage, "cannot take {} with --rules", other)
          .with_hint("each group of rules has its interval, and --at, --since and --from say when");
    }
    if (!goes_on() && !around_.given() && !extent_.instant) return {};
    return fail(Code::usage, "cannot evaluate --rules and do something else with the records")
        .with_hint("leave out all but --rules, --spool and the time");
  }

  // What goes with standard input, and with a Loki and a spool at once.
  [[nodiscard]] Result<void> check_store() const {
    if (!store_.with_spool.empty() && (follow_.follow || expect_.wait || around_.given())) {
      return fail(Code::usage, "cannot take --with-spool together with {}",
                  follow_.follow ? "--follow"
                  : expect_.wait ? "--wait"
                                 : "context")
          .with_hint("ask one of them: leave --with-spool out, or use --spool instead");
    }
    if (store_.input && follow_.follow) {
      return fail(Code::usage, "cannot follow standard input").with_hint("weir filter selects from records that keep coming");
    }
    if (store_.input && expect_.wait) {
      return fail(Code::usage, "cannot take --wait together with --stdin").with_hint("leave it out: the input is read to its end");
    }
    return {};
  }

  [[nodiscard]] bool goes_on() const { return follow_.follow || expect_.given(); }

  Result<std::unique_ptr<pipeline::Source>> make_follow(stages::QuerySpec& spec, const pipeline::Context& context) {
    stages::FollowSpec follow;
    follow.follow = follow_.follow;
    follow.looks.late = follow_.late.value_or(follow.looks.late);
    if (follow_.follow && !extent_.limit && !time_.given()) spec.limit = cli::FollowFlags::kFirst;
    if (expect_.given()) {
      spec.limit = 0;
      expectation_ = expect_.expectation();
      follow.expectation = &expectation_;
    }
    return stages::make_follow(spec, follow, context);
  }

  [[nodiscard]] Result<cli::Built> build_rules(const pipeline::Context& context) const {
    stages::RulesQuestion question{.files = rules_.files,
                                   .spools = store_.spools,
                                   .tenant = tenant(),
                                   .at = {},
                                   .range = {},
                                   .scan = {},
                                   .json = output_.format == Format::jsonl};
    stages::QuerySpec of_store;
    cli::apply(store_, of_store);
    question.scan = of_store.scan;
    if (auto good = stages::check_rule_files(question.files); !good) return std::move(good).error();
    auto source = store_.input ? rules_of_input(question, context) : rules_answer(std::move(question), context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = nullptr};
  }

  [[nodiscard]] Result<std::unique_ptr<pipeline::Source>> rules_answer(stages::RulesQuestion question,
                                                                       const pipeline::Context& context) const {
    if (auto set = cli::set_times(question, rules_, time_, extent_.now, *context.clock); !set) return std::move(set).error();
    return stages::make_rules_answer(question, rules_verdict_, context);
  }

  [[nodiscard]] Result<std::unique_ptr<pipeline::Source>> rules_of_input(const stages::RulesQuestion& question,
                                                                         const pipeline::Context& context) const {
    stages::QuerySpec spec;
    cli::apply(store_, spec);
    const auto make = [this, question](stages::QuerySpec& asked, const pipeline::Context& of_it) {
      auto stored = question;
      stored.spools = asked.spools;
      return rules_answer(std::move(stored), of_it);
    };
    return stages::make_input_answer(spec, make, context);
  }

  // Of a spool or standard input. LOKI_ORG_ID is about a Loki.
  [[nodiscard]] std::optional<std::string> tenant() const {
    return loki_.tenant.empty() ? std::nullopt : std::optional(loki_.tenant);
  }

  // Each group of options fills in its part.
  [[nodiscard]] Result<stages::QuerySpec> spec(const cli::Plan& plan, const pipeline::Context& context) const {
    stages::QuerySpec spec;
    auto question = read_words();
    if (!question) return std::move(question).error();
    spec.what = question->what;
    spec.label = std::move(question->label);
    spec.logql = std::move(question->logql);
    if (spec.what == What::format) {  // nobody is asked
      if (question->input) spec.input = STDIN_FILENO;
      spec.json = output_.format == Format::jsonl;
      return spec;
    }
    const bool all = output_.format == Format::jsonl || output_.format == Format::csv || !plan.last;
    cli::apply(extent_, all, spec);
    cli::apply(store_, spec);
    spec.instant = spec.instant || question->instant;
    spec.json = output_.format == Format::jsonl;
    if (auto set = set_range(spec, context.clock->wall()); !set) return std::move(set).error();
    if (store_.asks_loki()) {
      if (auto set = set_loki(spec, context); !set) return std::move(set).error();
    } else {
      spec.tenant = tenant();
    }
    if (auto set = cli::apply(logcli_, context.environment, spec); !set) return std::move(set).error();
    return spec;
  }

  Result<void> set_range(stages::QuerySpec& spec, base::Timestamp now) const {
    auto range = cli::time_range(time_, extent_, now);
    if (!range) return std::move(range).error();
    spec.range = *range;
    if (spec.range.to == base::TimeRange::kForever && (store_.asks_loki() || spec.instant)) spec.range.to = now;
    if (!store_.asks_loki()) return {};
    if (spec.range.from == base::TimeRange::kBeginning) spec.range.from = spec.range.to - base::kHour;
    spec.range.from = std::max<base::Timestamp>(spec.range.from, 0);
    if (!time_.given() && !extent_.now) spec.when_empty = "nothing matched in the last hour; --since 24h looks further back";
    return {};
  }

  Result<void> set_loki(stages::QuerySpec& spec, const pipeline::Context& context) const {
    auto target = cli::loki_target(loki_, context.environment, context.diagnostics);
    if (!target) return std::move(target).error();
    if (auto ok = http::check_files(target->http); !ok) return ok;
    spec.loki.http = std::move(target->http);
    spec.loki.tenant = std::move(target->tenant);
    return {};
  }

  [[nodiscard]] Result<cli::QueryQuestion> read_words() const {
    return cli::read_query_words(words_, selection_,
                                 {.asks_loki = store_.asks_loki(), .time_given = time_.given(), .follow = follow_.follow});
  }

  std::vector<std::string> words_;
  cli::QueryStoreOptions store_;
  cli::TimeFlags time_;
  tail::Selection selection_;
  cli::QueryExtentOptions extent_;
  cli::ContextFlags around_;
  cli::FollowFlags follow_;
  cli::ExpectFlags expect_;
  stages::Expectation expectation_;
  cli::QueryRulesOptions rules_;
  std::shared_ptr<stages::RulesVerdict> rules_verdict_ = std::make_shared<stages::RulesVerdict>();
  stages::OutputOptions output_;
  cli::LokiOptions loki_;
  cli::QueryLogcliOptions logcli_;
};

}  // namespace

const cli::Command query_command = {
    .name = "query",
    .summary = "read records back with LogQL, from Loki or from a spool",
    .description =
        "Runs a LogQL query in Loki, over spools, or over records on standard input, and shows the records oldest first. As text "
        "it "
        "shows the newest 1000; `-o jsonl` gives all of them. labels, series, stats, volume, fields and values, in front of the "
        "query, ask what there is.",
    .manual = kQueryManual,
    .usual = {"--since", "--from", "--to", "--namespace", "--pod", "--container", "--limit", "--forward", "--output", "--spool",
              "--addr", "--tenant", "--step", "--follow", "--context", "--rules"},
    .role = cli::Role::source,
    .examples = {{"errors of one namespace in the last 15 minutes", "weir query -n checkout --since 15m '|= \"error\"'"},
                 {"the same from a spool, without Loki", "weir query --spool spool.db -n checkout '|= \"error\"'"},
                 {"slow requests of one workload, by a field of JSON lines",
                  "weir query -p web '| json | duration_ms > 500' --since 3h"},
                 {"all records of a morning as JSON lines",
                  "weir query '{namespace=\"checkout\"}' --from '2026-11-22 08:00' --to '2026-11-22 12:00' -o jsonl"},
                 {"the pods that have logged in the last day", "weir query labels pod --since 1d"},
                 {"what Loki has of an hour, and what is still in the spool", "weir query -n checkout --with-spool spool.db"},
                 {"the namespaces that log most", "weir query volume --by namespace --since 1d --limit 10"},
                 {"how many errors each pod had in the last 5 minutes",
                  "weir query --instant 'sum by (pod) (count_over_time({namespace=\"checkout\"} |= \"error\" [5m]))'"},
                 {"new errors of one namespace as they come", "weir query -f -n checkout '|= \"error\"'"},
                 {"each panic with what its container wrote around it", "weir query -p web -B 5 -A 20 '|= \"panic\"' --since 3h"},
                 {"a long query, spread over lines as Loki's format_query does it",
                  "weir query fmt 'sum by (pod) (rate({namespace=\"checkout\"} |= \"error\" | json | status >= 500 [5m]))'"},
                 {"in CI: wait up to 30 seconds for a line", "weir query -n checkout --expect-min 1 --wait 30s '|= \"ready\"'"},
                 {"which alerts of Loki's ruler would fire on the records of a spool?",
                  "weir query --rules loki.rules.yml --spool spool.db"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed,
              cli::Exit::interrupted, cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Query>()); },
    .following = [](std::string_view first) { return std::optional(cli::Following{.words = {}, .listed = first == "labels"}); },
    .foreign_options = cli::logcli_options(),
};

}  // namespace weir::cmd
