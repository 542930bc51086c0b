// weir query: read records back with LogQL, from Loki or from a spool.
#include "stages/query.h"

#include "cli/context_options.h"
#include "cli/expect_options.h"
#include "cli/follow_options.h"
#include "cli/loki_options.h"
#include "cli/output_options.h"
#include "cli/query_extent_options.h"
#include "cli/query_store_options.h"
#include "cli/query_words.h"
#include "cli/selection_options.h"
#include "cli/time_options.h"
#include "cmd/commands.h"
#include "stages/context_answer.h"
#include "stages/follow_answer.h"

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
    cli::declare_context(app, around_);
    cli::declare_follow(app, follow_);
    cli::declare_expect(app, expect_);
    cli::declare_output(app, output_, true);
    cli::declare(app, loki_);
  }

  void fill_in(const char* (*environment)(const char* name)) override { cli::fill_in(store_, loki_, environment); }

  [[nodiscard]] Result<void> check() const override {
    auto question = read_words();
    if (!question) return std::move(question).error();
    if (auto ok = cli::check(time_); !ok) return ok;
    if (auto ok = cli::check(follow_, time_, extent_.forward); !ok) return ok;
    if (auto ok = cli::check(expect_, time_, follow_.follow, extent_.limit.has_value()); !ok) return ok;
    if (auto ok = cli::check(around_, goes_on(), question->what == What::records); !ok) return ok;
    if (goes_on() && question->what != What::records) {
      return fail(Code::usage, "cannot {} labels or series", follow_.follow ? "follow" : "count")
          .with_hint("only records can be followed, and counted by --expect");
    }
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
    if (expect_.given()) return expectation_.verdict() == stages::Expectation::Verdict::met ? cli::Exit::ok : cli::Exit::negative;
    return result.source.records_out == 0 && !follow_.follow ? cli::Exit::negative : cli::Exit::ok;
  }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    auto spec = this->spec(plan, context);
    if (!spec) return std::move(spec).error();
    auto source = goes_on()         ? make_follow(*spec, context)
                  : around_.given() ? stages::make_context(*spec, around_.spec(), context)
                                    : stages::make_query(*spec, context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = nullptr};
  }

 private:
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
  cli::ContextFlags around_;
  cli::FollowFlags follow_;
  cli::ExpectFlags expect_;
  stages::Expectation expectation_;
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
timestamp. `--from` is inclusive and `--to` exclusive; both are fixed when the command starts. A request
that fails is made again up to five times. Loki answers a metric
query over the same time, with a point every `--step`.

# From a spool
With `--spool`, or when WEIR_SPOOL names a spool and neither --addr nor LOKI_ADDR names a Loki, query reads the records
that the spool still holds, delivered or not. Held records are marked `[held]`. The stream selector may be left out.

A metric query counts them, too. It is evaluated at points that are `--step` apart and lie at multiples of the step, as in
Loki; without `--step` there are about 250 points, at least a second apart. Its series may take 64 MiB of memory. approx_topk
and variants are not supported.

# Following
`-f` shows the newest records first: 10 of the last hour, or what --since, --from and --limit say. Then it shows each new
record once, until a signal ends it or nobody reads its output. Records that arrive late stand where they arrive.

Query does not use Loki's own tail, which drops records and ends when Loki does. It asks again, about once a second, for the
last seconds, and four times in `--late` (at most every 15 s) for `--late` more. So a new record shows within about two
seconds, and a record that reaches Loki up to `--late` after its time within a quarter of `--late`. What is later is not
shown. When Loki does not answer, query says so once, and asks until it does; afterwards it looks as far back as the outage
was long, for what agents deliver late. When more than 250,000 records match within `--late`, only those that are less late
are shown, and a message says how late. A metric query is not followed.

From a spool, records show within a second after they are stored, however old they are. Only one spool can be followed.

# Context
`-A N`, `-B N` and `-C N` show the records around each match, as grep does: N records of the same log. The log is what has
the same labels but for `stream`, so stderr and stdout of a container belong together. Context that overlaps or adjoins is one
group. Groups come in the order of their first records. In text `--` stands between them; as JSON lines each record has the
metadata `weir_group`, its number, and context has `weir_context`, `before` or `after`. Records are shown as they are stored: the
query only selects. `--limit` counts matches. Context lies within --from and --to, too.

Loki is asked for the matches, and then around each for its log. From a spool, all records of the streams are read.

# Expectations
With `--expect N`, `--expect-min N`, `--expect-max N` or `--expect-none` the exit code is 0 when as many records match, else 1. One
line on standard error names what was expected and found. Records are shown as usual. Reading ends at the first record too many.

With `--wait TIME` query goes on looking, as when following. `--expect-min` ends as soon as there are enough. `--expect` ends when
another look behind that finds no more. `--expect-max` and `--expect-none` hold when the time is over, because one more record may
come until then. When Loki does not answer at the end of the time there is no verdict, and the exit code is 4.

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
              "--addr", "--tenant", "--step", "--follow", "--context"},
    .role = cli::Role::source,
    .examples = {{"errors of one namespace in the last 15 minutes", "weir query -n checkout --since 15m '|= \"error\"'"},
                 {"the same from a spool, without Loki", "weir query --spool spool.db -n checkout '|= \"error\"'"},
                 {"slow requests of one workload, by a field of JSON lines",
                  "weir query -p web '| json | duration_ms > 500' --since 3h"},
                 {"all records of a morning as JSON lines",
                  "weir query '{namespace=\"checkout\"}' --from '2026-11-22 08:00' --to '2026-11-22 12:00' -o jsonl"},
                 {"the pods that have logged in the last day", "weir query labels pod --since 1d"},
                 {"new errors of one namespace as they come", "weir query -f -n checkout '|= \"error\"'"},
                 {"each panic with what its container wrote around it", "weir query -p web -B 5 -A 20 '|= \"panic\"' --since 3h"},
                 {"in CI: wait up to 30 seconds for a line", "weir query -n checkout --expect-min 1 --wait 30s '|= \"ready\"'"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed,
              cli::Exit::interrupted, cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Query>()); },
    .following = [](std::string_view first) { return std::optional(cli::Following{.words = {}, .listed = first == "labels"}); },
};

}  // namespace weir::cmd
