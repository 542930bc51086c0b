// weir query: read records back with LogQL, from Loki or from a spool.
#include "stages/query.h"

#include "base/visible.h"
#include "cli/loki_options.h"
#include "cli/output_options.h"
#include "cli/selection_options.h"
#include "cli/time_options.h"
#include "cli/value_options.h"
#include "cmd/commands.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>

namespace weir::cmd {
namespace {

using base::Code;
using base::fail;
using base::Result;
using Format = stages::OutputOptions::Format;
using What = stages::QuerySpec::What;

constexpr std::uint64_t kLimitForPeople = 1000;
constexpr const char* kSinceForLoki = "1h";

class Query : public cli::Invocation {
 public:
  Query() { loki_.timeout = 5 * base::kMinute; }

  void declare(CLI::App& app) override {
    app.add_option("query", words_, "a log or metric query; or `labels [NAME]` or `series`, with an optional stream selector")
        ->type_name("logs|labels|series|LOGQL");
    app.add_option("--spool", spool_,
                   "read this spool instead of Loki (default: WEIR_SPOOL, when neither --addr nor LOKI_ADDR is given)")
        ->type_name("SPOOL");
    cli::declare_time(app, time_, "1h; with --spool all that is stored");
    cli::declare_selection(app, selection_);
    cli::add_number(app, "--limit", limit_, "at most N records, 0 for all (default: 1000 in text and raw, all in jsonl)");
    app.add_flag("--forward", forward_, "with a limit, take the oldest records instead of the newest");
    cli::add_duration(app, "--step", step_, "time between the points of a metric query (default: a 250th of the time)",
                      {.least = base::kMillisecond});
    cli::declare_output(app, output_, true);
    cli::declare(app, loki_);
  }

  void fill_in(const char* (*environment)(const char* name)) override {
    const auto variable = [&](const char* name) {
      const char* value = environment(name);
      return value == nullptr ? std::string() : std::string(value);
    };
    if (spool_.empty() && loki_.url.empty() && variable("LOKI_ADDR").empty()) spool_ = variable("WEIR_SPOOL");
  }

  [[nodiscard]] Result<void> check() const override {
    auto question = read_words();
    if (!question) return std::move(question).error();
    if (auto ok = cli::check(time_); !ok) return ok;
    if (spool_.empty() && question->what == What::records && question->logql.empty()) {
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
    const bool jsonl = output_.format == Format::jsonl || !plan.last;
    const base::Timestamp now = context.clock->wall();
    auto range = cli::time_range(time_, now);
    if (!range) return std::move(range).error();
    auto question = read_words();
    if (!question) return std::move(question).error();
    spec_.what = question->what;
    spec_.label = std::move(question->label);
    spec_.logql = std::move(question->logql);
    spec_.step = step_.value_or(0);
    spec_.range = *range;
    spec_.spool = spool_;
    if (spool_.empty()) {
      if (spec_.range.to == base::TimeRange::kForever) spec_.range.to = now;
      if (spec_.range.from == base::TimeRange::kBeginning) spec_.range.from = spec_.range.to - base::kHour;
      spec_.range.from = std::max<base::Timestamp>(spec_.range.from, 0);
      auto target = cli::loki_target(loki_, context.environment, context.diagnostics);
      if (!target) return std::move(target).error();
      if (auto ok = http::check_files(target->http); !ok) return std::move(ok).error();
      spec_.loki.http = std::move(target->http);
      spec_.loki.tenant = std::move(target->tenant);
      if (!time_.given()) spec_.when_empty = "nothing matched in the last hour; --since 24h looks further back";
    }
    spec_.limit = limit_.value_or(jsonl ? 0 : kLimitForPeople);
    spec_.forward = forward_;
    spec_.json = output_.format == Format::jsonl;
    auto source = stages::make_query(spec_, context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = nullptr};
  }

 private:
  struct Question {
    What what = What::records;
    std::string label, logql;
  };

  // A file in the format of SQLite.
  static bool is_spool(const std::string& word) {
    constexpr std::string_view kBegin = "SQLite format 3";
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(word, ignored)) return false;
    char begin[kBegin.size()] = {};
    std::ifstream(word, std::ios::binary).read(begin, sizeof begin);
    return std::string_view(begin, sizeof begin) == kBegin;
  }

  static bool is_name(const std::string& word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
  }

  // [logs] [LOGQL], labels [NAME] [SELECTOR], series [SELECTOR]
  [[nodiscard]] Result<Question> read_words() const {
    std::vector<std::string> rest = words_;
    const auto take = [&] { rest.erase(rest.begin()); };
    Question question;
    if (!rest.empty() && rest[0] == "logs") {
      take();
    } else if (!rest.empty() && rest[0] == "labels") {
      question.what = What::labels;
      take();
      if (!rest.empty() && is_name(rest[0])) {
        question.label = rest[0];
        take();
      }
    } else if (!rest.empty() && rest[0] == "series") {
      question.what = What::series;
      take();
    }
    if (!rest.empty() && rest[0] == "ago" && time_.given()) {
      return fail(Code::usage, "cannot take 'ago' as a query").with_hint("leave it out: --since 2h means the last two hours");
    }
    if (!rest.empty() && spool_.empty() && is_spool(rest[0])) {
      return fail(Code::usage, "cannot take '{}' as a query: it is a spool", base::escape_control(rest[0]))
          .with_hint(fmt::format("weir query --spool '{}'", base::escape_control(rest[0])));
    }
    if (rest.size() > 1) {
      return fail(Code::usage, "cannot take '{}' as a second query", rest[1])
          .with_hint("put the whole query into quotes: weir query '{namespace=\"shop\"} |= \"error\"'");
    }
    auto narrowed = cli::narrow(selection_, rest.empty() ? std::string() : rest[0]);
    if (!narrowed) return std::move(narrowed).error();
    question.logql = *std::move(narrowed);
    return question;
  }

  std::vector<std::string> words_;
  std::string spool_;
  std::optional<base::Duration> step_;
  std::optional<std::uint64_t> limit_;
  bool forward_ = false;
  cli::TimeFlags time_;
  tail::Selection selection_;
  stages::OutputOptions output_;
  cli::LokiOptions loki_;
  stages::QuerySpec spec_;
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
