// weir buffer: store records on disk, then forward them.
#include "stages/buffer.h"

#include "cli/output_options.h"
#include "cmd/commands.h"
#include "record/timestamp.h"
#include "spool/rehearsal.h"

#include <CLI/CLI.hpp>

namespace weir::cmd {
namespace {

class Buffer : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("spool", spec_.spool.path, "the file to store in; it is created if it is not there (default: WEIR_SPOOL)")
        ->type_name("SPOOL")
        ->envname("WEIR_SPOOL");
    app.add_flag("--store", spec_.store_only, "store, and forward nothing");
    app.add_flag("--spill", spec_.spill,
                 "forward at once, and store only what push has not acknowledged after 5 s or what does not fit into 6 MiB of memory: for slow, busy disks");
    app.add_option("--sync", sync_, "what survives a power cut: `off` what the system wrote, `normal` all but the last commits, `full` every commit")
        ->check(CLI::IsMember({"off", "normal", "full"}))
        ->capture_default_str();
    app.add_option("--wait", wait_, "how long to wait for another writer of this spool to end")->type_name("DURATION")->capture_default_str();

    constexpr const char* limits = "Limits";
    app.add_option("--max-size", max_size_, "size of the whole file")->type_name("SIZE")->capture_default_str()->group(limits);
    app.add_option("--min-free", min_free_, "do not grow while less of the file system is free")->type_name("PERCENT")->capture_default_str()->group(limits);
    app.add_option("--rejected-max", rejected_max_, "bytes that records refused by Loki may take of it, the oldest go first (default: a tenth of --max-size)")
        ->type_name("SIZE")
        ->group(limits);
    app.add_option("--retain", retain_, "how long delivered records stay")->type_name("DURATION")->capture_default_str()->group(limits);
    app.add_option("--hold", hold_, "how long held records stay")->type_name("DURATION")->capture_default_str()->group(limits);
    app.add_option("--hold-max", hold_max_, "bytes that held records may take beyond --retain, 0 for no bound of their own")
        ->type_name("SIZE")
        ->capture_default_str()
        ->group(limits);
    app.add_option("--on-full", on_full_, "when all is full of undelivered records: `block` the chain, or `drop-oldest`")
        ->check(CLI::IsMember({"block", "drop-oldest"}))
        ->capture_default_str()
        ->group(limits);

    constexpr const char* forwarding = "Forwarding";
    app.add_option("--as", spec_.consumer, "the consumer behind, whose unacknowledged records are forwarded first")
        ->type_name("NAME")
        ->capture_default_str()
        ->group(forwarding);
    app.add_flag("--only-new", spec_.only_new, "forward only what is taken from now on")->group(forwarding);
    cli::declare_output(app, output_);
  }

  base::Result<void> check() override {
    using base::Code;
    if (spec_.spool.path.empty()) {
      return base::fail(Code::usage, "SPOOL is missing").with_hint("name a file, or set WEIR_SPOOL: weir buffer /var/lib/weir/spool.db");
    }
    if (spec_.spill && spec_.store_only) {
      return base::fail(Code::usage, "--spill and --store exclude each other: one stores as little as it can, the other all");
    }
    const auto duration = [](const char* option, const std::string& text, base::Duration& value) -> base::Result<void> {
      auto parsed = text == "0" ? base::Result<base::Duration>(0) : record::parse_duration(text);
      if (!parsed) return std::move(parsed).error().within(fmt::format("cannot use {}", option));
      if (*parsed < 0) return base::fail(Code::usage, "cannot use {} {}: it is negative", option, text);
      value = *parsed;
      return {};
    };
    const auto size = [](const char* option, const std::string& text, std::uint64_t& value) -> base::Result<void> {
      auto parsed = record::parse_size(text);
      if (!parsed) return std::move(parsed).error().within(fmt::format("cannot use {}", option));
      value = *parsed;
      return {};
    };
    if (auto ok = duration("--wait", wait_, spec_.spool.wait); !ok) return ok;
    if (auto ok = duration("--retain", retain_, spec_.spool.retain); !ok) return ok;
    if (auto ok = duration("--hold", hold_, spec_.spool.hold); !ok) return ok;
    if (auto ok = size("--max-size", max_size_, spec_.spool.max_size); !ok) return ok;
    if (auto ok = size("--hold-max", hold_max_, spec_.spool.hold_max); !ok) return ok;
    if (!rejected_max_.empty()) {
      if (auto ok = size("--rejected-max", rejected_max_, spec_.spool.rejected_max); !ok) return ok;
      if (spec_.spool.rejected_max < kLeastRejected || spec_.spool.rejected_max > spec_.spool.max_size / 2) {
        return base::fail(Code::usage, "cannot use --rejected-max {}: {} to half of --max-size", rejected_max_, record::print_size(kLeastRejected));
      }
    }
    if (spec_.spool.max_size < kSmallest) {
      return base::fail(Code::usage, "cannot use --max-size {}: a spool needs {} at least", max_size_, record::print_size(kSmallest));
    }
    std::string percent = min_free_;
    if (percent.ends_with('%')) percent.pop_back();
    if (percent.empty() || percent.size() > 2 || percent.find_first_not_of("0123456789") != std::string::npos) {
      return base::fail(Code::usage, "cannot use --min-free {}: give a percentage of 0 to 99", min_free_);
    }
    spec_.spool.min_free = std::stoi(percent);
    spec_.spool.sync = sync_ == "off" ? spool::Sync::off : sync_ == "full" ? spool::Sync::full : spool::Sync::normal;
    spec_.spool.on_full = on_full_ == "block" ? spool::OnFull::block : spool::OnFull::drop_oldest;
    return {};
  }

  [[nodiscard]] std::optional<cli::Role> role() const override {
    return spec_.store_only ? std::optional(cli::Role::sink) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::string> keeper() const override { return spec_.spool.path; }
  [[nodiscard]] bool is_buffer() const override { return true; }
  [[nodiscard]] std::string output() const override { return output_.format; }

  base::Result<cli::Built> build(const cli::Plan&, const pipeline::Context& context) override {
    auto stage = stages::make_buffer(spec_, context);
    if (!stage) return std::move(stage).error();
    return cli::Built{.source = nullptr, .stage = std::move(*stage), .sink = spec_.store_only};
  }

  base::Result<cli::Built> rehearse(const cli::Plan&, const pipeline::Context&) override {
    if (auto ok = spool::rehearse_writing(spec_.spool.path); !ok) return std::move(ok).error();
    return cli::Built{.source = nullptr, .stage = nullptr, .sink = spec_.store_only};
  }

 private:
  static constexpr std::uint64_t kSmallest = 4 << 20;
  static constexpr std::uint64_t kLeastRejected = 64 << 10;

  stages::BufferSpec spec_;
  cli::OutputFlags output_;
  std::string sync_ = "normal", wait_ = "30s", max_size_ = "1GiB", min_free_ = "15%", retain_ = "24h", hold_ = "1h", hold_max_ = "0";
  std::string rejected_max_;
  std::string on_full_ = "block";
};

}  // namespace

const cli::Command buffer_command = {
    .name = "buffer",
    .summary = "store records in a spool on disk, then forward them",
    .description =
        "Stores the records that it reads on stdin in SPOOL, one SQLite file (weir-spool(5)), and forwards what is stored. With "
        "`weir tail --checkpoint SPOOL` in front, the positions in the log files are stored in the same transaction as the records, "
        "so that a restart neither loses nor repeats any. With `weir push` behind, what Loki has taken is acknowledged in the spool; "
        "after a restart everything that the consumer has not acknowledged is forwarded first, from the file.\n\n"
        "A commit is made when 1 MiB of lines has come, or a second after the first of them, but under a steady inflow only every three seconds. What is behind never blocks what is in front, "
        "except when the spool is full of undelivered records (--on-full). Delivered records stay for --retain, to be queried and "
        "replayed, and go first when room is needed; held ones go next. With no consumer registered nobody waits for "
        "anything, and the spool is a ring bounded by --retain and --max-size.\n\n"
        "Records that Loki refuses for good are kept for `weir replay --rejected`: those refused for their time stay in the block that holds them and go "
        "with it, the others are kept apart for a week, up to --rejected-max. All ages count the time that passes, not what the clock is set to.\n\n"
        "With --spill, for nodes whose disks are slow and busy, records are passed on first and kept in memory until push has acknowledged them; only "
        "what has waited for 5 s is stored, or what does not fit any more while nothing moves, the oldest first. As long as Loki keeps up next to "
        "nothing is written, and queries and replays find nothing. Positions follow what is acknowledged or stored, so that after a "
        "kill or a power cut the rest is read again from the log files, which are the buffer until then: a file that is deleted within these seconds "
        "while nothing runs is lost, and told as a gap. With a second consumer everything is stored.\n\n"
        "A full disk pauses the chain, which goes on by itself when there is room; acknowledging and evicting go on meanwhile. What is damaged is "
        "set aside under a name with the time, said, and counted as lost (exit code 3), after what can be read was saved.\n\n"
        "A commit survives the death of any process, with each --sync. What a power cut may undo differs: with `full` nothing (a sync at every "
        "commit); with `normal`, the default, the last seconds or minutes, blocks and positions together, so that they are read again from files "
        "that are still there, and what Loki had of them is delivered twice; with `off` the whole spool may be damaged. What is acknowledged "
        "survives a kill at once and a power cut as far as its commit does.",
    .role = cli::Role::stage,
    .examples = {{"survive restarts and outages of Loki", "weir tail -f --checkpoint spool.db | weir buffer spool.db | weir push"},
                 {"keep the last hours of a node for queries", "weir tail -f --checkpoint ring.db | weir buffer --store --retain 6h ring.db"},
                 {"write next to nothing while Loki keeps up", "weir tail -f --checkpoint spool.db | weir buffer --spill spool.db | weir push"},
                 {"never block, lose the oldest instead", "weir tail -f | weir buffer --max-size 256MiB --on-full drop-oldest spool.db | weir push"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Buffer>()); },
};

}  // namespace weir::cmd
