// A QueryApi over a spool, asked without a server, for tests.
#pragma once

#include "httpd/exchange.h"
#include "serve/query_api.h"
#include "support/collect.h"
#include "support/small_spool.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace weir::test {

class FakeExchange : public httpd::Exchange {
 public:
  explicit FakeExchange(httpd::Request request) : request_(std::move(request)) {}
  ~FakeExchange() override = default;

  [[nodiscard]] const httpd::Request& request() const override { return request_; }
  std::string take_body() override { return std::move(request_.body); }
  void answer(httpd::Response response) override {
    begin(std::move(response));
    end();
  }
  void begin(httpd::Response head) override {
    const std::lock_guard lock(mutex_);
    response_ = std::move(head);
  }
  bool write(std::string piece) override {
    const std::lock_guard lock(mutex_);
    response_.body += piece;
    pieces.push_back(std::move(piece));
    return !gone_;
  }
  void end() override {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool gone() const override {
    ++asked;
    return gone_;
  }

  void leave() { gone_ = true; }
  httpd::Response wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_; });
    return response_;
  }

  std::vector<std::string> pieces;
  mutable std::atomic<int> asked = 0;

 private:
  httpd::Request request_;
  std::atomic<bool> gone_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  httpd::Response response_;
  bool ended_ = false;
};

// The route of a path, with the segments of the request filled in; null without one.
inline const httpd::Route* route_of(const std::vector<httpd::Route>& routes, httpd::Request& request) {
  const auto parts = [](std::string_view path) {
    std::vector<std::string> all;
    for (std::size_t at = 0; at <= path.size();) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      all.emplace_back(path.substr(at, end - at));
      at = end + 1;
    }
    return all;
  };
  const auto asked = parts(request.path);
  for (const httpd::Route& route : routes) {
    const auto there = parts(route.path);
    if (route.method != request.method || there.size() != asked.size()) continue;
    std::vector<std::string> segments;
    bool same = true;
    for (std::size_t i = 0; i < there.size(); ++i) {
      if (there[i].starts_with('{')) {
        segments.push_back(asked[i]);
      } else {
        same = same && there[i] == asked[i];
      }
    }
    if (!same) continue;
    request.segments = std::move(segments);
    return &route;
  }
  return nullptr;
}

class ApiTest : public ::testing::Test {
 protected:
  static constexpr base::Timestamp kStart = 1'760'000'000 * base::kSecond;  // the clock of the tests
  static base::Timestamp at(double seconds) { return kStart + static_cast<base::Timestamp>(seconds * 1e9); }

  void store(const std::vector<StoredRecord>& records) { make_spool(path, records, context); }

  serve::QueryApi& api() {
    if (!api_) {
      api_ = serve::QueryApi::create({.spool = path, .version = "9.9.9"}, limits, context.clock, context.diagnostics);
      routes_ = api_->routes();
    }
    return *api_;
  }

  // Begins a request; nullptr where no such route is.
  std::shared_ptr<FakeExchange> begin(httpd::Request request) {
    api();
    const httpd::Route* const route = route_of(routes_, request);
    if (route == nullptr) return nullptr;
    auto exchange = std::make_shared<FakeExchange>(std::move(request));
    if (route->handler) {
      exchange->answer(route->handler(exchange->request()));
    } else {
      route->later(exchange);
    }
    return exchange;
  }
  // GET "path?query".
  static httpd::Request get(std::string_view target, httpd::Fields headers = {}) {
    httpd::Request request;
    request.method = "GET";
    request.path = target.substr(0, target.find('?'));
    if (request.path.size() < target.size()) request.query = target.substr(request.path.size() + 1);
    request.headers = std::move(headers);
    return request;
  }
  httpd::Response ask(std::string_view target, httpd::Fields headers = {}) {
    const auto exchange = begin(get(target, std::move(headers)));
    if (!exchange) return {.status = 404};
    return exchange->wait();
  }
  // The body of a 200, up to the statistics, which differ; else "STATUS BODY".
  std::string body(std::string_view target, httpd::Fields headers = {}) {
    httpd::Response response = ask(target, std::move(headers));
    if (response.status != 200) return std::to_string(response.status) + " " + response.body;
    return response.body.substr(0, response.body.find(",\"stats\":"));
  }

  TempDir dir;
  std::string path = dir / "spool.db";
  TestContext context;
  serve::QueryLimits limits;

 private:
  std::unique_ptr<serve::QueryApi> api_;
  std::vector<httpd::Route> routes_;
};

}  // namespace weir::test
