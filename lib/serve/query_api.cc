#include "serve/query_api.h"

#include "httpd/exchange.h"
#include "record/json.h"
#include "serve/call.h"
#include "serve/context.h"
#include "serve/endpoints.h"
#include "serve/query_metrics.h"
#include "serve/store_status.h"
#include "serve/tenant.h"
#include "serve/view.h"
#include "serve/workers.h"

#include <fmt/format.h>
#include <malloc.h>

#include <exception>
#include <functional>
#include <utility>

namespace weir::serve {
namespace {

using httpd::Exchange;
using httpd::Response;
using httpd::Route;

// nullopt: it has answered by itself, in pieces.
using Endpoint = std::function<std::optional<Answer>(Call&)>;

Endpoint whole(Answer (*answer)(Call&)) {
  return [answer](Call& call) { return std::optional<Answer>(answer(call)); };
}

class Api : public QueryApi {
 public:
  Api(Store store, const QueryLimits& limits, const base::Clock& clock, base::Diagnostics& diagnostics, metrics::Registry* registry)
      : shared_{.store = std::move(store), .limits = limits, .clock = clock, .diagnostics = diagnostics},
        metrics_(registry),
        workers_(Workers::create({.threads = limits.queries, .waiting = limits.waiting})) {}
  ~Api() override { end_by(0); }

  void stop(base::Monotonic deadline) override { end_by(deadline); }

  std::vector<Route> routes() override {
    std::vector<Route> routes;
    const auto add = [&](const char* path, const Endpoint& endpoint) {
      for (const char* method : {"GET", "POST"}) routes.push_back(route(method, path, endpoint));
    };
    for (const auto& [path, answer] : kLoki) add(path, whole(answer));
    add("/weir/api/v1/view", [](Call& call) { return view(call); });
    add("/weir/api/v1/context", whole(context));
    add("/weir/api/v1/status", whole(store_status));
    routes.push_back(
        {.method = "GET", .path = "/loki/api/v1/status/buildinfo", .handler = [this](const auto&) { return build_info(); }});
    return routes;
  }

 private:
  // Bytes of a form: a query as long as Loki's parser takes it, with every byte escaped.
  static constexpr std::uint64_t kMostForm = 512 << 10;
  static constexpr std::pair<const char*, Answer (*)(Call&)> kLoki[] = {
      {"/loki/api/v1/query_range", query_range},
      {"/loki/api/v1/query", query_instant},
      {"/api/prom/query", query_legacy},
      {"/loki/api/v1/labels", labels},
      {"/loki/api/v1/label", labels},
      {"/api/prom/label", legacy_labels},
      {"/loki/api/v1/label/{name}/values", label_values},
      {"/api/prom/label/{name}/values", legacy_label_values},
      {"/loki/api/v1/series", series},
      {"/api/prom/series", series},
      {"/loki/api/v1/index/stats", index_stats},
      {"/loki/api/v1/index/volume", index_volume},
      {"/loki/api/v1/index/volume_range", index_volume_range},
      {"/loki/api/v1/detected_labels", detected_labels},
      {"/loki/api/v1/detected_fields", detected_fields},
      {"/loki/api/v1/detected_field/{name}/values", detected_field_values},
      {"/loki/api/v1/patterns", patterns},
      {"/loki/api/v1/format_query", format_query},
      {"/loki/api/v1/drilldown-limits", drilldown_limits},
  };

  Route route(const char* method, const char* path, const Endpoint& endpoint) {
    return {.method = method, .path = path, .most_body = kMostForm, .later = [this, endpoint](std::shared_ptr<Exchange> exchange) {
              Tenant tenant = tenant_of(exchange->request());
              if (tenant.refused) return exchange->answer(std::move(*tenant.refused));
              if (shared_.stop_at != base::kNever) {
                metrics_.refuse(QueryOutcome::stopped);
                return exchange->answer(stopping_answer());
              }
              const base::Monotonic come = shared_.clock.monotonic();
              const bool taken = workers_->add([this, exchange, endpoint, name = std::move(tenant.name), come] {
                metrics_.begin();
                const QueryOutcome outcome = survive(*exchange, endpoint, name, base::after(come, shared_.limits.time));
                metrics_.end(outcome, shared_.clock.monotonic() - come);
              });
              if (taken) return;
              metrics_.refuse(QueryOutcome::overloaded);
              exchange->answer({.status = 429, .body = "too many outstanding requests"});
            }};
  }

  void end_by(base::Monotonic deadline) { shared_.stop_at = deadline; }

  static QueryOutcome give(Exchange& exchange, Response response) {
    const QueryOutcome outcome = outcome_of(response.status);
    exchange.answer(std::move(response));
    return outcome;
  }

  // What a query makes a library throw ends the query, and not the program, which may collect logs too.
  QueryOutcome survive(Exchange& exchange, const Endpoint& endpoint, const std::string& tenant, base::Monotonic deadline) {
    try {
      return work(exchange, endpoint, tenant, deadline);
    } catch (const std::exception& thrown) {
      const std::string text = fmt::format("gives a query up at an unexpected error, which is a bug of weir: {}", thrown.what());
      shared_.diagnostics.warn("query", text);
      return give(exchange, {.status = 500, .body = text + "\n"});
    }
  }

  QueryOutcome work(Exchange& exchange, const Endpoint& endpoint, const std::string& tenant, base::Monotonic deadline) {
    Call call(shared_, exchange, tenant, deadline);
    if (call.over()) return give(exchange, *call.when_over());
    if (auto ok = call.read_form(); !ok) return give(exchange, refusal(ok.error()));
    auto answer = endpoint(call);
    // A scan that was cut short has an answer, too, but not the whole one.
    auto instead = call.when_over();
    if (!answer) return instead ? outcome_of(instead->status) : call.failed() ? QueryOutcome::failed : QueryOutcome::ok;
    if (instead) return give(exchange, std::move(*instead));
    if (!*answer) {
      const base::Error& error = answer->error();
      // What the records themselves make impossible is no trouble of the server.
      if (status_of(error) >= 500 && error.code != base::Code::parse) shared_.diagnostics.warn("query", error.message);
      return give(exchange, refusal(error));
    }
    return give(exchange, std::move(**answer));
  }

  [[nodiscard]] Response build_info() const {
    // The version is that of the Loki whose API this is: clients look for what it can do.
    return {.body = fmt::format("{{\"version\":\"3.7.6\",\"revision\":{},\"branch\":\"weir\",\"buildUser\":\"\",\"buildDate\":\"\","
                                "\"goVersion\":\"\"}}",
                                record::json_string(shared_.store.version)),
            .content_type = "application/json"};
  }

  Shared shared_;
  QueryMetrics metrics_;
  std::unique_ptr<Workers> workers_;
};

}  // namespace

std::unique_ptr<QueryApi> QueryApi::create(Store store, const QueryLimits& limits, const base::Clock& clock,
                                           base::Diagnostics& diagnostics, metrics::Registry* registry) {
  // Otherwise malloc learns from the buffers of large queries to keep such ones, and a server at rest would keep tens of MB.
  constexpr int kApart = 128 << 10;
  ::mallopt(M_MMAP_THRESHOLD, kApart);
  return std::make_unique<Api>(std::move(store), limits, clock, diagnostics, registry);
}

}  // namespace weir::serve
