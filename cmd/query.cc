// weir query: read records back with LogQL, from Loki or from a spool.
#include "stages/query.h"

#include "cli/loki_options.h"
#include "cli/output_options.h"
#include "cli/query_extent_options.h"
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
    cli::declare_output(app, output_, cli::OutputKind::answer);
    cli::declare(app, loki_);
  }

  void fill_in(const char* (*environment)(const char* name)) override { cli::fill_in(store_, loki_, environment); }

  [[nodiscard]] Result<void> check() const override {
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
    if (question && question->what != What::records) {
      options.format = Format::raw;
    } else if (options.format == Format::automatic) {
      options.format = Format::text;
    }
    return options;
  }

  [[nodiscard]] cli::Exit verdict(const pipeline::ChainResult& result) const override {
    return result.source.records_out == 0 ? cli::Exit::negative : cli::Exit::ok;
  }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    auto spec = this->spec(plan, context);
    if (!spec) return std::move(spec).error();
    auto source = stages::make_query(*spec, context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = nullptr};
  }

 private:
  // Each group of options fills in its part.
  [[nodiscard]] Result<stages::QuerySpec> spec(const cli::Plan& plan, const pipeline::Context& context) const {
    stages::QuerySpec spec;
    auto question = read_words();
    if (!question) return std::move(question).error();
    spec.what = question->what;
    spec.label = std::move(question->label);
    spec.logql = std::move(question->logql);
    const bool all = output_.format == Format::jsonl || output_.format == Format::csv || !plan.last;
    spec.limit = extent_.limit.value_or(all ? 0 : kLimitForPeople);
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
  stages::OutputOptions output_;
  cli::LokiOptions loki_;
};

constexpr std::string_view kManual = R"(# Output
Text shows for each record its local time, its pod and container, the line, and the labels in which the records differ.
Labels that all records share are shown once: on a terminal beside the day, else on standard error. Query writes text into a
pipe, too. In text, raw and table it shows the newest 1000 records, and standard error says when there are more.

On a terminal, lines are wrapped under themselves (`--no-wrap`: the terminal wraps them), errors are red, warnings yellow and
debug lines dim. The day and the time zone stand in a line of their own, and again when the day changes. A histogram above
the records shows when they were written, with a row for errors and one for warnings; each row has its own scale. It counts
the records that are shown, no others, so `--limit` limits it, too. When the records take more than a second to come, or
4 MiB, they are shown at once and the histogram comes below them. Where the locale is not UTF-8, it is drawn in ASCII.

Samples of a metric query are a table on a terminal when they have one time, else a chart: the five series with the largest
sums are drawn, the legend names fifteen. Beyond a million samples, each is a line. Into a pipe, each is a line in text.

`-o table` shows labels, metadata and parsed labels as columns. The columns are those in which the first 1000 records (or
1 MiB of them) differ; labels that only later records have stand behind the line. Into a pipe nothing is cut, and samples over
time become a row for each series.

`-o csv` writes RFC 4180 with line feeds. The columns are `timestamp` (RFC 3339, in the time zone shown), a column for each
label, metadata and parsed label of the first 1000 records (or 1 MiB), sorted by name, then `line`, or `value` for samples, of
which each is a row. `other_labels` holds, as a JSON object, labels that only later records have. A label with one of these
names gets `label_` in front.

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
              "--addr", "--tenant", "--step"},
    .role = cli::Role::source,
    .examples = {{"errors of one namespace in the last 15 minutes", "weir query -n checkout --since 15m '|= \"error\"'"},
                 {"the same from a spool, without Loki", "weir query --spool spool.db -n checkout '|= \"error\"'"},
                 {"slow requests of one workload, by a field of JSON lines",
                  "weir query -p web '| json | duration_ms > 500' --since 3h"},
                 {"all records of a morning as JSON lines",
                  "weir query '{namespace=\"checkout\"}' --from '2026-11-22 08:00' --to '2026-11-22 12:00' -o jsonl"},
                 {"the pods that have logged in the last day", "weir query labels pod --since 1d"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed,
              cli::Exit::interrupted, cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Query>()); },
    .following = [](std::string_view first) { return std::optional(cli::Following{.words = {}, .listed = first == "labels"}); },
};

}  // namespace weir::cmd
