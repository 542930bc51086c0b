#include "monitor/endpoint.h"

#include "httpd/server.h"
#include "monitor/metrics_file.h"
#include "monitor/notifier.h"
#include "monitor/process_figures.h"
#include "monitor/prometheus_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::monitor {
namespace {

using base::Result;
using httpd::Request;
using httpd::Response;
using metrics::Sample;

// How long whoever asks waits for a chain that is blocked; then its last copy is shown.
constexpr base::Duration kPatience = 200 * base::kMillisecond;

constexpr auto kBuild =
    metrics::gauge("weir_build_info", "info", "1, with the version of weir.", metrics::Account::none, "version");
constexpr auto kWritten = metrics::gauge("weir_metrics_file_written_timestamp_seconds", "seconds",
                                         "Time when this file was written, since 1970; in a file of --metrics-file only.");

constexpr std::string_view kPaths =
    "/metrics     what weir counts, for Prometheus\n"
    "/-/healthy   200, or 503 when a thread hangs\n"
    "/-/ready     200, or 503 with the reason\n"
    "/-/reload    POST, from this machine: read pipelines and rules again\n";

Response text(int status, std::string_view body) { return {.status = status, .body = std::string(body)}; }

Response answer(const Verdict& verdict) {
  Response response = text(verdict.good ? 200 : 503, verdict.text);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

}  // namespace

class Endpoint::Parts {
 public:
  explicit Parts(const pipeline::Context& outer) : context(outer) {}

  void measure() {
    if (context.metrics != nullptr) return;
    own_registry.emplace();
    context.metrics = &*own_registry;
  }

  [[nodiscard]] std::vector<Sample> read() const {
    context.metrics->ask(kPatience);
    auto samples = context.metrics->read();
    for (Sample& sample : unaccounted_records(samples)) samples.push_back(std::move(sample));
    samples.push_back({.metric = &kBuild, .label_value = WEIR_VERSION, .value = 1});
    return samples;
  }

  [[nodiscard]] std::string scrape() const {
    auto samples = read();
    for (Sample& sample : process.read()) samples.push_back(std::move(sample));
    return prometheus_text(samples);
  }

  // node_exporter has metrics named process_… of its own, and refuses to show two of one name.
  [[nodiscard]] std::string file_text() const {
    auto samples = read();
    samples.push_back({.metric = &kWritten, .value = static_cast<std::uint64_t>(context.clock->wall())});
    return prometheus_text(samples);
  }

  [[nodiscard]] Verdict health() const { return judge_health(context.metrics->drivers()); }

  [[nodiscard]] Verdict readiness() const {
    context.metrics->ask(kPatience);  // what is in the way is noticed between two batches
    const Phase phase = context.stop->stopped() ? Phase::ending : has_begun.load() ? Phase::running : Phase::starting;
    return judge_readiness(phase, context.metrics->troubles());
  }

  [[nodiscard]] std::string status() const {
    context.metrics->ask(kPatience);
    return status_line(context.metrics->read(), context.metrics->drivers(), context.metrics->troubles());
  }

  // A page in somebody's browser may send requests to this machine: by a name of its own that leads here (DNS rebinding), or just
  // so, and then with an Origin.
  [[nodiscard]] Response reload(const Request& request, const httpd::Address& listens_on) const {
    if (!request.from_here) return text(403, "reload is for peers on this machine; send SIGHUP instead\n");
    const bool is_known = httpd::is_ip_address(request.host) || request.host == "localhost" || request.host == listens_on.host;
    if (listens_on.socket_path.empty() && !is_known) return text(403, "the request names another host\n");
    if (!request.header("Origin").empty()) return text(403, "a web page may not do this\n");
    context.stop->request_reload();
    return text(200, "reload is asked for; messages on standard error say what became of it\n");
  }

  [[nodiscard]] Result<void> listen(const httpd::Address& address) {
    std::vector<httpd::Route> routes;
    const auto get = [&](std::string path, std::function<Response(const Request&)> handler) {
      routes.push_back({"GET", std::move(path), std::move(handler)});
    };
    get("/", [](const Request&) { return text(200, kPaths); });
    get("/metrics", [this](const Request&) { return Response{.body = scrape(), .content_type = std::string(kPrometheusType)}; });
    get("/-/healthy", [this](const Request&) { return answer(health()); });
    get("/-/ready", [this](const Request&) { return answer(readiness()); });
    routes.push_back({"POST", "/-/reload", [this, address](const Request& request) { return reload(request, address); }});
    auto started = httpd::Server::start(address, std::move(routes), *context.clock);
    if (!started) return std::move(started).error();
    server = *std::move(started);
    const std::string where = server->address().text();
    context.diagnostics->say(server->address().socket_path.empty() ? fmt::format("metrics on http://{}/metrics", where)
                                                                   : fmt::format("metrics on {}, path /metrics", where));
    return {};
  }

  pipeline::Context context;
  std::optional<metrics::Registry> own_registry;
  std::atomic<bool> has_begun{false};
  const ProcessFigures process{*context.clock};
  // Their threads use what stands above.
  std::unique_ptr<httpd::Server> server;
  std::unique_ptr<MetricsFile> file;
  std::unique_ptr<Notifier> notifier;
};

Endpoint::Endpoint(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Endpoint::~Endpoint() = default;

Result<std::unique_ptr<Endpoint>> Endpoint::start(const Options& options, const pipeline::Context& context) {
  auto parts = std::make_unique<Parts>(context);
  auto service = Notifier::config_of(context.environment);
  const bool is_service = !service.socket.empty();
  if (options.any() || is_service) parts->measure();
  Parts* const all = parts.get();
  std::unique_ptr<Endpoint> endpoint(new Endpoint(std::move(parts)));
  if (options.address) {
    if (auto listens = all->listen(*options.address); !listens) return std::move(listens).error();
  }
  if (!options.file.empty()) {
    auto file = MetricsFile::start(
        options.file, [all] { return all->file_text(); }, *context.diagnostics);
    if (!file) return std::move(file).error();
    all->file = *std::move(file);
  }
  if (is_service) {
    service.health = [all] { return all->health(); };
    service.status = [all] { return all->status(); };
    auto notifier = Notifier::start(std::move(service), context);
    if (!notifier) return std::move(notifier).error();
    all->notifier = *std::move(notifier);
  }
  return endpoint;
}

Result<void> Endpoint::rehearse(const Options& options) {
  return options.file.empty() ? Result<void>() : MetricsFile::rehearse(options.file);
}

const pipeline::Context& Endpoint::context() const { return parts_->context; }

void Endpoint::begun() {
  parts_->has_begun.store(true);
  if (parts_->file) parts_->file->begun();
  if (parts_->notifier) parts_->notifier->begun();
}

std::optional<httpd::Address> Endpoint::address() const {
  return parts_->server ? std::optional(parts_->server->address()) : std::nullopt;
}

}  // namespace weir::monitor
