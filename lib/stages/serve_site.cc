#include "stages/serve_site.h"

#include "base/open_files.h"
#include "serve/page.h"
#include "serve/tenant.h"
#include "spool/spool_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::stages {

using base::Result;
using httpd::Exchange;
using httpd::Request;
using httpd::Response;
using httpd::Route;

namespace {

constexpr base::Duration kLastWords = 2 * base::kSecond;
constexpr std::string_view kReadOnly =
    "this server only reads: another process writes the spool, or it was started with --read-only\n";

// As many as there are descriptors for, beside those of the spool, which queries open, too.
std::size_t most_connections(base::Diagnostics& diagnostics) {
  constexpr std::uint64_t kMost = 256, kLeast = 8, kOthers = 96;
  const std::uint64_t files = base::raise_open_files();
  if (files >= kMost + kOthers) return kMost;
  const std::uint64_t most = files > kOthers + kLeast ? files - kOthers : kLeast;
  diagnostics.say(fmt::format("only {} files may be open (ulimit -n), so that serve takes {} connections at once instead of {}",
                              files, most, kMost));
  return most;
}

httpd::Limits limits_of(const ServeSpec& spec, base::Diagnostics& diagnostics) {
  httpd::Limits limits;
  limits.header = 256 << 10;  // a query stands in the first line
  limits.bodies = spec.most_body * 4;
  limits.answers = 2 * spec.queries.answer;
  limits.connections = most_connections(diagnostics);
  limits.idle = 5 * base::kMinute;
  limits.read = 30 * base::kSecond;  // Loki's
  limits.unsent = 256 << 10;
  return limits;
}

}  // namespace

ServeSite::ServeSite(const ServeSpec& spec, serve::Inbox* inbox, const pipeline::Context& context)
    : spec_(spec), inbox_(inbox), inode_(inbox != nullptr ? spool::inode_of(spec.spool) : 0), context_(context) {
  if (context.metrics != nullptr) reading_.emplace(context);
  queries_ = serve::QueryApi::create({.spool = spec.spool, .read_only = inbox == nullptr, .version = spec.version}, spec.queries,
                                     *context.clock, *context.diagnostics, context.metrics);
  tails_ = serve::TailHub::create(spec.spool, spec.tails, *context.clock, *context.diagnostics, context.metrics);
}

ServeSite::~ServeSite() { server_.reset(); }

Result<std::unique_ptr<ServeSite>> ServeSite::start(const ServeSpec& spec, serve::Inbox* inbox, const pipeline::Context& context) {
  std::unique_ptr<ServeSite> site(new ServeSite(spec, inbox, context));
  httpd::Options options;
  options.limits = limits_of(spec, *context.diagnostics);
  options.tls = spec.tls;
  options.diagnostics = context.diagnostics;
  options.not_found = "404 page not found\n";  // as Loki
  auto access = httpd::Access::create(spec.users, spec.hosts, *context.diagnostics);
  if (!access) return std::move(access).error();
  options.access = *std::move(access);
  auto server = httpd::Server::start(spec.listen, site->routes(), *context.clock, std::move(options));
  if (!server) return std::move(server).error();
  site->server_ = *std::move(server);
  return site;
}

std::string ServeSite::url() const {
  const httpd::Address& address = server_->address();
  if (!address.socket_path.empty()) return address.text();
  return fmt::format("{}://{}/", spec_.tls.certificate.empty() ? "http" : "https", address.text());
}

bool ServeSite::drain(base::Monotonic deadline, const std::function<bool()>& hurry) {
  // What still runs close to the deadline has a moment to say so.
  queries_->stop(deadline - kLastWords);
  tails_->stop();
  return server_->drain(deadline, hurry);
}

Route ServeSite::push_route(std::string path) {
  Route route{.method = "POST", .path = std::move(path)};
  route.most_body = spec_.most_body;
  if (inbox_ == nullptr) {
    route.handler = [](const Request&) { return Response{.status = 501, .body = std::string(kReadOnly)}; };
  } else {
    route.later = [this](std::shared_ptr<Exchange> exchange) {
      if (auto tenant = serve::tenant_of(exchange->request()); tenant.refused) return exchange->answer(*std::move(tenant.refused));
      inbox_->put(std::move(exchange));
    };
  }
  return route;
}

std::vector<Route> ServeSite::routes() {
  std::vector<Route> routes;
  if (reading_) routes = reading_->routes();
  for (Route& route : serve::page_routes()) routes.push_back(std::move(route));
  for (Route& route : queries_->routes()) routes.push_back(std::move(route));
  for (Route& route : tails_->routes()) routes.push_back(std::move(route));
  routes.push_back(push_route("/loki/api/v1/push"));
  routes.push_back(push_route("/api/prom/push"));
  routes.push_back({.method = "GET",
                    .path = "/ready",
                    .handler =
                        [this](const Request&) {
                          if (context_.stop->stopped()) return serve::try_later("the server ends\n");
                          if (inbox_ != nullptr && spool::inode_of(spec_.spool) != inode_)
                            return serve::try_later("the spool was deleted, moved or replaced: nothing can be stored\n");
                          if (inbox_ != nullptr && inbox_->is_stuck()) return serve::try_later(std::string(serve::kStuck));
                          return Response{.body = "ready\n"};
                        },
                    .open = true});
  return routes;
}

}  // namespace weir::stages
