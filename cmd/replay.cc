// weir replay: records out of a spool.
#include "stages/replay.h"

#include "cli/output_options.h"
#include "cli/selection_options.h"
#include "cli/time_options.h"
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
    app.add_option("spool", spool_, "the spool to read; may be left out where WEIR_SPOOL names it")->type_name("SPOOL");
    app.add_option("logql", query_, "only records that match; the selector may be left out")->type_name("LOGQL");
    cli::declare_time(app, time_, "");
    cli::declare_selection(app, selection_);
    app.add_flag("--undelivered", spec_.undelivered, "only records that some consumer has not acknowledged");
    app.add_flag("--held", spec_.held, "only records that rules hold back");
    app.add_flag("--rejected", spec_.rejected, "only records that Loki refused for good, each with its `rejected` reason");
    app.add_option("--speed", speed_, "pace: `max`, or a multiple of the speed at which they were written (`1x`, `10x`)")
        ->type_name("SPEED")
        ->capture_default_str();
    app.add_option("--retime", retime_, "`now`: the present as timestamp; the old one goes to metadata weir_original_timestamp")
        ->check(CLI::IsMember({"now"}));
    cli::declare_output(app, output_);
  }

  base::Result<void> check() override {
    using base::Code;
    if (speed_ != "max") {
      char* end = nullptr;
      spec_.speed = std::strtod(speed_.c_str(), &end);
      if (end == speed_.c_str() || (std::string_view(end) != "x" && *end != '\0') || !(spec_.speed > 0) || spec_.speed > 1e9) {
        return base::fail(Code::usage, "cannot use --speed {}: give max, or a multiple such as 1x", speed_);
      }
    }
    spec_.retime = retime_ == "now";
    return {};
  }

  [[nodiscard]] std::string output() const override { return output_.format; }

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
    auto narrowed = selection_.narrow(query_);
    if (!narrowed) return std::move(narrowed).error();
    spec_.query = std::move(*narrowed);
    spec_.range = {range->from, range->to};
    auto source = stages::make_replay(spec_, context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = nullptr};
  }

 private:
  stages::ReplaySpec spec_;
  cli::TimeFlags time_;
  cli::Selection selection_;
  cli::OutputFlags output_;
  std::string spool_, query_, speed_ = "max", retime_;
};

}  // namespace

const cli::Command replay_command = {
    .name = "replay",
    .summary = "read records back out of a spool",
    .description =
        "Writes the records that SPOOL holds, oldest first, for another stage or for people. Without --undelivered, --held or --rejected these "
        "are delivered and undelivered ones; any of the three limits it to the states named. LOGQL selects records and changes none of "
        "them. Nothing in the spool changes either: no record is marked as delivered. Only rejected records tell `weir push` where they come from: "
        "those that Loki takes now leave the store, and those that it refuses again stay there with the new reason.\n\n"
        "Records are sorted by time over all blocks within bounded memory; where blocks that overlap in time hold more than 2 MiB of "
        "matching records, they are opened several times. Rejected records come last, in the order of their refusal.\n\n"
        "Loki refuses records that are older than its limits allow and, out of order within a stream, those over an hour behind; --retime now "
        "sends them with the present time.",
    .role = cli::Role::source,
    .examples = {{"look at the last 20 minutes of one namespace", "weir replay spool.db -n checkout --since 20m"},
                 {"push what Loki refused as too old once more", "weir replay spool.db --rejected --retime now | weir push"},
                 {"try rules on yesterday's records", "weir replay spool.db --since 1d | weir filter --drop '|= \"GET /healthz\"'"},
                 {"as fast as they were written", "weir replay spool.db '{app=\"shop\"}' --speed 1x"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Replay>()); },
};

}  // namespace weir::cmd
