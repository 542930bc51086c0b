// weir smoke: send records, read them back, and say whether they arrived.
#include "base/text_file.h"
#include "cli/loki_options.h"
#include "cli/metrics_options.h"
#include "cli/terminal.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "record/json.h"
#include "smoke/report.h"
#include "smoke/smoke_metrics.h"

#include <CLI/CLI.hpp>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>
#include <vector>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;

constexpr std::uint32_t kMostRecords = 1'000'000, kMostStreams = 64, kMostRate = 100'000;

// How a command of --via learns what is given here as options.
std::vector<std::pair<std::string, std::string>> environment_of(const cli::LokiOptions& options) {
  std::vector<std::pair<std::string, std::string>> variables;
  for (const auto& [name, value] :
       {std::pair("LOKI_ADDR", options.url), std::pair("LOKI_ORG_ID", options.tenant), std::pair("LOKI_USERNAME", options.username),
        std::pair("LOKI_PASSWORD", options.password), std::pair("LOKI_BEARER_TOKEN", options.bearer_token),
        std::pair("LOKI_BEARER_TOKEN_FILE", options.bearer_token_file), std::pair("LOKI_CA_CERT_PATH", options.ca_cert),
        std::pair("LOKI_CLIENT_CERT_PATH", options.cert), std::pair("LOKI_CLIENT_KEY_PATH", options.key),
        std::pair("LOKI_HTTP_PROXY_URL", options.proxy),
        std::pair("LOKI_TLS_SKIP_VERIFY", std::string(options.tls_skip_verify ? "true" : ""))}) {
    if (!value.empty()) variables.emplace_back(name, value);
  }
  return variables;
}

// The text of a pipeline instead of a shell's command: 'tail … | push …', the stages of weir.
bool is_pipeline(std::string_view text) {
  const auto first_word = [](std::string_view part) {
    const std::size_t begin = part.find_first_not_of(" \t\n");
    if (begin == std::string_view::npos) return std::string_view();
    return part.substr(begin, part.find_first_of(" \t\n", begin) - begin);
  };
  const std::size_t last = text.rfind('|');
  return last != std::string_view::npos && first_word(text) == "tail" && first_word(text.substr(last + 1)) == "push";
}

// A shell's command that runs the pipeline in this variable with this program.
constexpr const char* kPipelineName = "WEIR_SMOKE_PIPELINE";
std::string run_pipeline(const std::string& program) {
  std::string quoted;
  for (const char c : program) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return fmt::format("exec '{}' run -c \"${}\"", quoted, kPipelineName);
}

class Smoke : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    cli::add_number(app, "--records", spec_.records, "how many records to send", {.least = 1, .most = kMostRecords});
    cli::add_number(app, "--streams", streams_, "in how many streams (default: 4; with --emit: 1)",
                    {.least = 1, .most = kMostStreams});
    cli::add_number(app, "--rate", spec_.rate, "how many records to send in a second", {.least = 1, .most = kMostRate});
    cli::add_words(
        app, "--large", {"all", "one", "none"},
        [this](std::size_t index) {
          spec_.large = std::array{smoke::Large::all, smoke::Large::one, smoke::Large::none}[index];
        },
        std::nullopt,
        "which batches of eight records have three lines of 100 KiB (default: all for up to 400 records at up to 100 a second; "
        "else, and with --via, --emit and --every, one)");
    cli::add_number(app, "--seed", spec_.seed, "makes the contents of the lines");
    cli::add_duration(app, "--timeout", spec_.timeout, "how long a record may take until a query shows it", cli::kMoreThanZero);
    cli::add_duration(app, "--wait", spec_.wait, "before the test: how long Loki may take until it answers queries");

    constexpr const char* ways = "Ways";
    app.add_option("--via", spec_.command,
                   "run this shell command or text of a pipeline, which reads the pods' logs in $WEIR_SMOKE_DIR and delivers them")
        ->type_name("COMMAND")
        ->group(ways);
    cli::add_choice<bool>(app, "--emit", emit_, {{"stdout", true}},
                          "print the records for the agent that reads this output, and only read them back")
        ->group(ways);
    app.add_option("--selector", spec_.selector, "the streams in which the records arrive, with --via and --emit")
        ->type_name("LOGQL")
        ->group(ways);
    cli::add_value(
        app, "--label", [this](const std::string& text) { return read_label(text); },
        "a label that every record must have when it is read back, with --via and --emit (repeatable)", cli::Times::repeated)
        ->type_name("NAME=VALUE")
        ->group(ways);
    app.add_flag_callback(
           "--write-only", [this] { spec_.read_back = false; }, "only check that the target takes the records; read nothing back")
        ->group(ways);

    constexpr const char* reports = "Report";
    app.add_flag("--json", json_, "print the report as one JSON object")->group(reports);
    app.add_option("--junit", junit_, "also write the report as JUnit XML to FILE")->type_name("FILE")->group(reports);
    cli::add_duration(app, "--every", every_, "repeat the test until a signal; print one line for each run", cli::kMoreThanZero)
        ->group(reports);

    app.add_option("--push-url", push_url_, "push to this URL instead of that of --addr")->type_name("URL")->group("Loki");
    app.add_option("--query-url", query_url_, "read back from this URL instead of that of --addr")->type_name("URL")->group("Loki");
    cli::declare_metrics(app, metrics_);
    cli::declare(app, loki_, {.timeout_option = false});
  }

  void fill_in(const char* (*)(const char* name)) override {
    spec_.way = emit_ ? smoke::Way::print : spec_.command.empty() ? smoke::Way::push : smoke::Way::command;
    spec_.streams = streams_.value_or(emit_ ? 1 : 4);
  }

  [[nodiscard]] Result<void> check() const override {
    if (emit_ && !spec_.command.empty()) return base::fail(Code::usage, "cannot use --emit together with --via");
    if (emit_ && spec_.streams > 1)
      return base::fail(Code::usage, "cannot use --streams with --emit: standard output is one stream");
    if (spec_.way == smoke::Way::push && (!spec_.selector.empty() || !spec_.labels.empty()))
      return base::fail(Code::usage, "--selector and --label belong to --via and --emit");
    if (emit_ && !push_url_.empty()) return base::fail(Code::usage, "cannot use --push-url with --emit: smoke pushes nothing then");
    if (!spec_.read_back && !query_url_.empty()) return base::fail(Code::usage, "cannot use --query-url with --write-only");
    if (auto good = smoke::check(spec_); !good) return good;
    for (const cli::LokiOptions& options : {at(push_url_), at(query_url_)}) {
      if (auto target = cli::loki_target(options, nullptr, nullptr); !target) return std::move(target).error();
    }
    return {};
  }

  Result<cli::Exit> act(const pipeline::Context& context) override {
    if (auto set = aim(context); !set) return std::move(set).error();
    auto endpoint = monitor::Endpoint::start(metrics_, context);
    if (!endpoint) return std::move(endpoint).error();
    (*endpoint)->begun();
    if (!every_) return once((*endpoint)->context());
    return repeat((*endpoint)->context());
  }

 private:
  Result<void> read_label(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return base::fail(Code::usage, "it has no name and =").with_hint("write --label NAME=VALUE");
    spec_.labels.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    return {};
  }

  [[nodiscard]] cli::LokiOptions at(const std::string& url) const {
    cli::LokiOptions options = loki_;
    if (!url.empty()) options.url = url;
    return options;
  }

  // Fills in where to push and what to ask.
  Result<void> aim(const pipeline::Context& context) {
    auto query = cli::loki_target(at(query_url_), context.environment, context.diagnostics);
    if (!query) return std::move(query).error();
    // The same secrets need no second warning; another URL may have secrets of its own.
    auto push = cli::loki_target(at(push_url_), context.environment, push_url_.empty() ? nullptr : context.diagnostics);
    if (!push) return std::move(push).error();
    push->http.diagnostics = context.diagnostics;
    for (http::ClientConfig* http : {&query->http, &push->http}) {
      if (auto good = http::check_files(*http); !good) return good;
      http->cancelled = [stop = context.stop] { return stop->stopped(); };
    }
    spec_.push = std::move(push->http);
    spec_.query.http = std::move(query->http);
    spec_.query.tenant = std::move(query->tenant);
    cli::LokiOptions options = at(push_url_);
    if (const char* const url = context.environment("LOKI_ADDR"); options.url.empty() && (url == nullptr || *url == '\0'))
      options.url = cli::kDefaultLokiUrl;
    spec_.command_environment = environment_of(options);
    if (is_pipeline(spec_.command)) {
      std::error_code error;
      const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
      if (error) return base::io_error(error.value(), "read '/proc/self/exe'");
      spec_.command_environment.emplace_back(kPipelineName, spec_.command);
      spec_.command = run_pipeline(program.string());
    }
    const char* const temporary = context.environment("TMPDIR");
    spec_.folder = temporary == nullptr || *temporary == '\0' ? "/tmp" : temporary;
    if (every_ && !spec_.large) spec_.large = smoke::Large::one;
    return {};
  }

  Result<void> print(const std::string& text) const {
    // With --emit, standard output belongs to the records.
    auto written = cli::write_all(emit_ ? STDERR_FILENO : STDOUT_FILENO, text);
    if (!written) return std::move(written).error();
    return {};
  }

  Result<void> report(const smoke::Outcome& outcome, const std::string& text, base::Timestamp now) const {
    if (!junit_.empty()) {
      if (auto written = base::replace_text_file(junit_, smoke::to_junit(outcome)); !written) return written;
    }
    return print(json_ ? smoke::to_json(outcome, now) : text);
  }

  Result<cli::Exit> once(const pipeline::Context& context) const {
    smoke::SmokeMetrics metrics(context.metrics);
    smoke::Outcome outcome = smoke::run(spec_, context);
    const base::Timestamp now = context.clock->wall();
    metrics.add(outcome, now);
    if (!outcome) {
      const bool told = outcome.error().code != Code::interrupted && (json_ || !junit_.empty());
      if (told) {
        if (auto reported = report(outcome, {}, now); !reported) return std::move(reported).error();
      }
      return std::move(outcome).error();
    }
    if (auto reported = report(outcome, smoke::to_text(*outcome), now); !reported) return std::move(reported).error();
    return outcome->verdict.good() ? cli::Exit::ok : cli::Exit::negative;
  }

  Result<cli::Exit> repeat(const pipeline::Context& context) const {
    smoke::SmokeMetrics metrics(context.metrics);
    base::Clock& clock = *context.clock;
    while (!context.stop->stopped()) {
      const base::Monotonic next = base::after(clock.monotonic(), *every_);
      smoke::Outcome outcome = smoke::run(spec_, context);
      if (context.stop->stopped()) break;
      const base::Timestamp now = clock.wall();
      metrics.add(outcome, now);
      if (!outcome && outcome.error().code != Code::network && outcome.error().code != Code::unreachable)
        return std::move(outcome).error();
      if (auto reported = report(outcome, smoke::to_line(outcome, now), now); !reported) return std::move(reported).error();
      pollfd waits = {context.stop->fd(), POLLIN, 0};
      while (!context.stop->stopped() && clock.monotonic() < next) ::poll(&waits, 1, base::poll_timeout(clock.monotonic(), next));
    }
    return cli::exit_of_signal(context.stop->signal(), cli::Exit::ok);
  }

  smoke::RunSpec spec_;
  std::optional<std::uint32_t> streams_;
  bool emit_ = false;
  std::string push_url_, query_url_, junit_;
  bool json_ = false;
  std::optional<base::Duration> every_;
  monitor::Options metrics_;
  cli::LokiOptions loki_;
};

constexpr std::string_view kManual =
    R"(Each run has an id of its own and sends records in a few streams. It reads them back with LogQL and checks that each record
is there once, within --timeout, with its line, metadata, time and labels, and in the order of its stream. A record that
comes after --timeout is late; one that is not there at the end is missing. Smoke also counts the records with
`count_over_time`. The first line of the report says `good` or `bad`; then come the faults, each with its first examples,
and the latency: from the moment a record was sent until a query showed it.

# What is sent
Records go out in batches of eight, each batch in one stream. A batch has two records at one time, characters of many scripts,
quotes and control characters, JSON, a record of several lines, a line that is the same in every batch, and three lines of
100 KiB (--large). The run's id and the record's number are the structured metadata `weir_smoke_run` and `weir_smoke_record`.
The id is never a label: the streams of all runs are `{job="weir-smoke", smoke_stream="1"}` and so on. Where Loki takes no
structured metadata, the id stands in the line, and the report says so.

Of two records at one time Loki itself decides which comes first, so their order is not checked. They have different lines:
Loki before 3.7 stores equal lines at one time once, whatever their metadata.

# Repeats
Loki drops a record that is sent again while the first one is still in the open block of its chunk. Then nothing is wrong in
Loki, and smoke sees nothing. Three lines of 100 KiB close that block. So with `--large all` each push request is one whose
repeat `count_over_time` would show. That is the default for up to 400 records at up to 100 a second: a run of 200 records
sends 7 MiB. In larger or faster runs, and with --via, --emit and --every, only the first batch has large lines.

# Answers that Loki cannot send
Loki may answer 200 with no entries in place of an answer that is over its grpc_server_max_send_msg_size (4 MiB by default).
Smoke then reads smaller pages, and says so. When Loki counts records and shows none of them even so, there is no verdict.

# Pushing
Without --via and --emit smoke pushes by itself, one request for each batch and one in flight for each stream. It sends a
request again, as agents do, when there was no answer or one that may pass (408, 429, 5xx), until its records are older than
--timeout. The report says how often. What Loki refuses is not sent again, and counts as refused.

# Through an agent
--via COMMAND runs COMMAND in a shell, or with `weir run` when it is the text of a pipeline: `tail … | push`.
$WEIR_SMOKE_DIR is a folder like /var/log/pods, in $TMPDIR or /tmp. Smoke writes the logs of pods there as a container
runtime does and rotates them; the command reads and delivers them. First each stream gets one batch, and the rest follows
when a record of each was read back, so that no log is rotated before the command follows it. $LOKI_ADDR is where to
(--push-url, --addr or LOKI_ADDR), and what is given of --tenant, --username and so on is in the variables of weir-push(1).
Records are expected in `{namespace="weir-smoke"}`, with the labels `namespace`, `pod`, `container` and `stream` of `weir
tail`. For another agent, say what it makes of them with --selector and --label. At the end the command gets SIGTERM, and
SIGKILL 20 seconds later. The report has the last lines that the command wrote: as text when the verdict is bad, in
`command_output` of --json, and in `<system-err>` of --junit.

--emit stdout prints the records and leaves their delivery to the agent that collects the output of this process, such as the
one of the node when smoke runs in a pod. --selector names the streams in which they arrive. The report goes to standard
error.

In both cases the run's id and the number stand at the head of each line. An agent may join lines to one record (each batch has a
line that begins with spaces); they are then found in it. With --emit the runtime sets the times, so they are not checked.

# Runs that are repeated
--every DURATION repeats the run and prints one line for each, until SIGINT or SIGTERM. A run without a verdict, since Loki
did not answer, is one such line, too. With --metrics the runs are counted by result (good, bad, none) in
`weir_smoke_finished_runs_total`, and the records by fault in `weir_smoke_faulty_records_total`; weir-metrics(7) lists all
metrics. Alert when `weir_smoke_last_success_timestamp_seconds` gets old.

# VictoriaLogs
VictoriaLogs takes pushes in Loki's form at `http://HOST:9428/insert`, but it answers no queries in that form. So
`weir smoke --push-url http://HOST:9428/insert --write-only` checks that it takes the records, and no more.)";

}  // namespace

const cli::Command smoke_command = {
    .name = "smoke",
    .summary = "test a Loki, or a pipeline to it: send records, read them back, give a verdict",
    .description =
        "Sends records, reads them back from Loki, and says whether each of them arrived: once, in time, unchanged, in order, with "
        "its labels. The exit code is the verdict: 0 good, 1 bad, 4 when there is none because Loki could not be asked.",
    .manual = kManual,
    .usual = {"--records", "--streams", "--rate", "--timeout", "--wait", "--via", "--emit", "--selector", "--json", "--junit",
              "--every", "--metrics", "--addr", "--push-url", "--query-url", "--tenant"},
    .role = cli::Role::action,
    .examples = {{"does this Loki take and show records?", "weir smoke --addr http://localhost:3100"},
                 {"does this pipeline deliver what pods log?", "weir smoke --via 'tail -f $WEIR_SMOKE_DIR | push'"},
                 {"in CI: wait for Loki, and leave a report", "weir smoke --wait 60s --junit smoke.xml"},
                 {"in a pod: does the node's agent deliver it?",
                  "weir smoke --emit stdout --selector '{namespace=\"monitoring\", container=\"smoke\"}'"},
                 {"every minute, with metrics", "weir smoke --every 1m --metrics 127.0.0.1:0"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::failed, cli::Exit::interrupted,
              cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Smoke>()); },
};

}  // namespace weir::cmd
