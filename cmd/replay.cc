// weir replay: records out of a spool.
#include "stages/replay.h"

#include "cli/output_options.h"
#include "cli/selection_options.h"
#include "cli/time_options.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "logql/log_query.h"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <filesystem>

namespace weir::cmd {
namespace {

class Replay : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("spool", spool_, "the spool to read (default: WEIR_SPOOL)")->type_name("SPOOL");
    app.add_option("logql", query_, "only records that match; the stream selector may be left out")->type_name("LOGQL");
    cli::declare_time(app, time_, "");
    cli::declare_selection(app, selection_);
    app.add_flag("--undelivered", spec_.undelivered, "only records that a consumer has not acknowledged");
    app.add_flag("--held", spec_.held, "only records that are held by rules");
    app.add_flag("--rejected", spec_.rejected, "only records that Loki refused for good, each with the reason in `rejected`");
    cli::add_value(
        app, "--speed", [this](const std::string& text) { return read_speed(text); },
        "pace: `max`, or a multiple of the pace at which they were written (`1x`, `10x`)")
        ->type_name("SPEED")
        ->default_str("max");
    cli::add_choice<bool>(app, "--retime", spec_.retime, {{"now", true}},
                          "`now`: set the present time; the old one becomes metadata weir_original_timestamp");
    cli::declare_output(app, output_);
  }

  [[nodiscard]] base::Result<void> check() const override { return cli::check(time_); }

  [[nodiscard]] stages::OutputOptions output() const override { return output_; }

  [[nodiscard]] cli::Exit verdict(const pipeline::ChainResult& result) const override {
    return result.source.records_out == 0 ? cli::Exit::negative : cli::Exit::ok;
  }

  base::Result<cli::Built> build(const cli::Plan&, const pipeline::Context& context) override {
    const char* named = context.environment != nullptr ? context.environment("WEIR_SPOOL") : nullptr;
    const bool default_spool = named != nullptr && *named != '\0';
    std::error_code ignored;
    if (default_spool && query_.empty() && !spool_.empty() && !std::filesystem::exists(spool_, ignored)) std::swap(spool_, query_);
    if (spool_.empty() && default_spool) spool_ = named;
    if (spool_.empty()) return base::fail(base::Code::usage, "SPOOL is missing").with_hint("name a file, or set WEIR_SPOOL");
    auto range = cli::time_range(time_, context.clock->wall());
    if (!range) return std::move(range).error();
    spec_.spool = spool_;
    auto narrowed = cli::narrow(selection_, query_);
    if (!narrowed) return std::move(narrowed).error();
    spec_.query = *std::move(narrowed);
    spec_.range = *range;
    auto source = stages::make_replay(spec_, context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = nullptr};
  }

 private:
  base::Result<void> read_speed(const std::string& text) {
    spec_.speed = 0;
    if (text == "max") return {};
    char* end = nullptr;
    spec_.speed = std::strtod(text.c_str(), &end);
    if (end != text.c_str() && (std::string_view(end) == "x" || *end == '\0') && spec_.speed > 0 && spec_.speed <= 1e9) return {};
    return base::fail(base::Code::usage, "it must be max, or a multiple such as 1x");
  }

  stages::ReplaySpec spec_;
  cli::TimeFlags time_;
  tail::Selection selection_;
  stages::OutputOptions output_;
  std::string spool_, query_;
};

constexpr std::string_view kManual =
    R"(Each of --undelivered, --held and --rejected selects records in that state; several add up. LOGQL selects records and
does not change them. Replay marks no record as delivered.

# Order
Replay sorts the records of all blocks by time, within bounded memory. Where blocks that overlap in time hold more than
2 MiB of matching records, replay opens them several times. Rejected records come last, in the order in which Loki
refused them.

# Rejected records
A rejected record tells `weir push` where it comes from. When Loki accepts it, it leaves the store. When Loki refuses it
again, it stays there with the new reason.

Loki refuses records that are older than its limits allow, and records that are over an hour behind the newest of their
stream. --retime now sends them with the present time.)";

}  // namespace

const cli::Command replay_command = {
    .name = "replay",
    .summary = "read records back out of a spool",
    .description =
        "Reads records out of SPOOL, oldest first, for another stage or for people. Without --undelivered, --held or "
        "--rejected it reads the delivered and the undelivered ones. It changes nothing in the spool.",
    .manual = kManual,
    .usual = {"--since", "--from", "--to", "--namespace", "--pod", "--undelivered", "--rejected", "--held", "--speed", "--retime",
              "--output"},
    .role = cli::Role::source,
    .examples = {{"look at the last 20 minutes of one namespace", "weir replay spool.db -n checkout --since 20m"},
                 {"push again what Loki refused as too old", "weir replay spool.db --rejected --retime now | weir push"},
                 {"try a filter on the records of the last day",
                  "weir replay spool.db --since 1d | weir filter --drop '|= \"GET /healthz\"'"},
                 {"as fast as they were written", "weir replay spool.db '{app=\"shop\"}' --speed 1x"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Replay>()); },
};

}  // namespace weir::cmd
