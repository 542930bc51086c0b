// weir query: read records back with LogQL, from Loki or from a spool.
#include "stages/query.h"

#include "cli/loki_options.h"
#include "cli/output_options.h"
#include "cli/query_extent_options.h"
#include "cli/query_rules_options.h"
#include "cli/query_store_options.h"
#include "cli/query_words.h"
#include "cli/selection_options.h"
#include "cli/time_options.h"
#include "cmd/commands.h"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace weir::cmd {
namespace {

using base::Code;
using base::fail;
using base::Result;
using Format = stages::OutputOptions::Format;
using What = stages::QuerySpec::What;

constexpr std::uint64_t kLimitForPeople = 1000;

class Query : public cli::Invocation {
 public:
  Query() { loki_.timeout = 5 * base::kMinute; }

  void declare(CLI::App& app) override {
    app.add_option("query", words_, "a log or metric query; or `labels [NAME]` or `series`, with an optional stream selector")
        ->type_name("logs|labels|series|LOGQL");
    cli::declare(app, store_);
    cli::declare_time(app, time_, "1h; with --spool all that is stored");
    cli::declare_selection(app, selection_);
    cli::declare(app, extent_);
    cli::declare(app, rules_);
    cli::declare_output(app, output_, true);
    cli::declare(app, loki_);
  }

  void fill_in(const char* (*environment)(const char* name)) override { cli::fill_in(store_, loki_, environment); }

  [[nodiscard]] Result<void> check() const override {
    if (auto ok = cli::check(rules_, {.words = !words_.empty(),
                                      .selection = !cli::matchers(selection_).empty(),
                                      .spool = !store_.spools.empty(),
                                      .to_given = time_.to.has_value()});
        !ok) {
      return ok;
    }
    if (rules_.given()) return cli::check(time_);
    auto question = read_words();
    if (!question) return std::move(question).error();
    if (auto ok = cli::check(time_); !ok) return ok;
    if (store_.asks_loki() && question->what == What::records && question->logql.empty()) {
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
    const auto question = read_words();
    if (rules_.given() || (question && question->what != What::records)) {
      options.format = Format::raw;
    } else if (options.format == Format::automatic) {
      options.format = Format::text;
    }
    return options;
  }

  [[nodiscard]] cli::Exit verdict(const pipeline::ChainResult& result) const override {
    if (rules_.given()) return rules_verdict_->anything ? cli::Exit::ok : cli::Exit::negative;
    return result.source.records_out == 0 ? cli::Exit::negative : cli::Exit::ok;
  }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    if (rules_.given()) return build_rules(context);
    auto spec = this->spec(plan, context);
    if (!spec) return std::move(spec).error();
    auto source = stages::make_query(*spec, context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = nullptr};
  }

 private:
  [[nodiscard]] Result<cli::Built> build_rules(const pipeline::Context& context) const {
    const base::Timestamp now = context.clock->wall();
    auto range = cli::time_range(time_, now);
    if (!range) return std::move(range).error();
    auto source = stages::make_rules_answer(
        cli::rules_question(rules_, *range, store_.spools, output_.format == Format::jsonl, now), rules_verdict_, context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = nullptr};
  }

  // Each group of options fills in its part.
  [[nodiscard]] Result<stages::QuerySpec> spec(const cli::Plan& plan, const pipeline::Context& context) const {
    stages::QuerySpec spec;
    auto question = read_words();
    if (!question) return std::move(question).error();
    spec.what = question->what;
    spec.label = std::move(question->label);
    spec.logql = std::move(question->logql);
    const bool jsonl = output_.format == Format::jsonl || !plan.last;
    spec.limit = extent_.limit.value_or(jsonl ? 0 : kLimitForPeople);
    spec.forward = extent_.forward;
    spec.step = extent_.step.value_or(0);
    spec.json = output_.format == Format::jsonl;
    spec.spools = store_.spools;
    if (auto set = set_range(spec, context.clock->wall()); !set) return std::move(set).error();
    if (store_.asks_loki()) {
      if (auto set = set_loki(spec, context); !set) return std::move(set).error();
    }
    return spec;
  }

  Result<void> set_range(stages::QuerySpec& spec, base::Timestamp now) const {
    auto range = cli::time_range(time_, now);
    if (!range) return std::move(range).error();
    spec.range = *range;
    if (!store_.asks_loki()) return {};
    if (spec.range.to == base::TimeRange::kForever) spec.range.to = now;
    if (spec.range.from == base::TimeRange::kBeginning) spec.range.from = spec.range.to - base::kHour;
    spec.range.from = std::max<base::Timestamp>(spec.range.from, 0);
    if (!time_.given()) spec.when_empty = "nothing matched in the last hour; --since 24h looks further back";
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
    return cli::read_query_words(words_, selection_, {.asks_loki = store_.asks_loki(), .time_given = time_.given()});
  }

  std::vector<std::string> words_;
  cli::QueryStoreOptions store_;
  cli::TimeFlags time_;
  tail::Selection selection_;
  cli::QueryExtentOptions extent_;
  cli::QueryRulesOptions rules_;
  std::shared_ptr<stages::RulesVerdict> rules_verdict_ = std::make_shared<stages::RulesVerdict>();
  stages::OutputOptions output_;
  cli::LokiOptions loki_;
};

constexpr std::string_view kManual = R"(# Output
Text shows for each record its local time, its pod and container, the line, and the labels in which the records differ.
Labels that all records share are shown once, on standard error. Query writes text into a pipe, too. In text and raw it
shows the newest 1000 records, and standard error says when there are more.

`-o jsonl` gives all records as JSON lines. It keeps stream labels, structured metadata and parsed labels apart, and can
be piped into `weir push`.

# From Loki
Query reads the whole answer page by page. It misses no record and shows none twice, also where thousands share one
timestamp. `--from` is inclusive and `--to` exclusive; both are fixed when the command starts. Loki answers a metric
query over the same time, with a point every `--step`.

# From a spool
With `--spool`, or when WEIR_SPOOL names a spool and neither --addr nor LOKI_ADDR names a Loki, query reads the records
that the spool still holds, delivered or not. Held records are marked `[held]`. The stream selector may be left out.

A metric query counts them, too. It is evaluated at points that are `--step` apart and lie at multiples of the step, as in
Loki; without `--step` there are about 250 points, at least a second apart. Its series may take 64 MiB of memory. approx_topk
and variants are not supported.

# Rules
`--rules FILE` evaluates the alerting and recording rules of FILE over a spool. FILE has the format of Loki's ruler:
groups of rules with LogQL expressions. (The rules of weir-rules(5) are others: `weir rules test` tries those.) The
answer says which alerts would be pending or firing at `--at`, since when, with their labels, value and annotations,
and what recording rules give.

Each rule is evaluated at that time, and at each multiple of its group's interval (1m) before it, back to the oldest
record or to `--since`; at most 11,000 times. All rules read the records once. Before the oldest record there is
nothing: an alert on missing logs is pending from there on. Where the spool does not reach back far enough for `for`,
an alert is pending that fires in Loki. As in Prometheus, an alert without `for` fires in the evaluation that finds
it; one evaluation without it ends a pending one; `limit` and two alerts with the same labels are errors. Templates
have the functions and variables of Prometheus; `query` is not among them. A rule whose query fails is shown with its
error, and the exit code is 2.

`-o jsonl` gives a JSON object a line: for each pending or firing alert, each recorded series, and each rule without any. The exit
code is 1 when no alert fires; of files that have no alerts, when no recording rule has a series.

# Labels and series
`weir query labels` lists the names of labels, `weir query labels NAME` the values of one, and `weir query series` the
streams. Each takes an optional stream selector.)";

}  // namespace

const cli::Command query_command = {
    .name = "query",
    .summary = "read records back with LogQL, from Loki or from a spool",
    .description =
        "Runs a LogQL query in Loki, or over a spool, and shows the records oldest first. As text it shows the newest "
        "1000; `-o jsonl` gives all of them. `weir query labels` and `weir query series` list labels and streams.",
    .manual = kManual,
    .usual = {"--since", "--from", "--to", "--namespace", "--pod", "--container", "--limit", "--forward", "--output", "--spool",
              "--addr", "--tenant", "--step", "--rules"},
    .role = cli::Role::source,
    .examples = {{"errors of one namespace in the last 15 minutes", "weir query -n checkout --since 15m '|= \"error\"'"},
                 {"the same from a spool, without Loki", "weir query --spool spool.db -n checkout '|= \"error\"'"},
                 {"slow requests of one workload, by a field of JSON lines",
                  "weir query -p web '| json | duration_ms > 500' --since 3h"},
                 {"all records of a morning as JSON lines",
                  "weir query '{namespace=\"checkout\"}' --from '2026-11-22 08:00' --to '2026-11-22 12:00' -o jsonl"},
                 {"which alerts of Loki's ruler would fire on the records of a spool?",
                  "weir query --rules loki.rules.yml --spool spool.db"},
                 {"the pods that have logged in the last day", "weir query labels pod --since 1d"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed,
              cli::Exit::interrupted, cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Query>()); },
    .following = [](std::string_view first) { return std::optional(cli::Following{.words = {}, .listed = first == "labels"}); },
};

}  // namespace weir::cmd
