// What a scrape shows of queries.
#include "serve/query_metrics.h"

#include "serve/api_kit.h"
#include "support/metric_values.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::serve {
namespace {

using test::metric_values;

TEST(QueryMetrics, OutcomesOfStatuses) {
  using enum QueryOutcome;
  const auto f = [](int status, QueryOutcome outcome) { EXPECT_EQ(outcome_of(status), outcome) << status; };
  f(200, ok);
  f(204, ok);
  f(400, refused);
  f(404, refused);
  f(429, overloaded);
  f(499, gone);
  f(500, failed);
  f(503, stopped);
  f(504, timeout);
}

TEST(QueryMetrics, AreThereFromTheStartAndCount) {
  metrics::Registry registry;
  QueryMetrics metrics(&registry);
  EXPECT_EQ(metric_values(registry).at("weir_serve_queries_total ok"), 0U);
  EXPECT_EQ(metric_values(registry).at("weir_serve_queries_total failed"), 0U);
  metrics.begin();
  metrics.begin();
  EXPECT_EQ(metric_values(registry).at("weir_serve_running_queries"), 2U);
  metrics.end(QueryOutcome::ok, 7 * base::kMillisecond);
  metrics.refuse(QueryOutcome::overloaded);
  const auto now = metric_values(registry);
  EXPECT_EQ(now.at("weir_serve_running_queries"), 1U);
  EXPECT_EQ(now.at("weir_serve_queries_total ok"), 1U);
  EXPECT_EQ(now.at("weir_serve_queries_total overloaded"), 1U);
  EXPECT_EQ(now.at("weir_serve_query_duration_seconds sum"), 7'000'000U);
  metrics.end(QueryOutcome::gone, 0);
}

class QueryMetricsTest : public test::ApiTest {};

TEST_F(QueryMetricsTest, OfRequests) {
  metrics::Registry registry;
  {
    const auto api = QueryApi::create({.spool = path}, limits, context.clock, context.diagnostics, &registry);
    const auto routes = api->routes();
    const auto ask = [&](const char* target) {
      auto request = get(target);
      auto exchange = std::make_shared<test::FakeExchange>(request);
      test::route_of(routes, request)->later(exchange);
      exchange->wait();
    };
    ask("/loki/api/v1/labels");
    ask("/loki/api/v1/query_range?query=%7B");
    ask("/weir/api/v1/view?query=%7B");
    ask("/weir/api/v1/view?query=%7Ba%3D%22b%22%7D");
  }
  const auto now = metric_values(registry);
  EXPECT_EQ(now.at("weir_serve_queries_total ok"), 2U);
  EXPECT_EQ(now.at("weir_serve_queries_total refused"), 2U);
  EXPECT_EQ(now.count("weir_serve_running_queries"), 0U);
}

}  // namespace
}  // namespace weir::serve
