#include "monitor/endpoint.h"

#include "httpd/access.h"
#include "httpd/server.h"
#include "monitor/metrics_file.h"
#include "monitor/notifier.h"
#include "monitor/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::monitor {
namespace {

using base::Result;
using httpd::Request;
using httpd::Response;

constexpr std::string_view kPaths =
    "/metrics     what weir counts, for Prometheus\n"
    "/-/healthy   200, or 503 when a thread hangs\n"
    "/-/ready     200, or 503 with the reason\n"
    "/-/reload    POST, from this machine: read pipelines and rules again\n";

Response text(int status, std::string_view body) { return {.status = status, .body = std::string(body)}; }

}  // namespace

class Endpoint::Parts {
 public:
  explicit Parts(const pipeline::Context& outer) : context(outer) {}

  void measure() {
    if (context.metrics != nullptr) return;
    own_registry.emplace();
    context.metrics = &*own_registry;
  }
  // Behind measure(), where there is a registry.
  void read() {
    if (context.metrics != nullptr) reading.emplace(context);
  }

  // A page in somebody's browser may send requests to this machine: by a name of its own that leads here (DNS rebinding), or just
  // so, and then with an Origin.
  [[nodiscard]] Response reload(const Request& request, const httpd::Address& listens_on) const {
    if (!request.from_here) return text(403, "reload is for peers on this machine; send SIGHUP instead\n");
    if (!httpd::is_own_host(request.host, listens_on.host)) return text(403, "the request names another host\n");
    if (!request.header("Origin").empty()) return text(403, "a web page may not do this\n");
    context.stop->request_reload();
    return text(200, "reload is asked for; messages on standard error say what became of it\n");
  }

  [[nodiscard]] Result<void> listen(const httpd::Address& address) {
    std::vector<httpd::Route> routes = reading->routes();
    routes.push_back({"GET", "/", [](const Request&) { return text(200, kPaths); }});
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
  std::optional<Reading> reading;
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
  if (options.any() || options.shown_elsewhere || is_service) parts->measure();
  parts->read();
  Parts* const all = parts.get();
  std::unique_ptr<Endpoint> endpoint(new Endpoint(std::move(parts)));
  if (options.address) {
    if (auto listens = all->listen(*options.address); !listens) return std::move(listens).error();
  }
  if (!options.file.empty()) {
    auto file = MetricsFile::start(
        options.file, [all] { return all->reading->file_text(); }, *context.diagnostics);
    if (!file) return std::move(file).error();
    all->file = *std::move(file);
  }
  if (is_service) {
    service.health = [all] { return all->reading->health(); };
    service.status = [all] { return all->reading->status(); };
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
  if (parts_->reading) parts_->reading->begun();
  if (parts_->file) parts_->file->begun();
  if (parts_->notifier) parts_->notifier->begun();
}

std::optional<httpd::Address> Endpoint::address() const {
  return parts_->server ? std::optional(parts_->server->address()) : std::nullopt;
}

}  // namespace weir::monitor
