// weir replay: records out of a spool.
#include "stages/replay.h"

#include "base/count.h"
#include "cli/output_options.h"
#include "cli/selection_options.h"
#include "cli/time_options.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "logql/log_query.h"
#include "pipeline/output.h"
#include "record/json.h"
#include "rules/parser.h"
#include "scan/held_selection.h"
#include "stages/rule_place.h"
#include "stages/spool_export.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>

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
    app.add_flag("--held", spec_.held, "only records that rules hold; with --export, these as well");
    app.add_flag("--release", release_, "with --held: do not print the records; the chain that writes the spool delivers them");
    app.add_option("--release-id", release_id_,
                   "name of the release; the spool ignores a second release of the same name (default: a name made from the time)")
        ->type_name("ID");
    app.add_option("--export", export_, "do not print the records: make a new spool of them, for somebody else to read")
        ->type_name("FILE");
    app.add_option("--rules", rules_,
                   "with --export: a file of rules that redact, drop, hold and sample, as in `weir filter` (repeatable)")
        ->type_name("FILE");
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

  [[nodiscard]] base::Result<void> check() const override {
    using base::Code;
    if (release_ && !spec_.held) {
      return base::fail(Code::usage, "cannot use --release without --held: only held records are released")
          .with_hint("weir replay SPOOL --held --release --since 20m '{app=\"checkout\"}'");
    }
    if (release_ && (spec_.undelivered || spec_.rejected || spec_.retime || spec_.speed > 0)) {
      return base::fail(Code::usage,
                        "cannot use --release together with --undelivered, --rejected, --speed or --retime: the chain that writes "
                        "the spool delivers held records as they are");
    }
    if (!release_id_.empty()) {
      if (!release_) return base::fail(Code::usage, "cannot use --release-id without --release");
      if (auto good = spool::check_release_id(release_id_); !good) return good;
    }
    if (!rules_.empty() && export_.empty()) {
      return base::fail(Code::usage, "cannot use --rules without --export")
          .with_hint("rules for records that are printed: weir replay SPOOL | weir filter --rules FILE");
    }
    if (!export_.empty() && (release_ || spec_.rejected || spec_.retime || spec_.speed > 0)) {
      return base::fail(Code::usage,
                        "cannot use --export together with --release, --rejected, --speed or --retime: the new spool has the "
                        "records as they are");
    }
    for (const std::string& file : rules_) {
      if (kube::is_config_map(file)) {
        return base::fail(Code::usage, "cannot read rules '{}' here: --rules of an export takes files", file)
            .with_hint("write them into a file first: kubectl get configmap … -o jsonpath='{.data.rules}' > rules");
      }
    }
    return cli::check(time_);
  }

  [[nodiscard]] std::optional<cli::Role> role() const override {
    return release_ || !export_.empty() ? std::optional(cli::Role::action) : std::nullopt;
  }

  [[nodiscard]] bool sets_level() const override { return true; }  // or whoever stored the records did

  [[nodiscard]] stages::OutputOptions output() const override { return output_; }

  [[nodiscard]] cli::Exit verdict(const pipeline::ChainResult& result) const override {
    return result.source.records_out == 0 ? cli::Exit::negative : cli::Exit::ok;
  }

  base::Result<cli::Built> build(const cli::Plan&, const pipeline::Context& context) override {
    if (auto read = read_places(context); !read) return std::move(read).error();
    auto source = stages::make_replay(spec_, context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = nullptr};
  }

  base::Result<cli::Exit> act(const pipeline::Context& context) override {
    if (auto read = read_places(context); !read) return std::move(read).error();
    return export_.empty() ? release(context) : make_export(context);
  }

 private:
  base::Result<cli::Exit> release(const pipeline::Context& context) {
    const spool::ReleaseOrder order{release_id_.empty() ? new_id(context.clock->wall()) : release_id_, spec_.query, spec_.range};
    auto asked = scan::ask_for_release(spec_.spool, order, 30 * base::kSecond, *context.clock, *context.diagnostics, context.stop);
    if (!asked) return std::move(asked).error();
    const scan::HeldSelected& selected = asked->selected;
    std::string state = asked->known ? "known" : "nothing";
    std::string words =
        asked->known ? "the spool has had a release of this name, so nothing more is released" : "no held record matches";
    if (selected.records > 0) {
      auto by = spool::release_here(spec_.spool, *context.clock, context.stop, *context.diagnostics);
      if (!by) return std::move(by).error();
      state = *by == spool::Releaser::writer ? "releasing" : *by == spool::Releaser::here ? "released" : "waiting";
      words =
          fmt::format("{} ({}); {}", base::count_of(selected.records, "held record is released", "held records are released"),
                      record::print_size(selected.line_bytes),
                      *by == spool::Releaser::writer ? "the chain that writes the spool delivers them now"
                      : *by == spool::Releaser::here
                          ? "no chain writes the spool, so the next one delivers them"
                          : "there is no room for them now, so the next chain that writes the spool releases and delivers them");
      words += fmt::format("; watch: weir spool status {}", base::escape_control(spec_.spool));
    }
    std::string text = fmt::format("release {}: {}\n", order.id, words);
    if (output_.format == stages::OutputOptions::Format::jsonl) {
      text = R"({"release":)";
      record::append_json_string(text, order.id);
      text += fmt::format(R"(,"state":"{}","blocks":{},"records":{},"line_bytes":{}}})"
                          "\n",
                          state, selected.blocks, selected.records, selected.line_bytes);
    }
    pipeline::Output output(STDOUT_FILENO, context);
    if (auto written = output.write(text); !written) return std::move(written).error();
    if (selected.unreadable_blocks > 0) return cli::Exit::incomplete;
    return selected.records > 0 || asked->known ? cli::Exit::ok : cli::Exit::negative;
  }

  base::Result<cli::Exit> make_export(const pipeline::Context& context) {
    using base::Code;
    std::optional<rules::RuleSet> set;
    if (!rules_.empty()) {
      stages::RulePlaces places({}, context);
      std::vector<rules::NamedText> texts;
      for (const std::string& file : rules_) {
        auto text = places.read(file);
        if (!text) return std::move(text).error();
        texts.push_back({file, *std::move(text)});
      }
      auto rules = rules::parse(texts, context.clock->wall());
      if (!rules) return std::move(rules).error();
      if (rules->empty()) {
        return base::fail(Code::config, "cannot export with rules '{}': there is no rule in them", rules_.front())
            .with_hint("nothing would be redacted; leave --rules out if that is meant");
      }
      auto compiled = rules::RuleSet::compile(*std::move(rules));
      if (!compiled) return std::move(compiled).error();
      set.emplace(*std::move(compiled));
    }
    stages::ExportSpec spec{spec_, export_};
    // The states of the spool end here: held records come beside the others, not alone.
    if (spec_.held) spec.replay.undelivered = true;
    if (spec_.held && !spec_.undelivered) spec.replay.delivered = true;
    auto exported = stages::export_spool(spec, set ? &*set : nullptr, context);
    if (!exported) return std::move(exported).error();
    pipeline::Output output(STDOUT_FILENO, context);
    const std::string text = output_.format == stages::OutputOptions::Format::jsonl ? exported->to_json(spec_.spool, export_)
                                                                                    : exported->to_text(export_);
    if (auto written = output.write(text); !written) return std::move(written).error();
    if (exported->records == 0) {
      context.diagnostics->say(exported->nothing.empty() ? "nothing is exported: the rules left out all records"
                                                         : exported->nothing);
    }
    if (exported->unreadable_blocks > 0) return cli::Exit::incomplete;
    return exported->records > 0 ? cli::Exit::ok : cli::Exit::negative;
  }

  // Names that nobody else makes in the same second, on this node or another: they meet in one Loki.
  static std::string new_id(base::Timestamp now) {
    std::random_device random;
    std::string time = record::to_rfc3339(now / base::kSecond * base::kSecond);
    std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
    return fmt::format("{}-{:08x}", time, random());
  }

  base::Result<void> read_places(const pipeline::Context& context) {
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
    return {};
  }

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
  std::string spool_, query_, release_id_, export_;
  std::vector<std::string> rules_;
  bool release_ = false;
};

constexpr std::string_view kManual =
    R"(Each of --undelivered, --held and --rejected selects records in that state; several add up. LOGQL selects records and
does not change them. Replay marks no record as delivered.

PATTERN of `-n`, `-p` and `-c` is a name or a glob: `*` stands for any text, `?` for one character. A pattern of `-p` is also the
beginning of a name up to a dash: `-p web` takes `web` and `web-7c9f-x2x1`. weir-query(1) has the details.

# Order
Replay sorts the records of all blocks by time, within bounded memory. Where blocks that overlap in time hold more than
2 MiB of matching records, replay opens them several times. Rejected records come last, in the order in which Loki
refused them.

# Release
A rule may hold records (weir-rules(5)): buffer keeps them in the spool for a while and does not deliver them.
`--held --release` delivers matching held records after all. The command selects them, leaves a request in the spool,
prints the name of the release, and ends. The `weir buffer` that writes the spool begins within two seconds. It copies one block of
held records after the other, up to 1 MiB a second (--release-rate), and only while it has no other records to pass on.
The stages behind that buffer deliver them with their own URL and tenant. When no process writes the spool, the command
itself copies, and the next chain delivers. A kill at any moment neither loses a record nor delivers it twice, and
nothing evicts records that are still to be released.

A record is released once: a second release leaves out what the first one took. `--release-id` names a release, so that
a script may repeat the command; the spool ignores a release with a name that it knows. `weir spool status` shows how
many records of each release were sent or refused. `weir spool cancel ID` ends a release: records that are not copied
yet stay held.

A released record has the metadata `weir_release` with the name of its release. Loki refuses a record that is more than
an hour behind the newest of its stream. So a record that may be that old keeps its time, and `weir_release` is a label
instead, which makes it a stream of its own. `{app="checkout"} | weir_release!=""` finds both in Loki.

Held records of the last ten seconds may not be in the spool yet. A release does not see them.

# Export
`--export FILE` makes FILE, a new spool (weir-spool(5), mode 0600), of the records that replay would print, and prints
how many they are. FILE is one file, for a ticket or another machine: `weir replay`, `weir query --spool` and `weir
spool status` read it, and need no right but to read it. It has no consumers and no positions. FILE must not exist. It
appears when it is complete, and only if something matches: otherwise the exit code is 1. The source may be written
meanwhile; what is stored after the start is not exported, and a message says
how much was evicted before it was exported.

Records keep their time, labels, metadata and tenant. Held records come as well with --held, and only undelivered ones
with --undelivered; in FILE all are records like others. Gap records (`weir_gap_bytes`) of the selected streams come
whatever the rest of LOGQL says, so that a loss is not taken for silence.

`--rules FILE` applies rules (weir-rules(5)) as `weir filter` does, with the time of now for lifetimes: `redact`
changes line, labels and metadata; `drop`, `sample`, `limit` and `dedup` leave records out; `hold` leaves them out
unless --held is given; `tenant` sets the tenant; `release` does nothing. The report says how many records each rule
changed or left out. With rules, keys of a record that weir does not know are left out, since no rule looks into them.
Names of labels and of metadata, and the tenant, are not redacted. Look at the result before you hand it on:
`weir replay FILE -o jsonl | less` shows all that is in it. A rule with a mistake, or a file of rules that is missing,
ends the command: nothing is exported unredacted.

# Rejected records
A rejected record names the store that it comes from. When Loki accepts it, it leaves the store. When Loki refuses it
again, it stays there with the new reason.

Loki refuses records that are older than its limits allow, and records that are over an hour behind the newest of their
stream. --retime now sends them with the present time.)";

}  // namespace

const cli::Command replay_command = {
    .name = "replay",
    .summary = "read records back out of a spool",
    .description =
        "Reads records out of SPOOL, oldest first, for another stage or for people. Without --undelivered, --held or "
        "--rejected it reads the delivered and the undelivered ones. It changes nothing in the spool, except with --release: then "
        "the chain that writes the spool delivers held records. With --export it writes a new spool.",
    .manual = kManual,
    .usual = {"--since", "--from", "--to", "--namespace", "--pod", "--undelivered", "--rejected", "--held", "--release", "--export",
              "--rules", "--speed", "--retime", "--output"},
    .role = cli::Role::source,
    .examples = {{"look at the last 20 minutes of one namespace", "weir replay spool.db -n checkout --since 20m"},
                 {"deliver the debug lines of the last 20 minutes that a rule holds",
                  "weir replay spool.db --held --release --since 20m '{app=\"checkout\"}'"},
                 {"take the last hour of one namespace away, redacted",
                  "weir replay spool.db -n checkout --since 1h --export case.db --rules rules"},
                 {"push again what Loki refused as too old", "weir replay spool.db --rejected --retime now | weir push"},
                 {"try a filter on the records of the last day",
                  "weir replay spool.db --since 1d | weir filter --drop '|= \"GET /healthz\"'"},
                 {"as fast as they were written", "weir replay spool.db '{app=\"shop\"}' --speed 1x"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Replay>()); },
};

}  // namespace weir::cmd
