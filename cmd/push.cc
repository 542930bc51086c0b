// weir push: deliver records to Loki.
#include "stages/push_check.h"
#include "stages/push_from_spool.h"
#include "tail/read_files.h"

#include "cli/loki_options.h"
#include "cli/program.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "loki/push_encoder.h"
#include "spool/rehearsal.h"

#include <CLI/CLI.hpp>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;

class Push : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    const auto url = [this](const std::string& text) -> Result<void> {
      if (text != "-") loki_.url = text;  // `push -` reads standard input as `push` does
      return {};
    };
    cli::add_value(app, "url", url,
                   "URL of Loki, with or without the path of its push API (default: LOKI_ADDR, else http://localhost:3100)")
        ->type_name("URL");
    app.add_option("--checkpoint", spec_.checkpoint,
                   "keep the positions of `tail --checkpoint FILE` in FILE, in a chain without a buffer")
        ->type_name("FILE");
    app.add_option("--spool", spool_, "instead of standard input: send the spool's records, then keep following it")
        ->type_name("SPOOL");
    app.add_option("--as", spec_.consumer, "the consumer whose progress the spool keeps; use one name for each target")
        ->type_name("NAME")
        ->capture_default_str();
    app.add_option("--match", spec_.match, "deliver only records that match")->type_name("LOGQL");
    app.add_flag("--once", once_, "with --spool: stop when all of its records are delivered");
    using Metadata = loki::PusherConfig::Metadata;
    cli::add_choice<Metadata>(
        app, "--metadata", spec_.metadata, {{"auto", Metadata::automatic}, {"keep", Metadata::keep}, {"drop", Metadata::drop}},
        "structured metadata: `auto` leaves it out when Loki does not accept it, `keep` then rejects the record, `drop` never "
        "sends it");
    cli::add_duration(app, "--give-up", spec_.give_up,
                      "stop after this long without success, 0 for never (default: 5m; never with a spool or checkpoint)");
    app.add_flag("--check", check_only_, "ask the target whether it accepts records with these options; send no record");

    constexpr const char* backlog = "Backlog (what an outage has left, or a spool holds at the start)";
    cli::add_size(
        app, "--drain-rate", spec_.drain_rate,
        "most bytes of a backlog to send in a second, on top of new records; 0 for no limit (default: 1MiB behind a spool "
        "or with a checkpoint, no limit with --once)",
        {.least = 1024, .or_zero = true})
        ->group(backlog);
    cli::add_duration(app, "--start-jitter", spec_.start_jitter,
                      "before the first request of a backlog, wait a random time up to this (default: 30s behind a spool, else 4s)",
                      {.most = base::kHour})
        ->group(backlog);

    constexpr const char* batching = "Batching";
    cli::add_duration(app, "--batch-wait", spec_.wait,
                      "how long a record may wait for others to share its request; after a pause of this length it does not wait "
                      "(default: 1s; 0 behind a buffer)")
        ->group(batching);
    cli::add_size(app, "--batch-size", spec_.batch_bytes, "most bytes of lines and metadata in a request")->group(batching);
    cli::add_number(app, "--batch-records", spec_.batch_records, "most records in a request", cli::kAtLeastOne)->group(batching);
    cli::add_number(app, "--parallel", spec_.parallel, "up to N requests at once, never two for one stream",
                    {.least = 1, .most = 64})
        ->group(batching);

    constexpr const char* limits = "Limits of Loki, where they are not its defaults (0 for none)";
    cli::add_size(app, "--max-line-size", spec_.limits.max_line, "longest line that Loki accepts")->group(limits);
    cli::add_duration(app, "--max-age", spec_.limits.max_age, "oldest record that Loki accepts")->group(limits);
    cli::add_duration(app, "--max-ahead", spec_.limits.max_ahead, "how far ahead of the clock a record may be")->group(limits);
    cli::add_number(app, "--max-labels", spec_.limits.max_labels, "most labels of a stream")->group(limits);

    cli::declare(app, loki_, {.addr_option = false});
  }

  [[nodiscard]] Result<void> check() const override {
    if (!spool_.empty() && !spec_.checkpoint.empty())
      return base::fail(Code::usage, "cannot use --checkpoint together with --spool: the spool keeps the positions");
    if (once_ && spool_.empty())
      return base::fail(Code::usage, "cannot use --once without --spool: push stops at the end of its input anyway");
    // What the environment adds is checked when the stage is made.
    if (auto target = cli::loki_target(loki_, nullptr, nullptr); !target) return std::move(target).error();
    return stages::check(spec_);
  }

  [[nodiscard]] std::optional<cli::Role> role() const override {
    return spool_.empty() && !check_only_ ? std::nullopt : std::optional(cli::Role::source);
  }
  [[nodiscard]] std::optional<std::string> keeper() const override {
    return spec_.checkpoint.empty() ? std::nullopt : std::optional(spec_.checkpoint);
  }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    auto target = cli::loki_target(loki_, context.environment, context.diagnostics);
    if (!target) return std::move(target).error();
    if (auto ok = http::check_files(target->http); !ok) return std::move(ok).error();
    if (!target->tenant.empty() && !loki::is_tenant(target->tenant)) {
      return base::fail(Code::usage, "cannot use the tenant \"{}\": it is too long, or holds a character that Loki does not accept",
                        base::escape_control(target->tenant))
          .with_hint("letters, digits and ! - _ . * ' ( ), at most 150");
    }
    spec_.http = std::move(target->http);
    spec_.http.user_agent = fmt::format("weir/{}", cli::version());
    spec_.tenant = std::move(target->tenant);
    if (check_only_) {
      auto made = stages::make_push_check(spec_, context);
      if (!made) return std::move(made).error();
      return cli::Built{.source = std::move(*made), .stage = nullptr, .sink = true};
    }
    if (!spool_.empty()) {
      stages::SpoolSourceSpec source;
      source.spool = spool_;
      source.follow = !once_;
      auto made = stages::make_push_from_spool(spec_, std::move(source), context);
      if (!made) return std::move(made).error();
      return cli::Built{.source = std::move(*made), .stage = nullptr, .sink = true};
    }
    if (plan.read_files != nullptr) {
      spec_.file_done = [files = plan.read_files](const record::Source& file) { files->done(file.log, file.generation); };
    }
    auto made = stages::make_push(spec_, context);
    if (!made) return std::move(made).error();
    return cli::Built{.source = nullptr, .stage = std::move(*made), .sink = true};
  }

  // One that follows a spool waits for it to come, in a folder that is there.
  Result<cli::Built> rehearse(const cli::Plan& plan, const pipeline::Context& context) override {
    auto ok = Result<void>();
    if (!spec_.checkpoint.empty()) ok = spool::rehearse_writing(spec_.checkpoint);
    if (!spool_.empty()) ok = once_ ? spool::rehearse_reading(spool_) : spool::rehearse_writing(spool_);
    if (!ok) return std::move(ok).error();
    return build(plan, context);
  }

 private:
  cli::LokiOptions loki_;
  stages::PushSpec spec_;
  std::string spool_;
  bool once_ = false;
  bool check_only_ = false;
};

constexpr std::string_view kManual =
    R"(The target may be Loki, or another server that accepts Loki's push requests, such as VictoriaLogs at
http://HOST:9428/insert. The URL may be the base or the full push URL. Query parameters in it are sent with every
request.

`--check` sends a request without records. That request needs the same address, credentials and tenant as any other.
Push prints what the target answers, and reads no input.

# Order
A stream is a set of labels and a tenant. The records of one stream arrive in their order: push never has two requests
of one stream in flight. A retry sends the same bytes again, so that Loki drops what it has already stored.

# Retries
When the server does not answer, or answers 408, 429 or 5xx, push backs off and retries. Each wait is a random time
below a bound. The bound grows with each failure, up to one minute. A wait is never shorter than `Retry-After` asks.
When no connection can be made, the bound is 4 s, because such an attempt costs the server nothing. A retry sends 16 KiB
of one stream. Push keeps a few MiB of records in memory. When that memory is full, push reads no further input.

When one request fails with 500 again and again while others succeed, push splits it: by stream, then in halves, down to
the single record, which it rejects. After an answer of 413, push makes smaller requests. It rejects a record that gets
413 alone, but only once other records succeed; until then it backs off and retries.

When Loki limits a stream, only that stream waits. When Loki limits a tenant, only that tenant waits. Behind a spool,
the records of a limited stream that exceed its share of the memory stay in the spool, and push reads them again in
order. Without a spool, a limited stream blocks the others in the end. It also does so when a stage between the spool
and push changes or drops records.

# Request size
A request holds up to 256 KiB of one stream. Where positions are kept and the stream logs less than 128 KiB a second, it
holds up to 32 KiB, or 64 KiB of old records. After a kill, push sends again what was in flight. Loki stores almost no
record of a small request twice.

# Refused records
Push checks each record before it sends it. It rejects what Loki would refuse: a line over 256 KiB, a record over 7 days
old or over 10 minutes ahead, more than 15 labels, metadata over 64 KiB. It reports such a record in Loki's words,
counts it, and delivers the others. It does the same with a record that Loki itself refuses. Exit code 3 says that
records were rejected.

Push leaves the check of times to Loki when somebody set the clock of this machine, or when that clock and Loki's differ
by more than a minute.

Behind a spool, a record that is refused for its time stays in its block until the block is evicted. With --checkpoint,
such a record is counted and stays in its log file. Records from `weir replay --rejected` leave the spool's rejected
store when they are delivered. When Loki refuses them again, they stay there with the new reason.

Push does not send held records. Where no buffer stands in front of it, nothing keeps them: they are lost, and the exit code is
3. It rejects samples of metric queries.

# Backlog
A backlog is what an outage of over a minute has left, or the records that a spool holds from over a minute before the
start. Push delivers a backlog at a limited pace, so that a thousand nodes do not overload a Loki that has just
recovered. The first request waits a random time up to --start-jitter. Then push sends as much of the backlog as it
sends of new records. It sends more while Loki answers quickly, less when Loki refuses, and never more than
--drain-rate.

Behind a spool, streams without a backlog do not wait for those that have one. With --checkpoint, push cannot see how
much is new. It estimates that from the rate before the outage, or from the times of the records. Its random wait is
short, because log files that nobody reads are deleted. Where no positions are kept, push sends at full speed.

# Positions
Behind `weir buffer SPOOL`, push acknowledges records in that spool. With --checkpoint FILE, push keeps the positions of
`weir tail --checkpoint FILE` in a chain without a buffer. With neither, push gives up after --give-up without success,
and at once when the very first request gets an answer such as 401 or 404. Behind a spool, push reports such an answer
and retries.

# Files with secrets
A password, a token, a certificate or a key in a file that cannot be read ends push with exit code 2 before it sends
anything. Push reads a password or token file again whenever it changes. When the file is gone later, push reports that
and goes on with the last value.

# Names
Push does not send the label `detected_level` and labels that begin with `__`: they are Loki's own. It sends the names
of metadata as Loki would change them: `a.b` becomes `a_b`. A name that Loki accepts in no form, such as `_`, becomes
`weir_unnamed_` and the bytes of the name in hexadecimal.

In the value of a label, a byte that is not UTF-8 and the character U+FFFD become `\xHH`, and a backslash becomes two.
The metadata `weir_escaped_labels` names these labels. In a tenant, a byte that Loki does not accept becomes `(HH)`, and
the metadata `weir_tenant` holds the tenant as it was. In a line, a byte that is not UTF-8 becomes U+FFFD, and the
metadata `weir_invalid_utf8` holds the number of such bytes.)";

}  // namespace

const cli::Command push_command = {
    .name = "push",
    .summary = "deliver records to Loki",
    .description =
        "Reads records on standard input and delivers them to Loki, or to another server that accepts Loki's push "
        "requests. The records of one stream arrive in order. When Loki does not answer, push retries: for 5m (--give-up), and "
        "behind a spool until Loki "
        "answers. A record that "
        "Loki refuses for good is counted and reported.",
    .manual = kManual,
    .usual = {"--tenant", "--username", "--password-file", "--bearer-token-file", "--ca-cert", "--checkpoint", "--spool", "--as",
              "--once", "--match", "--check"},
    .role = cli::Role::sink,
    .examples = {{"deliver what the pods of this node logged to the Loki at LOKI_ADDR", "weir tail | weir push"},
                 {"follow, and continue after a restart",
                  "weir tail -f --checkpoint pos.db | weir enrich | weir push --checkpoint pos.db"},
                 {"through a spool that keeps records during an outage of Loki",
                  "weir tail -f --checkpoint spool.db | weir buffer spool.db | weir push http://loki:3100 --tenant shop"},
                 {"deliver a spool to a second Loki at its own pace",
                  "weir push --spool spool.db --as archive https://archive.example"},
                 {"plain text from a job", "make 2>&1 | weir tail - | weir enrich --label job=build | weir push"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed, cli::Exit::interrupted,
              cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Push>()); },
};

}  // namespace weir::cmd
