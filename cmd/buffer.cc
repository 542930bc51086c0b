// weir buffer: store records on disk, then forward them.
#include "stages/buffer.h"

#include "cli/output_options.h"
#include "cli/spool_options.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "spool/rehearsal.h"

#include <CLI/CLI.hpp>

namespace weir::cmd {
namespace {

class Buffer : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    auto& store = spec_.spool;
    app.add_option("spool", store.path, "the file to store in; buffer creates it (default: WEIR_SPOOL)")->type_name("SPOOL");
    app.add_flag("--store", spec_.store_only, "store only; forward nothing");
    app.add_flag(
        "--spill", spec_.spill,
        "forward at once; store only records that push has not acknowledged after 5 s or that do not fit into 6 MiB of memory");
    cli::declare_sync(app, store);
    cli::add_duration(app, "--wait", store.wait, "how long to wait until another writer of this spool ends");

    constexpr const char* limits = "Limits";
    cli::declare_max_size(app, store, limits);
    cli::declare_min_free(app, store, limits);
    cli::add_size(app, "--rejected-max", rejected_max_,
                  "most bytes of records that Loki refused, the oldest are evicted first (default: a tenth of --max-size)",
                  {.least = kLeastRejected})
        ->group(limits);
    cli::declare_retain(app, store, limits);
    cli::add_duration(app, "--hold", store.hold, "how long to keep held records")->group(limits);
    cli::add_size(app, "--hold-max", hold_max_,
                  "most disk space of held records, the oldest are evicted first (default: a quarter of --max-size)",
                  {.least = kLeastHeld})
        ->group(limits);
    cli::declare_on_full(app, store, limits);

    constexpr const char* releases = "Releases (held records that are to be delivered after all)";
    cli::add_size(
        app, "--release-rate", spec_.release_rate,
        "bytes of held records to release in a second, on average; a block of up to 2 MiB is released at once; 0 for no limit",
        {.least = 1024, .or_zero = true})
        ->group(releases);
    cli::add_duration(app, "--release-jitter", spec_.release_jitter,
                      "before a `release` rule takes effect, wait a random time up to this, because all nodes get it at once",
                      {.most = base::kHour})
        ->group(releases);
    cli::add_duration(app, "--max-behind", max_behind_,
                      "how far a record may be behind the newest of its stream in Loki; released records that may be further get "
                      "the label weir_release (default: 1h)")
        ->group(releases);

    constexpr const char* forwarding = "Forwarding";
    app.add_option("--as", spec_.consumer,
                   "the name of the consumer behind buffer; records that it has not acknowledged are forwarded first")
        ->type_name("NAME")
        ->capture_default_str()
        ->group(forwarding);
    app.add_flag("--only-new", spec_.only_new, "forward only what arrives from now on")->group(forwarding);
    cli::declare_output(app, output_);
  }

  void fill_in(const char* (*environment)(const char* name)) override {
    const char* named = environment("WEIR_SPOOL");
    if (spec_.spool.path.empty() && named != nullptr) spec_.spool.path = named;
  }

  [[nodiscard]] base::Result<void> check() const override {
    using base::Code;
    if (spec_.spool.path.empty()) {
      return base::fail(Code::usage, "SPOOL is missing")
          .with_hint("name a file, or set WEIR_SPOOL: weir buffer /var/lib/weir/spool.db");
    }
    if (spec_.spill && spec_.store_only) {
      return base::fail(
          Code::usage, "cannot use --spill together with --store: --spill stores as little as possible, --store stores everything");
    }
    if (rejected_max_ && *rejected_max_ > spec_.spool.max_size / 2) {
      return base::fail(Code::usage, "cannot use '{}' for --rejected-max: it must be at most half of --max-size",
                        cli::size_text(*rejected_max_))
          .with_hint("leave it out for a tenth of --max-size");
    }
    return {};
  }

  [[nodiscard]] std::optional<cli::Role> role() const override {
    return spec_.store_only ? std::optional(cli::Role::sink) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::string> keeper() const override { return spec_.spool.path; }
  [[nodiscard]] bool is_buffer() const override { return true; }
  [[nodiscard]] stages::OutputOptions output() const override { return output_; }

  base::Result<cli::Built> build(const cli::Plan&, const pipeline::Context& context) override {
    if (rejected_max_) spec_.spool.rejected_max = *rejected_max_;
    if (hold_max_) spec_.spool.hold_max = *hold_max_;
    spec_.spool.max_behind = max_behind_;
    auto stage = stages::make_buffer(spec_, context);
    if (!stage) return std::move(stage).error();
    return cli::Built{.source = nullptr, .stage = std::move(*stage), .sink = spec_.store_only};
  }

  base::Result<cli::Built> rehearse(const cli::Plan&, const pipeline::Context&) override {
    if (auto ok = spool::rehearse_writing(spec_.spool.path); !ok) return std::move(ok).error();
    return cli::Built{.source = nullptr, .stage = nullptr, .sink = spec_.store_only};
  }

 private:
  static constexpr std::uint64_t kLeastRejected = 64 << 10;
  static constexpr std::uint64_t kLeastHeld = 1 << 20;

  stages::BufferSpec spec_;
  std::optional<std::uint64_t> rejected_max_, hold_max_;
  std::optional<base::Duration> max_behind_;
  stages::OutputOptions output_;
};

constexpr std::string_view kManual = R"(A spool is one SQLite file (weir-spool(5)).

# Positions
With `weir tail --checkpoint SPOOL` in front, buffer stores the positions in the log files in the same transaction as
the records. `weir push` behind it acknowledges in the spool what Loki has accepted. After a restart, buffer first
forwards from the file what the consumer has not acknowledged.

# Commits
Buffer commits when it has 1 MiB of lines, or one second after the first of them. Under a steady inflow, it commits
every three seconds.

A commit survives the death of any process, with each value of --sync. The values differ in what a power cut may undo. With `full`,
it undoes nothing: each commit is synced. With `normal`, the default, it may undo the last seconds or minutes, records
and positions together. Tail then reads those records again from the files that still exist, and what Loki already had
of them is delivered twice. With `off`, it may damage the whole spool. An acknowledgement survives a kill at once, and a
power cut as its commit does.

# Blocking and eviction
The stages behind buffer never block those in front, until the spool is full of undelivered records. Then --on-full
decides. Delivered records stay for --retain, to be queried and replayed. When buffer needs room, it evicts
delivered records first, then held ones.

`weir push` behind buffer registers a consumer when it starts. Until then, records that buffer has not passed on are
undelivered, too. Those that it has passed on may be evicted, but in the first minute only to make room.

Without a consumer the spool is a ring of recent records: of all records with --store, otherwise of those that buffer has
passed on. Buffer evicts the oldest when they are older than --retain or when --max-size is reached. This is no loss, and
the exit code stays 0. After a restart, buffer first passes on everything that the ring holds.

Undelivered records that are evicted are lost. They are counted, and the exit code becomes 3. While a consumer is
registered, gap records tell of them: once a minute, and when the chain ends, buffer stores one for each stream that lost
records, with the labels and the tenant of the stream. The line says how many records were lost, and of which times. The
metadata `weir_gap_bytes` is the number of bytes of their lines. A block that was delivered in part counts whole. After a
kill, losses that no gap record tells of yet are only in the counts of `weir spool status`. So are those of the very last
commit. In an idle chain, what gap records evict themselves is told with the next records.

While less than --min-free of the file system is free, the spool does not grow beyond 16 MiB, or beyond the size that it
has already. Buffer reports this.

All ages count the time that really passes, also when the clock is set.

# Held records
A record with `"held":true` (weir-record(5)) is stored and not forwarded: nobody needs it now, but somebody may ask for
it after an incident. `weir replay SPOOL --held` reads such records. Buffer keeps them compressed, in blocks of their
own, for --hold and within --hold-max; the oldest go first. With --spill they alone are stored at once.

Held records never take the place of records that wait for delivery. Where the spool has no room beside those, the
oldest held records are evicted, and then new ones are not stored. When a commit takes over 2 s, held records are not
stored for 30 s. Buffer reports and counts the held records that it has not stored.

# Releases
Held records are not forwarded until somebody releases them: with `weir replay --held --release`, or by
a `release` rule. Buffer then copies one block of them after the other, at most --release-rate a second, and only while
it has forwarded all other records. A rule takes effect after a random time up to --release-jitter, because all nodes
get it at once; when the rule is removed, records that are not copied yet stay held. See weir-replay(1).

# Refused records
Records that Loki refuses for good are kept for `weir replay --rejected`. Those refused for their time stay in their
block and are evicted with it. The others are kept apart for a week, up to --rejected-max.

# Spill
--spill is for nodes whose disks are slow and busy. Buffer passes records on first, and keeps them in memory until push
has acknowledged them. It stores only records that have waited for 5 s, and the oldest ones when 6 MiB of memory are
full. While Loki keeps up, it writes almost nothing, and queries and replays find nothing.

Positions move when records are acknowledged or stored. After a kill or a power cut, tail reads the other records again
from the log files. When a log file is deleted before that, its records are lost and reported as a gap.

With a second consumer, buffer stores everything.

# Disk trouble
A full disk pauses the chain. The chain goes on by itself when there is room; acknowledging and evicting go on
meanwhile. When the spool is damaged, buffer saves what it can read. It sets the damaged file aside under a name with
the time, reports that, and counts the rest as lost (exit code 3).)";

}  // namespace

const cli::Command buffer_command = {
    .name = "buffer",
    .summary = "store records in a spool on disk, then forward them",
    .description =
        "Stores the records from standard input in SPOOL, a file on disk, then forwards them. With `weir tail "
        "--checkpoint SPOOL` in front and `weir push` behind, a restart neither loses nor repeats records. An outage of "
        "Loki never blocks tail, until the spool is full.",
    .manual = kManual,
    .usual = {"--store", "--spill", "--max-size", "--retain", "--on-full", "--min-free", "--sync", "--as", "--output"},
    .role = cli::Role::stage,
    .examples = {{"survive restarts and outages of Loki", "weir tail -f --checkpoint spool.db | weir buffer spool.db | weir push"},
                 {"keep the last hours of a node for queries",
                  "weir tail -f --checkpoint ring.db | weir buffer --store --retain 6h ring.db"},
                 {"write almost nothing while Loki keeps up",
                  "weir tail -f --checkpoint spool.db | weir buffer --spill spool.db | weir push"},
                 {"never block; drop the oldest instead",
                  "weir tail -f | weir buffer --max-size 256MiB --on-full drop-oldest spool.db | weir push"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Buffer>()); },
};

}  // namespace weir::cmd
