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
#include "stages/context_answer.h"
#include "stages/follow_answer.h"
#include "stages/input_answer.h"

#include <CLI/CLI.hpp>

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
    app.add_option("query", words_,
                   "a log or metric query; or labels, series, stats, volume, fields or values, mostly with a stream selector")
        ->type_name("logs|labels|series|stats|volume|fields|values|LOGQL");
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
    if (!store_.with_spool.empty() && (goes_on() || around_.given())) {
      return fail(Code::usage, "cannot take --with-spool together with --follow, an expectation or context")
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
                                   .json = output_.format == Format::jsonl};
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

constexpr std::string_view kManual = R"(# Selection
LOGQL is a log query or a metric query of weir-logql(7). `-n`, `-p` and `-c` select by namespace, pod and container; they are
joined with the selector of LOGQL. PATTERN is a name or a glob: `*` stands for any text, `?` for one character. A pattern of
`-p` is also the beginning of a name up to a dash: `-p web` takes `web` and `web-7c9f-x2x1`, but not `webshop-1`. Put a glob in
quotes, or the shell replaces it.

# Output
Text shows for each record its local time, its pod and container, the line, and the labels in which the records differ.
Labels that all records share are shown once: on a terminal beside the day, else on standard error. In text, raw and table
query shows the newest 1000 records, and standard error says when there are more. `-q` leaves out what stands on standard error,
but for errors and warnings.

Query writes text into a pipe, too. There each record is one line: a line break within it is shown as `\n`, and other control
characters as escapes such as `\x1b`. `-o raw` writes the lines of records as they are.

On a terminal, lines are wrapped under themselves (`--no-wrap`: the terminal wraps them), errors are red, warnings yellow and
debug lines dim. The day and the time zone stand in a line of their own, and again when the day changes. A histogram above
the records shows when they were written, with a row for errors and one for warnings; each row has its own scale. It counts
the records that are shown, no others, so `--limit` limits it, too. When the records take more than a second to come, or
4 MiB, they are shown at once and the histogram comes below them. Where the locale is not UTF-8, it is drawn in ASCII.

On a terminal, samples of a metric query are a table when they have one time, else a chart. The chart draws the five series with
the largest sums; its legend names fifteen. When there are more than a million samples, each is a line. Into a pipe, text shows
each sample as a line.

`-o table` shows labels, metadata and parsed labels as columns. The columns are those in which the first 1000 records (or
1 MiB of them) differ; labels that only later records have stand behind the line. Into a pipe nothing is cut, and samples over
time become a row for each series.

Samples come oldest first, in every format and from Loki as from a spool; those of one time come in the order of the series.

`-o csv` writes RFC 4180 with line feeds. The columns are `timestamp` (RFC 3339, in the time zone shown), a column for each
label, metadata and parsed label of the first 1000 records (or 1 MiB), sorted by name, then `line`, or `value` for samples;
each sample is a row. `other_labels` holds, as a JSON object, labels that only later records have. A label with one of these
names gets `label_` in front.

Labels, series, stats, volume, fields and values are shown as text, raw or jsonl.

`-o jsonl` gives all records as JSON lines. It keeps stream labels, structured metadata and parsed labels apart, and can
be piped into `weir push`.

# From Loki
Query reads the whole answer page by page. It misses no record and shows none twice, also where thousands share one
timestamp. A record at `--from` is shown, one at `--to` is not. Both times are fixed when the command starts. A request that
fails is made again up to five times; a connection that fails is an error at once as long as Loki has not answered yet. A
metric query has a point every `--step` of this time.

# From a spool
With `--spool`, or when WEIR_SPOOL names a spool and neither --addr nor LOKI_ADDR names a Loki, query reads the records
that the spool still holds, delivered or not. Held records are marked `[held]`. The stream selector may be left out. The
records of several spools are merged in the order of time. Those of all tenants are shown, or with `--tenant` those of one;
`-o jsonl` gives the tenant of each record. LOKI_ORG_ID is not used here.

`weir replay` selects records with the same options, for a chain. It passes them on as they are stored; query shows what the
query makes of them. Replay gives held records only with `--held`; query always shows them.

A metric query counts them, too. It is evaluated at points that are `--step` apart and lie at multiples of the step, as in
Loki; without `--step` there are about 250 points, at least a second apart. Its series may take 64 MiB of memory. approx_topk
and variants are not supported.

# From Loki and a spool
`--with-spool SPOOL` asks Loki, and takes from the spool what Loki does not have: records that are not delivered yet, or that
Loki has lost. Both are read in the order of time, side by side. Two records are the same when their stream, time, line and
metadata are; where Loki takes no metadata, the other three count. Each is shown once. Where Loki or the spool holds the same
record several times, the larger number counts. A record of the spool gets what it would have in Loki: the labels as push sends
them, the label service_name and the metadata detected_level. Records of other tenants are left out.

A query that changes lines or labels is applied to the merged records: Loki is asked for what comes before the first line_format,
label_format, decolorize, unpack, drop or keep, and may have to send more than is shown. Metric queries, stats, volume and fields
are not answered this way.

# From standard input
`--stdin` asks the records on standard input, JSON lines of weir: `weir tail FILE | weir query --stdin stats`. They may come in
any order. Query stores them in a spool below TMPDIR (/tmp), asks that spool, and removes it at the end. So it answers only when
the input has ended; a signal ends it at once, without an answer. `weir filter` selects from records that keep
coming. A line that is no record is an error.

# One time
`--instant` evaluates a metric query at one time, the end of the range, and gives one value for each series. Log queries have no
such answer, as in Loki. `--now TIME` is the end of the range and the time from which `--since 15m` counts back, for a look at
the past: `--now 09:30 --since 15m`.

# Following
`-f` shows the newest records first: 10 of the last hour, or what --since, --from and --limit say. Then it shows each new
record once, until a signal ends it or nobody reads its output. Records that arrive late stand where they arrive.

Query does not use Loki's own tail, which drops records and ends when Loki does. About once a second it asks Loki for the
records of the last seconds. So a new record shows within about two seconds.

Some records reach Loki late. For these, query also looks back by `--late`. A record that is late by at most `--late` shows
within a quarter of `--late` after it arrives, at most 15 s. A record that is later than that is not shown. After a burst, many
records match within `--late`, and Loki needs time to give them again. When records show later than promised, a message says by
how much, and another one says when they are in time again.

When Loki does not answer, or not within five seconds, query says so once and goes on asking. Afterwards it looks back by the
length of the outage, because agents deliver late then. At most 250,000 records may match within `--late`. When there are more,
query looks back less far, and a message says how far. A metric query is not followed.

From a spool, records show within a second after they are stored, however old they are. Only one spool can be followed.

# Context
`-A N`, `-B N` and `-C N` show the records around each match, as grep does: N records of the same log. The log is what has
the same labels but for `stream`, so stderr and stdout of a container belong together. Context that overlaps or adjoins is one
group. Groups come in the order of their first records (of each 8 MiB, when there is more). In text `--` stands between them;
as JSON lines each record has the metadata `weir_group`, its number, and context has `weir_context`, `before` or `after`. Records
are shown as they are stored: the query only selects. `--limit` counts matches. Context lies within --from and --to, too.

Query asks Loki for the matches first, then for the records around each. From a spool it reads all records of the streams.

# Expectations
With `--expect N`, `--expect-min N`, `--expect-max N` or `--expect-none` the exit code is 0 when as many records match, else 1. One
line on standard error names what was expected and found, and where none was found, why: a name that is misspelt also gives 0
with `--expect-none`. Records are shown as usual, up to the first one too many.

With `--wait TIME` query goes on looking, as when following. `--expect-min` ends as soon as there are enough. `--expect` ends when
there are enough and one more look finds no further one. `--expect-max` and `--expect-none` wait for the whole time, because one
more record may come. When Loki does not answer at the end of the time there is no verdict, and the exit code is 4.

# Rules
`--rules FILE` evaluates the alerting and recording rules of FILE over a spool, or with `--stdin` over records of standard input.
FILE has the format of Loki's ruler:
groups of rules with LogQL expressions. (The rules of weir-rules(5) are others: `weir rules test` tries those.) The
answer says which alerts would be pending or firing at `--at`, since when, with their labels, value and annotations,
and what recording rules give.

Without `--at`, that is the time of the newest record; `--now` and `--to` mean the same. Each rule is evaluated at that time,
and at each multiple of its group's interval (1m) before it, back to the oldest record or to `--from` or `--since`, which
count back from there; at most 11,000 times. All rules read the records once. Before the oldest record there is
nothing: an alert on missing logs is pending from there on. Where the spool does not reach back far enough for `for`,
an alert is pending that fires in Loki. As in Prometheus, an alert without `for` fires in the evaluation that finds
it; one evaluation without it ends a pending one; `limit` and two alerts with the same labels are errors. Templates
have the functions and variables of Prometheus; `query` is not among them. A rule whose query fails is shown with its
error, and the exit code is 2. Of a rule that gives nothing, the answer names the label or value of its selector that no stream
has.

`-o jsonl` gives a JSON object a line: for each pending or firing alert, each recorded series, and each rule without any. The exit
code is 1 when no alert fires; of files that have no alerts, when no recording rule has a series.

# Labels and series
`weir query labels` lists the names of labels, `weir query labels NAME` the values of one, and `weir query series` the
streams. Each takes an optional stream selector. Loki refuses stages behind it; over a spool they change nothing here, and
`stats` counts the records that pass them.

# How much, and what
`weir query stats` says how many streams, chunks (of a spool: blocks in this time), bytes and entries there are. `weir query
volume` lists the streams with the most bytes, added up by the labels of the selector, or by those of --by. Loki answers from its
index, roughly; of a spool the numbers are exact, count the bytes of lines, and LOGQL may be any log query.

`weir query fields LOGQL` lists what the newest --line-limit records have beside labels: structured metadata, and what json, or else
logfmt, finds in their lines; with the type of the values and how many there are. `weir query values FIELD LOGQL` lists the
values. With `-o jsonl` each line is a JSON value.

# Memory
Reading spools takes up to about 32 MiB. `--memory` allows more, so that blocks which overlap in time are read less often.

# Coming from logcli
weir-guide-logcli(7) lists the commands, options and variables of logcli. Most work as they are. --log.level, --labels-length,
--colored-output, --include-common-labels, --parallel-duration, --parallel-max-workers, --compress and --envproxy are taken and
have no effect.)";

}  // namespace

const cli::Command query_command = {
    .name = "query",
    .summary = "read records back with LogQL, from Loki or from a spool",
    .description =
        "Runs a LogQL query in Loki, over spools, or over records on standard input, and shows the records oldest first. As text "
        "it "
        "shows the newest 1000; `-o jsonl` gives all of them. labels, series, stats, volume, fields and values, in front of the "
        "query, ask what there is.",
    .manual = kManual,
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
