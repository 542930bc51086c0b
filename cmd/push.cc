// weir push: deliver records to Loki.
#include "stages/push_check.h"

#include "cli/loki_options.h"
#include "cli/program.h"
#include "cmd/commands.h"
#include "loki/push_encoder.h"
#include "record/timestamp.h"
#include "spool/rehearsal.h"

#include <CLI/CLI.hpp>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;

class Push : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("url", loki_.url, "base or full push URL of the Loki (default: LOKI_ADDR, else http://localhost:3100)")->type_name("URL");
    app.add_option("--checkpoint", spec_.checkpoint, "keep the positions of `tail --checkpoint FILE` there, where no buffer does")->type_name("FILE");
    app.add_option("--spool", spool_, "read the spool instead of standard input, and deliver what is and comes in it")->type_name("SPOOL");
    app.add_option("--as", spec_.consumer, "the name under which a spool remembers what was delivered; one a target")
        ->type_name("NAME")
        ->capture_default_str();
    app.add_option("--match", spec_.match, "deliver only records that match")->type_name("LOGQL");
    app.add_flag("--once", once_, "with --spool: stop when everything in it has been delivered");
    app.add_option("--metadata", metadata_,
                   "structured metadata for a Loki that takes none: `auto` leaves it out, `keep` rejects records that have some, "
                   "`drop` never sends any")
        ->check(CLI::IsMember({"auto", "keep", "drop"}))
        ->capture_default_str();
    app.add_option("--give-up", give_up_, "stop after this long without success, 0 for never (default: 5m; never with a spool or checkpoint)")
        ->type_name("DURATION");

    app.add_flag("--check", check_only_, "ask the target whether it takes records, with these options; push none and read nothing");

    constexpr const char* backlog = "A backlog, which an outage has left or a spool holds from before the start";
    app.add_option("--drain-rate", drain_rate_,
                   "what may be sent of it a second above what comes in, at most; 0 for no limit (default: 1MiB behind a spool or with a "
                   "checkpoint, none with --once)")
        ->type_name("SIZE")
        ->group(backlog);
    app.add_option("--start-jitter", jitter_, "its first request waits a random time up to this (default: 30s behind a spool, else 4s)")
        ->type_name("DURATION")
        ->group(backlog);

    constexpr const char* batching = "Batching";
    app.add_option("--batch-wait", wait_, "how long a record may wait for others; after as long without any it does not wait (default: 1s; 0 behind a buffer)")
        ->type_name("DURATION")
        ->group(batching);
    app.add_option("--batch-size", batch_size_, "lines and metadata of one request")->type_name("SIZE")->capture_default_str()->group(batching);
    app.add_option("--batch-records", spec_.batch_records, "records of one request")->type_name("N")->capture_default_str()->group(batching);
    app.add_option("--parallel", spec_.parallel, "requests in flight at once; of one stream always one")
        ->type_name("N")
        ->capture_default_str()
        ->group(batching);

    constexpr const char* limits = "Limits of the Loki, where they are not its defaults (0 for none)";
    app.add_option("--max-line-size", max_line_, "longest line")->type_name("SIZE")->capture_default_str()->group(limits);
    app.add_option("--max-age", max_age_, "oldest record")->type_name("DURATION")->capture_default_str()->group(limits);
    app.add_option("--max-ahead", max_ahead_, "how far a record may lie in the future")->type_name("DURATION")->capture_default_str()->group(limits);
    app.add_option("--max-labels", spec_.limits.max_labels, "labels of a stream")->type_name("N")->capture_default_str()->group(limits);

    cli::declare(app, loki_, {.addr_option = false});
  }

  Result<void> check() override {
    if (loki_.url == "-") loki_.url.clear();  // `push -` reads standard input as `push` does
    const auto duration = [](const char* option, const std::string& text) -> Result<base::Duration> {
      if (text == "0") return base::Duration{0};
      auto parsed = record::parse_duration(text);
      if (!parsed) return std::move(parsed).error().within(fmt::format("cannot use {}", option));
      if (*parsed < 0) return base::fail(Code::usage, "cannot use {} {}: it is negative", option, text);
      return parsed;
    };
    const auto size = [](const char* option, const std::string& text) -> Result<std::size_t> {
      auto parsed = record::parse_size(text);
      if (!parsed) return std::move(parsed).error().within(fmt::format("cannot use {}", option));
      return static_cast<std::size_t>(*parsed);
    };
    if (!wait_.empty()) {
      auto wait = duration("--batch-wait", wait_);
      if (!wait) return std::move(wait).error();
      spec_.wait = *wait;
    }
    if (!give_up_.empty()) {
      auto give_up = duration("--give-up", give_up_);
      if (!give_up) return std::move(give_up).error();
      spec_.give_up = *give_up;
    }
    if (!drain_rate_.empty()) {
      auto rate = size("--drain-rate", drain_rate_);
      if (!rate) return std::move(rate).error();
      if (*rate > 0 && *rate < 1024) return base::fail(Code::usage, "cannot use --drain-rate {}: 1KiB at least, or 0 for no limit", drain_rate_);
      spec_.drain_rate = *rate;
    }
    if (!jitter_.empty()) {
      auto jitter = duration("--start-jitter", jitter_);
      if (!jitter) return std::move(jitter).error();
      if (*jitter > base::kHour) return base::fail(Code::usage, "cannot use --start-jitter {}: an hour at most", jitter_);
      spec_.start_jitter = *jitter;
    }
    auto age = duration("--max-age", max_age_);
    if (!age) return std::move(age).error();
    spec_.limits.max_age = *age;
    auto ahead = duration("--max-ahead", max_ahead_);
    if (!ahead) return std::move(ahead).error();
    spec_.limits.max_ahead = *ahead;
    auto line = size("--max-line-size", max_line_);
    if (!line) return std::move(line).error();
    spec_.limits.max_line = *line;
    auto batch = size("--batch-size", batch_size_);
    if (!batch) return std::move(batch).error();
    spec_.batch_bytes = *batch;
    using Metadata = loki::PusherConfig::Metadata;
    spec_.metadata = metadata_ == "keep" ? Metadata::keep : metadata_ == "drop" ? Metadata::drop : Metadata::automatic;
    if (!spool_.empty() && !spec_.checkpoint.empty())
      return base::fail(Code::usage, "--checkpoint and --spool exclude each other: the spool keeps the positions");
    if (once_ && spool_.empty()) return base::fail(Code::usage, "--once needs --spool: without it, the end of the input is the end");
    // What the environment adds is checked when the stage is made.
    cli::LokiOptions given = loki_;
    if (auto config = cli::to_client_config(given, nullptr, nullptr); !config) return std::move(config).error();
    return stages::check(spec_);
  }

  [[nodiscard]] std::optional<cli::Role> role() const override {
    return spool_.empty() && !check_only_ ? std::nullopt : std::optional(cli::Role::source);
  }
  [[nodiscard]] std::optional<std::string> keeper() const override {
    return spec_.checkpoint.empty() ? std::nullopt : std::optional(spec_.checkpoint);
  }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    auto config = cli::to_client_config(loki_, context.environment, context.diagnostics);
    if (!config) return std::move(config).error();
    if (auto ok = http::check_files(*config); !ok) return std::move(ok).error();
    if (!loki_.tenant.empty() && !loki::is_tenant(loki_.tenant)) {
      return base::fail(Code::usage, "cannot use the tenant \"{}\": it holds what Loki takes in none, or is too long",
                        base::escape_control(loki_.tenant))
          .with_hint("letters, digits and ! - _ . * ' ( ), at most 150");
    }
    spec_.http = std::move(*config);
    spec_.http.user_agent = fmt::format("weir/{}", cli::version());
    spec_.tenant = loki_.tenant;
    spec_.progress = plan.stderr_is_terminal && !plan.fused;
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
    auto made = stages::make_push(spec_, context);
    if (!made) return std::move(made).error();
    return cli::Built{.source = nullptr, .stage = std::move(*made), .sink = true};
  }

  // One that follows a spool waits for it to come.
  Result<cli::Built> rehearse(const cli::Plan& plan, const pipeline::Context& context) override {
    auto ok = Result<void>();
    if (!spec_.checkpoint.empty()) ok = spool::rehearse_writing(spec_.checkpoint);
    if (!spool_.empty() && once_) ok = spool::rehearse_reading(spool_);
    if (!ok) return std::move(ok).error();
    return build(plan, context);
  }

 private:
  cli::LokiOptions loki_;
  stages::PushSpec spec_;
  std::string spool_, wait_, give_up_, drain_rate_, jitter_;
  std::string metadata_ = "auto", batch_size_ = "1MiB", max_line_ = "256KiB", max_age_ = "7d", max_ahead_ = "10m";
  bool once_ = false;
  bool check_only_ = false;
};

}  // namespace

const cli::Command push_command = {
    .name = "push",
    .summary = "deliver records to Loki",
    .description =
        "Reads records on stdin and delivers them to a Loki, or to whatever takes Loki's push requests, such as VictoriaLogs at "
        "http://HOST:9428/insert. The URL may be the base or the full push URL; query parameters in it are passed on.\n\n"
        "A stream is a set of labels and a tenant. Records of one stream arrive in their order: one request of it is in flight, and "
        "what has to be sent again is the same bytes, so that Loki drops repeats. When the server does not answer, or says 408, 429 or "
        "5xx, push waits and tries again, longer each time, up to a minute, at random within the wait, and no shorter than `Retry-After` asks; up to 4 s "
        "where no connection could be made, which burdens nobody. It tries with 16 KiB of one stream, and reads no further input meanwhile once its "
        "memory of a few MiB is full. A request holds up to 256 KiB of a stream; up to 32 KiB, 64 KiB of old data, where something is tracked and the stream logs less than 128 KiB a "
        "second: after a kill, what was on the way goes again, and of a small request Loki keeps next to nothing twice.\n\n"
        "What Loki would refuse is found before it is sent: lines over 256 KiB, records over 7 days old or 10 minutes ahead, more "
        "than 15 labels, metadata over 64 KiB. Such a record is rejected with Loki's words, counted, and costs no other record; exit "
        "code 3 says that there were some. The same holds for what Loki itself refuses. Ages are left to Loki when the clock of this machine was set, or differs from "
        "Loki's by more than a minute. Behind a spool, records that are refused for their time stay in their block until it goes; with --checkpoint they are "
        "counted and stay in their log files.\n\n"
        "A request that fails with 500 again and again while others pass is taken apart: by stream, in halves, down to the record, which is rejected in "
        "the end. An answer of 413 makes requests smaller; a record that gets it alone is rejected once others pass, and while nothing passes, push waits and tries again. "
        "A stream that Loki limits waits alone. What of it does not fit into its share of the memory stays in the spool, where there is one, and "
        "is read again in order; without one, and where something between the spool and push changes or drops records, it blocks the others in the "
        "end. A tenant that Loki limits waits alone, too.\n\n"
        "After an outage of over a minute, or when the spool holds records from over a minute before the start, the backlog goes at a pace, so that a "
        "thousand nodes do not knock a recovering Loki over: the first request waits up to --start-jitter, then as much as comes in is sent "
        "beside it, more and more as long as Loki answers quickly and less when it refuses, up to --drain-rate. Streams without a backlog do not wait for it "
        "behind a spool. With --checkpoint what comes in is taken to be what it was before, or what the times of the records say; the wait is short, since log "
        "files that nobody reads are deleted. Where nothing is tracked nothing is paced.\n\n"
        "`--check` sends a request without records, which needs the same address, credentials and tenant as any other, and says "
        "what the target answers. A file with a token, a certificate or a key that cannot be read ends push with 2 before anything "
        "is sent; a token file that goes away later is said, and the last token is used on.\n\n"
        "Positions: behind `weir buffer SPOOL` push acknowledges into that spool; --checkpoint FILE keeps the positions of `weir tail "
        "--checkpoint FILE` without a buffer. Where neither is there, push gives up after --give-up. An answer such as 401 or "
        "404 to the very first request then ends it at once; behind a spool it is said and tried again. What `weir replay --rejected` gives leaves the "
        "spool's rejected store when it is delivered, and stays with the new reason when it is refused again.\n\n"
        "The labels `detected_level` and those that begin with `__` are Loki's own and are not sent. Names of metadata are sent as Loki "
        "would make them (`a.b` is `a_b`); one that Loki takes in no form, such as `_`, becomes `weir_unnamed_` and its bytes in "
        "hexadecimal. In a label's value, bytes that are not UTF-8 and U+FFFD are sent as `\\xHH` and backslashes doubled, which "
        "metadata `weir_escaped_labels` says; in a tenant, what Loki takes in none is sent as `(HH)`, and metadata `weir_tenant` "
        "holds the tenant. Bytes of a line that are not UTF-8 are sent as U+FFFD, with their number as metadata "
        "`weir_invalid_utf8`. Records that are held are not sent; samples of metric queries are rejected.",
    .role = cli::Role::sink,
    .examples = {{"what the pods of this node logged, into the Loki at LOKI_ADDR or on this machine", "weir tail | weir push"},
                 {"follow, with positions that survive a restart", "weir tail -f --checkpoint pos.db | weir enrich | weir push --checkpoint pos.db"},
                 {"through a spool that keeps what Loki cannot take yet",
                  "weir tail -f --checkpoint spool.db | weir buffer spool.db | weir push http://loki:3100 --tenant shop"},
                 {"deliver a spool to a second Loki at its own pace", "weir push --spool spool.db --as archive https://archive.example"},
                 {"plain text from a job", "make 2>&1 | weir tail - | weir enrich --label job=build | weir push"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed, cli::Exit::interrupted, cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Push>()); },
};

}  // namespace weir::cmd
