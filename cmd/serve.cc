// weir serve: Loki's HTTP API and a page over a spool.
#include "stages/serve.h"

#include "cli/program.h"
#include "cli/spool_options.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "spool/lock_file.h"
#include "spool/rehearsal.h"
#include "stages/buffer.h"

#include <CLI/CLI.hpp>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;

// Only processes of this machine reach it.
bool is_local(const httpd::Address& address) {
  if (!address.socket_path.empty() || address.host == "localhost" || address.host == "::1") return true;
  return httpd::is_ip_address(address.host) && address.host.starts_with("127.");
}

class Serve : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    spool::WriterOptions& store = buffer_.spool;
    app.add_option("spool", spec_.spool, "the spool to serve; serve creates it (default: WEIR_SPOOL)")->type_name("SPOOL");
    cli::add_value(
        app, "--listen",
        [this](const std::string& text) -> Result<void> {
          auto address = httpd::parse_address(text);
          if (!address) return std::move(address).error();
          spec_.listen = *std::move(address);
          return {};
        },
        "where to listen: ADDRESS:PORT, or unix:PATH")
        ->type_name("ADDR")
        ->default_str(spec_.listen.text());
    app.add_flag("--read-only", spec_.read_only, "answer queries only; needs no right to write");
    cli::declare_sync(app, store);

    constexpr const char* access = "Access";
    app.add_option("--auth-file", spec_.users.users,
                   "FILE with a user a line, NAME:PASSWORD or NAME:{SHA256}BASE64; whoever asks must be one")
        ->type_name("FILE")
        ->group(access);
    app.add_option("--token-file", spec_.users.tokens, "FILE with a bearer token a line; whoever asks must send one")
        ->type_name("FILE")
        ->group(access);
    app.add_option("--tls-cert", spec_.tls.certificate, "PEM file with the certificate and its chain: serves https")
        ->type_name("FILE")
        ->group(access);
    app.add_option("--tls-key", spec_.tls.key, "PEM file with the key of --tls-cert")->type_name("FILE")->group(access);
    app.add_option("--host", spec_.hosts,
                   "a name by which clients call this server, beside IP addresses and localhost (repeatable)")
        ->type_name("NAME")
        ->group(access);
    app.add_flag("--insecure", insecure_, "listen beyond this machine although nobody has to say who they are")->group(access);

    constexpr const char* limits = "Limits of the spool";
    cli::declare_max_size(app, store, limits);
    cli::declare_min_free(app, store, limits);
    cli::declare_retain(app, store, limits);
    cli::declare_on_full(app, store, limits);

    constexpr const char* asking = "Queries";
    cli::add_duration(app, "--query-timeout", spec_.queries.time, "how long a query may take; then it is answered 504",
                      cli::kMoreThanZero)
        ->group(asking);
    cli::add_number(app, "--max-queries", spec_.queries.queries, "queries at once; further ones wait, and 64 may wait",
                    cli::kAtLeastOne)
        ->group(asking);
    cli::add_size(app, "--memory", query_memory_, "most memory of a query for reading", {.least = 1 << 20})->group(asking);
    cli::add_number(app, "--max-entries", spec_.queries.entries, "most lines that a query may ask for; 0: any number")
        ->group(asking);
    cli::add_number(app, "--max-tails", spec_.tails.tails, "tails at once", cli::kAtLeastOne)->group(asking);

    constexpr const char* receiving = "Receiving";
    cli::add_duration(app, "--reject-old", spec_.push.limits.max_age,
                      "refuse entries older than this, and entries more than 10 minutes ahead; 0: take all", {})
        ->group(receiving);
    cli::add_duration(app, "--max-behind", spec_.push.max_behind,
                      "refuse entries further behind the newest of their stream than this; 0: take all", {})
        ->group(receiving);
    app.add_flag("--no-service-name", no_service_name_, "do not add the label service_name")->group(receiving);
    app.add_flag("--no-levels", no_levels_, "do not add the metadata detected_level")->group(receiving);
  }

  void fill_in(const char* (*environment)(const char* name)) override {
    const char* named = environment("WEIR_SPOOL");
    if (spec_.spool.empty() && named != nullptr) spec_.spool = named;
  }

  [[nodiscard]] Result<void> check() const override {
    if (spec_.spool.empty()) {
      return base::fail(Code::usage, "SPOOL is missing").with_hint("name a file, or set WEIR_SPOOL: weir serve logs.db");
    }
    if (spec_.tls.certificate.empty() != spec_.tls.key.empty())
      return base::fail(Code::usage, "--tls-cert and --tls-key must be given together");
    if (!is_local(spec_.listen) && !spec_.users.any() && !insecure_) {
      return base::fail(Code::usage,
                        "cannot listen on '{}' without authentication: whoever reaches it could read and write all logs",
                        spec_.listen.text())
          .with_hint("give --auth-file or --token-file (and --tls-cert), listen on 127.0.0.1, or say --insecure");
    }
    return {};
  }

  [[nodiscard]] bool shows_metrics() const override { return true; }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    prepare(plan);
    std::unique_ptr<pipeline::Stage> buffer;
    if (!spec_.read_only) {
      auto made = stages::make_buffer(buffer_, context);
      if (made) {
        buffer = *std::move(made);
      } else if (const std::string lock = spool::writer_lock_path(spec_.spool);
                 made.error().code == Code::busy && spool::is_locked(lock)) {
        const std::uint64_t pid = spool::latest_holder(lock);
        context.diagnostics->say(fmt::format("{} writes the spool '{}': serve only reads it, and refuses pushes",
                                             pid == 0 ? "another process" : fmt::format("process {}", pid),
                                             base::escape_control(spec_.spool)));
        spec_.read_only = true;
      } else {
        return std::move(made).error();
      }
    }
    auto source = stages::make_serve(spec_, context);
    if (!source) return std::move(source).error();
    return cli::Built{.source = std::move(*source), .stage = std::move(buffer), .sink = true};
  }

  Result<cli::Built> rehearse(const cli::Plan& plan, const pipeline::Context& context) override {
    prepare(plan);
    if (!spec_.read_only) {
      if (auto ok = spool::rehearse_writing(spec_.spool); !ok) return std::move(ok).error();
    }
    if (auto ok = stages::rehearse_serve(spec_, context); !ok) return std::move(ok).error();
    return cli::Built{.source = nullptr, .stage = nullptr, .sink = true};
  }

 private:
  static constexpr base::Duration kAhead = 10 * base::kMinute;  // Loki's creation_grace_period

  void prepare(const cli::Plan& plan) {
    // A part of `run` must not take the spool from the pipeline that fills it, nor end the collection when its port is taken.
    if (plan.fused) spec_.read_only = spec_.try_again = true;
    spec_.push.discover_service_name = !no_service_name_;
    spec_.push.discover_levels = !no_levels_;
    if (spec_.push.limits.max_age > 0) spec_.push.limits.max_ahead = kAhead;
    spec_.version = cli::version();
    spec_.queries.memory = query_memory_;
    buffer_.store_only = true;
    spec_.while_waiting = std::make_shared<std::function<void()>>();
    buffer_.while_waiting = [call = spec_.while_waiting] {
      if (*call) (*call)();
    };
    buffer_.spool.path = spec_.spool;
    buffer_.spool.wait = base::kSecond;            // whoever holds it longer, writes it
    buffer_.group_bytes = 2 * spec_.commit_bytes;  // serve says when to commit
  }

  stages::ServeSpec spec_;
  stages::BufferSpec buffer_;
  std::uint64_t query_memory_ = spec_.queries.memory;
  bool no_service_name_ = false, no_levels_ = false, insecure_ = false;
};

constexpr std::string_view kManual = R"(`weir serve` is for places without a Loki: a laptop, CI, a node without a network.
It is no replacement for Loki. It has one process and one disk, copies nothing to other machines, and a query reads
the whole spool for its time range.

# Receiving
Clients push to /loki/api/v1/push or /api/prom/push, as to a Loki: protobuf in snappy, or JSON, also in gzip or
deflate. Promtail, Alloy, Fluent Bit and `weir push` work unchanged. Status codes and texts are those of Loki 3.7.
Entries beyond a limit are refused with 400, and all others of the request are stored.

JSON must come with `Content-Type: application/json`: like a Loki, serve takes anything else for protobuf. Times are
nanoseconds. When a client seems to send JSON under another name, or seconds, milliseconds or microseconds (which are
times of January 1970), serve says so on stderr.

A request is answered 204 when its records are committed. Requests that come within 200 ms share one commit. A request
that cannot be stored is answered 500 or 503, so that the client sends it again. A kill of serve loses no record that
was answered 204. --sync says what a power cut may lose.

Like Loki, serve adds the label `service_name` and the metadata `detected_level`. It takes records of any age and in
any order. With --reject-old and --max-behind it refuses what a Loki would refuse: --reject-old 7d --max-behind 1h are
Loki's defaults.

serve stores what it gets: where a Loki drops an entry whose stream, time and line it has already, serve stores it
again.

When SPOOL is deleted, moved or replaced while serve writes it, serve answers pushes with 503, says so at /ready, and
ends with the exit code 4 at the next push, so that it is started again.

# Limits
A line has at most 256 KiB, a stream at most 15 labels, an entry at most 128 metadata of 64 KiB together. A request
has at most 16 MiB as it comes and 64 MiB when it is unpacked. Its entries and streams may take 64 MiB of memory: an
entry 256 bytes and its text, a stream that serve did not know 4 KiB, and eight times its labels when they are longer
than 512 bytes. So that is at most about 250,000 entries or 14,000 new streams; beyond, the whole request is refused
with 413. When more requests come than serve can store, further ones get 503 with Retry-After.

The spool is a ring: serve evicts the oldest records when they are older than --retain, or when SPOOL reaches
--max-size. When a consumer such as `weir push --spool` is registered, records that it has not acknowledged are kept.
When these fill the spool, --on-full block makes requests wait; after five seconds, serve answers them with 503 and
Retry-After, and so does /ready. What it has read of them is stored when there is room, so a client that sends it again
stores it twice.

# Queries
serve answers as Loki 3.7 does: query and query_range, labels, series, index/stats and index/volume, detected_labels
and detected_fields, format_query, and tail.

--max-queries queries run at once, and each takes up to --memory for reading and 64 MiB for its answer. Further ones
wait; when 64 wait, new ones are answered 429. A query that takes longer than --query-timeout is answered 504; the page
shows what was found until then. As with Loki, a query of logs gives at most 5,000 lines (--max-entries), a metric query
has at most 500 series, and a time range is at most 721 h (30 days). A query that will have more series ends as soon as
that is certain. The text of a query has fewer than 131,072 bytes. A request has at most 256 KiB before its body, in at
most 256 lines, and a form that is posted has at most 512 KiB.

The page asks /weir/api/v1/view. Without `start` and `since` it begins with the oldest record of the spool; Loki's API
begins an hour ago.

# Differences from Loki
approx_topk and `variants` are refused with 400. A Loki that has not switched them on refuses them with other texts.
Behind the text of an error there may be one more line, with advice.

With `interval`, Loki begins anew wherever its frontend splits a query, which is every hour. serve does not.

format_query keeps the meaning of a query also where Loki loses parentheses, an `or` of line filters, or the last digits
of a number.

/api/prom/label/NAME/values gives the values of the label, where Loki 3.7 gives the names of all labels.
/loki/api/v1/patterns is answered 404, as by a Loki without a pattern ingester. /loki/api/v1/drilldown-limits is also
answered without a tenant.

Numbers of index/stats and index/volume are exact. Of the statistics that come with an answer, only the time, the bytes
that were read and the number of entries are filled in.

# Tails
/loki/api/v1/tail sends new records over a WebSocket, for `logcli query --tail`, `weir query -f` and Grafana. Up to 64
clients (--max-tails) may tail at once, each for one hour, with queries of at most 16 KiB. When a client reads too
slowly, records are dropped for it, and the next message names them.

The page tails at /weir/api/v1/tail, which takes the same parameters. There `{}` stands for all records, which Loki's
tail refuses. Each message has labels, metadata and extracted labels apart, and the level of each line.

# Tenants
Records belong to the tenant that the header X-Scope-OrgID names. A request sees the records of its own tenant only.
Requests without the header see the records without a tenant; these are what a chain stores that has no `tenant` rule.
A browser cannot send a header with a WebSocket, so a tail also takes the parameter `?tenant=NAME`. The header goes
before it.

# Read-only
One process writes a spool. When another one does so already, serve starts read-only, and says so: it answers queries
and tails, and refuses pushes with 501. New records are seen within two seconds of their commit. With --read-only it
never tries to write. Use this for the spool of a chain, because a serve that starts first would keep the chain from
its spool.

As a pipeline of its own in a file of `weir run`, serve is always read-only. So a node offers its recent logs: one
line of the file is `tail -f | enrich | buffer /var/lib/weir/spool.db | push`, another one is `serve
/var/lib/weir/spool.db`. When it cannot listen there, it says so and tries again every ten seconds. The other
pipelines run on.

# Security
serve listens on 127.0.0.1:3100 unless --listen says otherwise. Beyond this machine it listens only with --auth-file
or --token-file, or with --insecure. Passwords and tokens that go over a network need --tls-cert and --tls-key. The
files are read again when they change.

A web page from elsewhere cannot read the logs through your browser: serve refuses requests with a foreign Origin, and
requests for a host that is no IP address, not localhost, not the address of --listen, and not named by --host.

/ready, /-/healthy and /-/ready answer everybody. /metrics shows what serve counts (weir-metrics(7)).

# Grafana
Add a data source of the type Loki with the URL http://127.0.0.1:3100. With --auth-file switch on basic
authentication; with --token-file add the header `Authorization: Bearer TOKEN`. For a tenant add the header
X-Scope-OrgID.

# End
After SIGTERM, serve takes no new connections, answers the requests that it has, stores what it received, and closes
the tails. A client has two seconds to send the rest of a request, or to answer the end of its tail. A query that still
runs after 18 s is answered 503. serve ends after at most 20 s, and at once after a second SIGTERM.

SIGHUP changes nothing: the files of --auth-file, --token-file, --tls-cert and --tls-key are read again when they
change.)";

}  // namespace

const cli::Command serve_command = {
    .name = "serve",
    .summary = "receive, store and query logs over Loki's HTTP API, with a page for the browser",
    .description =
        "Answers Loki's HTTP API from SPOOL, a file on disk: clients push logs and query them with LogQL. A page at / shows "
        "them in a browser. It is for laptops, CI and nodes without a network. It is no replacement for Loki.",
    .manual = kManual,
    .usual = {"--listen", "--read-only", "--max-size", "--retain", "--auth-file", "--tls-cert", "--tls-key", "--insecure"},
    .role = cli::Role::source,
    .examples = {{"receive and serve logs on this machine", "weir serve logs.db"},
                 {"show what another process stores", "weir serve --read-only --listen :3101 spool.db"},
                 {"let a team in",
                  "weir serve --listen 0.0.0.0:3100 --auth-file users --tls-cert cert.pem --tls-key key.pem logs.db"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Serve>()); },
};

}  // namespace weir::cmd
