// weir serve: Loki's HTTP API and a page over a spool.
#include "stages/serve.h"

#include "cli/spool_options.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
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
      } else if (made.error().code == Code::busy) {
        context.diagnostics->say(fmt::format("{}: serving it read-only, pushes are refused", made.error().message));
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
    buffer_.store_only = true;
    buffer_.spool.path = spec_.spool;
    buffer_.spool.wait = base::kSecond;            // whoever holds it longer, writes it
    buffer_.group_bytes = 2 * spec_.commit_bytes;  // serve says when to commit
  }

  stages::ServeSpec spec_;
  stages::BufferSpec buffer_;
  bool no_service_name_ = false, no_levels_ = false, insecure_ = false;
};

constexpr std::string_view kManual = R"(A spool is one SQLite file (weir-spool(5)).)";

}  // namespace

const cli::Command serve_command = {
    .name = "serve",
    .summary = "receive, store and query logs over Loki's HTTP API, with a page for the browser",
    .description =
        "Answers Loki's HTTP API from SPOOL, a file on disk: clients push logs and query them with LogQL. A page at / shows "
        "them in a browser. It is for laptops, CI and nodes without a network. It is no replacement for Loki.",
    .manual = kManual,
    .usual = {"--listen", "--read-only", "--max-size", "--retain"},
    .role = cli::Role::source,
    .examples = {{"receive and serve logs on this machine", "weir serve logs.db"},
                 {"query it", "weir query --addr http://127.0.0.1:3100 '{app=\"shop\"}'"},
                 {"show what another process stores", "weir serve --read-only --listen :3101 spool.db"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Serve>()); },
};

}  // namespace weir::cmd
