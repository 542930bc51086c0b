// weir query: read records back with LogQL, from Loki or from a spool.
#include "stages/query.h"

#include "cli/loki_options.h"
#include "cli/output_options.h"
#include "cli/selection_options.h"
#include "cli/time_options.h"
#include "cmd/commands.h"
#include "base/visible.h"
#include "record/timestamp.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace weir::cmd {
namespace {

using base::Code;
using base::fail;
using base::Result;
using What = stages::QuerySpec::What;

constexpr std::uint64_t kLimitForPeople = 1000;
constexpr const char* kSinceForLoki = "1h";

class Query : public cli::Invocation {
 public:
  Query() { loki_.timeout = "5m"; }

  void declare(CLI::App& app) override {
    app.add_option("query", words_, "a log or metric query; `labels [NAME]` and `series` take an optional stream selector")
        ->type_name("logs|labels|series|LOGQL");
    app.add_option("--spool", spool_, "ask this spool instead of Loki (default: WEIR_SPOOL, where neither --addr nor LOKI_ADDR names a Loki)")
        ->type_name("SPOOL");
    cli::declare_time(app, time_, "1h; with --spool all that is stored");
    cli::declare_selection(app, selection_);
    app.add_option("--limit", limit_, "at most this many records, 0 for all (default: 1000 in text and raw, all in jsonl)")->type_name("N");
    app.add_flag("--forward", forward_, "with a limit the oldest records, not the newest; either way the oldest are shown first");
    app.add_option("--step", step_, "distance of the points of a metric query (default: Loki's choice)")->type_name("DURATION");
    cli::declare_output(app, output_, true);
    cli::declare(app, loki_);
  }

  Result<void> check() override {
    if (auto ok = read_words(); !ok) return ok;
    if (spool_.empty() && loki_.url.empty() && variable("LOKI_ADDR").empty()) spool_ = variable("WEIR_SPOOL");
    if (auto range = cli::time_range(time_, base::Clock::system().wall()); !range) return std::move(range).error();
    if (!step_.empty()) {
      auto step = record::parse_duration(step_);
      if (!step) return std::move(step).error().within("--step");
      if (*step < base::kMillisecond) return fail(Code::usage, "cannot use a --step below 1ms");
      spec_.step = *step;
    }
    if (spool_.empty() && spec_.what == What::records && spec_.logql.empty()) {
      return fail(Code::usage, "cannot ask Loki for everything")
          .with_hint("give a stream selector such as '{namespace=\"shop\"}', or -n, -p or -c; only a spool is read without");
    }
    return {};
  }

  [[nodiscard]] std::string output() const override {
    if (spec_.what != What::records) return "raw";
    return output_.format.empty() || output_.format == "auto" ? "text" : output_.format;
  }

  [[nodiscard]] cli::Exit verdict(const pipeline::ChainResult& result) const override {
    return result.source.records_out == 0 ? cli::Exit::negative : cli::Exit::ok;
  }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    const bool jsonl = output_.format == "jsonl" || !plan.last;
    const base::Timestamp now = context.clock->wall();
    auto range = cli::time_range(time_, now);
    if (!range) return std::move(range).error();
    spec_.from = range->from;
    spec_.to = range->to;
    spec_.spool = spool_;
    if (spool_.empty()) {
      if (spec_.to == cli::TimeRange::kForever) spec_.to = now;
      if (spec_.from == cli::TimeRange::kBeginning) spec_.from = spec_.to - base::kHour;
      spec_.from = std::max<base::Timestamp>(spec_.from, 0);
      auto config = cli::to_client_config(loki_, context.environment, context.diagnostics);
      if (!config) return std::move(config).error();
      if (auto ok = http::check_files(*config); !ok) return std::move(ok).error();
      spec_.loki.http = std::move(*config);
      spec_.loki.tenant = loki_.tenant;
      if (!time_.given()) spec_.when_empty = "nothing matched in the last hour; --since 24h looks further back";
    }
    spec_.limit = limit_.value_or(jsonl ? 0 : kLimitForPeople);
    spec_.forward = forward_;
    spec_.json = output_.format == "jsonl";
    auto source = stages::make_query(spec_, context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = nullptr};
  }

 private:
  static std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
  }

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
  Result<void> read_words() {
    std::vector<std::string> rest = words_;
    const auto take = [&] { rest.erase(rest.begin()); };
    spec_.what = What::records;
    spec_.label.clear();
    if (!rest.empty() && rest[0] == "logs") {
      take();
    } else if (!rest.empty() && rest[0] == "labels") {
      spec_.what = What::labels;
      take();
      if (!rest.empty() && is_name(rest[0])) {
        spec_.label = rest[0];
        take();
      }
    } else if (!rest.empty() && rest[0] == "series") {
      spec_.what = What::series;
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
    auto narrowed = selection_.narrow(rest.empty() ? std::string() : rest[0]);
    if (!narrowed) return std::move(narrowed).error();
    spec_.logql = std::move(*narrowed);
    return {};
  }

  std::vector<std::string> words_;
  std::string spool_, step_;
  std::optional<std::uint64_t> limit_;
  bool forward_ = false;
  cli::TimeFlags time_;
  cli::Selection selection_;
  cli::OutputFlags output_;
  cli::LokiOptions loki_;
  stages::QuerySpec spec_;
};

}  // namespace

const cli::Command query_command = {
    .name = "query",
    .summary = "read records back with LogQL, from Loki or from a spool",
    .description =
        "Runs a LogQL query and shows the records oldest first. In text and raw the newest 1000 are shown, and standard error says "
        "when there were more; `-o jsonl` gives all of them, with stream labels, structured metadata and parsed labels told apart, and "
        "can be piped into `weir push`.\n\n"
        "From Loki everything is read page by page: no record is missing and none comes twice, also where thousands share one "
        "timestamp. `--from` is inclusive and `--to` exclusive; both are fixed when the command starts. A metric query is answered by "
        "Loki over the same time, with a point every `--step`.\n\n"
        "With `--spool`, or where WEIR_SPOOL names a spool and nothing names a Loki, the same LogQL is answered from the records that a spool still holds, delivered or not; those that are held back "
        "are marked `[held]`. There the stream selector may be left out. A spool answers log queries only.\n\n"
        "Text is, for each record, its local time, its pod and container, the line, and the labels in which the records "
        "differ; what they have in common is said once on standard error. Text is also what goes into a pipe.\n\n"
        "`weir query labels` lists label names, `weir query labels NAME` the values of one, `weir query series` the streams; each takes an "
        "optional stream selector.",
    .role = cli::Role::source,
    .examples = {{"errors of one namespace in the last 15 minutes", "weir query -n checkout --since 15m '|= \"error\"'"},
                 {"the same question to a spool, with no Loki", "weir query --spool spool.db -n checkout '|= \"error\"'"},
                 {"slow requests of one workload, by a field of JSON lines", "weir query -p web '| json | duration_ms > 500' --since 3h"},
                 {"all records of a morning as JSON lines",
                  "weir query '{namespace=\"checkout\"}' --from '2026-11-22 08:00' --to '2026-11-22 12:00' -o jsonl"},
                 {"the pods that have logged in the last day", "weir query labels pod --since 1d"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed, cli::Exit::interrupted,
              cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Query>()); },
    .following = [](std::string_view first) { return std::optional(cli::Following{.words = {}, .listed = first == "labels"}); },
};

}  // namespace weir::cmd
