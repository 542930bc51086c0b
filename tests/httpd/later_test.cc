#include "httpd/exchange.h"

#include "httpd/later.h"
#include "httpd/server.h"
#include "support/fake_clock.h"
#include "support/raw_http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace weir::httpd {
namespace {

using test::RawHttp;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr auto kPatience = std::chrono::seconds(20);

// A server whose exchanges the test answers itself.
class LaterTest : public testing::Test {
 protected:
  void start(const Limits& limits = {}) {
    std::vector<Route> routes;
    for (const char* method : {"GET", "POST"})
      routes.push_back({.method = method, .path = "/later", .later = [this](std::shared_ptr<Exchange> exchange) {
                          std::lock_guard lock(mutex_);
                          taken_.push_back(std::move(exchange));
                          moved_.notify_all();
                        }});
    routes.push_back({"GET", "/now", [](const Request&) { return Response{.body = "now"}; }});
    auto server = Server::start(*parse_address("127.0.0.1:0"), std::move(routes), clock_, {.limits = limits});
    if (!server) throw std::runtime_error(server.error().message);
    server_ = *std::move(server);
  }

  // The next exchange.
  std::shared_ptr<Exchange> take() {
    std::unique_lock lock(mutex_);
    if (!moved_.wait_for(lock, kPatience, [&] { return !taken_.empty(); })) throw std::runtime_error("no request came");
    auto one = std::move(taken_.front());
    taken_.erase(taken_.begin());
    return one;
  }

  static bool waits_until_gone(const Exchange& exchange) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!exchange.gone() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return exchange.gone();
  }

  static std::string get(std::string_view path, std::string_view rest = {}) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(rest) + "\r\n";
  }

  test::FakeClock clock_{1'760'000'000 * base::kSecond};
  std::mutex mutex_;
  std::condition_variable moved_;
  std::vector<std::shared_ptr<Exchange>> taken_;
  std::unique_ptr<Server> server_;
};

TEST_F(LaterTest, AnswersFromAnotherThreadWhileOthersAreServed) {
  start();
  RawHttp http(server_->address());
  http.send("POST /later?a=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody");
  const auto exchange = take();
  EXPECT_EQ(exchange->request().query, "a=1");
  EXPECT_EQ(exchange->take_body(), "body");
  EXPECT_EQ(exchange->take_body(), "");
  EXPECT_FALSE(exchange->gone());
  EXPECT_THAT(test::http_get(server_->address(), "/now"), EndsWith("now"));
  std::thread([&] { exchange->answer({.status = 202, .body = "done"}); }).join();
  EXPECT_THAT(http.answer(), AllOf(StartsWith("HTTP/1.1 202 "), EndsWith("\r\n\r\ndone")));
  http.send(get("/now"));
  EXPECT_THAT(http.answer(), EndsWith("now"));
}

TEST_F(LaterTest, RequestsSentAtOnceAreAnsweredInTheirOrder) {
  start();
  RawHttp http(server_->address());
  http.send(get("/later?1") + get("/now") + get("/later?2"));
  take()->answer({.body = "first"});
  EXPECT_THAT(http.answer(), EndsWith("first"));
  EXPECT_THAT(http.answer(), EndsWith("now"));
  const auto second = take();
  EXPECT_EQ(second->request().query, "2");
  second->answer({.body = "second"});
  EXPECT_THAT(http.answer(), EndsWith("second"));
}

TEST_F(LaterTest, AnswersInPieces) {
  start();
  RawHttp http(server_->address());
  http.send(get("/later"));
  const auto exchange = take();
  exchange->begin({.body = "first,", .content_type = "text/x"});
  EXPECT_TRUE(exchange->write(""));
  EXPECT_TRUE(exchange->write(std::string(20, 'x')));
  exchange->end();
  EXPECT_FALSE(exchange->write("more"));
  const std::string head = http.answer(20'000, true);
  EXPECT_THAT(head, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: text/x\r\n"),
                          HasSubstr("Transfer-Encoding: chunked\r\n"), Not(HasSubstr("Content-Length"))));
  http.send(get("/now", "Connection: close\r\n"));
  std::string rest;
  http.rest(20'000, &rest);
  EXPECT_THAT(rest, AllOf(StartsWith("6\r\nfirst,\r\n14\r\nxxxxxxxxxxxxxxxxxxxx\r\n0\r\n\r\nHTTP/1.1 200 "), EndsWith("now")));
}

TEST_F(LaterTest, TheOldVersionGetsPiecesUpToTheEndOfTheConnection) {
  start();
  RawHttp http(server_->address());
  http.send("GET /later HTTP/1.0\r\n\r\n");
  const auto exchange = take();
  exchange->begin({.body = "a"});
  EXPECT_TRUE(exchange->write("b"));
  exchange->end();
  std::string all;
  http.rest(20'000, &all);
  EXPECT_THAT(all, AllOf(EndsWith("\r\n\r\nab"), Not(HasSubstr("Transfer-Encoding")), HasSubstr("Connection: close\r\n")));
}

TEST_F(LaterTest, HeadHasNoPieces) {
  start();
  RawHttp http(server_->address());
  http.send("HEAD /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto exchange = take();
  exchange->begin({});
  EXPECT_TRUE(exchange->write("body"));
  exchange->end();
  EXPECT_THAT(http.answer(20'000, true), EndsWith("\r\n\r\n"));
  http.send(get("/now"));
  EXPECT_THAT(http.answer(), AllOf(StartsWith("HTTP/1.1 200 OK"), EndsWith("now")));
}

TEST_F(LaterTest, AnExchangeThatIsDroppedIs500) {
  start();
  RawHttp http(server_->address());
  http.send(get("/later"));
  take().reset();
  EXPECT_THAT(http.answer(), StartsWith("HTTP/1.1 500 "));
}

TEST_F(LaterTest, AnAnswerThatBreaksOffIsNotTakenForWhole) {
  start();
  RawHttp http(server_->address());
  http.send(get("/later"));
  auto exchange = take();
  exchange->begin({.body = "half"});
  exchange.reset();
  std::string all;
  EXPECT_NE(http.rest(20'000, &all), std::string::npos);
  EXPECT_THAT(all, Not(EndsWith("0\r\n\r\n")));
}

TEST_F(LaterTest, OutlivesItsServer) {
  start();
  RawHttp http(server_->address());
  http.send(get("/later") + get("/later"));
  const auto exchange = take();
  server_.reset();
  EXPECT_TRUE(http.is_closed());
  EXPECT_TRUE(exchange->gone());
  exchange->begin({.body = "x"});
  EXPECT_FALSE(exchange->write("y"));
  exchange->end();
}

TEST_F(LaterTest, WaitsForAClientThatReadsSlowly) {
  start({.unsent = 1000});
  RawHttp http(server_->address());
  http.send(get("/later"));
  const auto exchange = take();
  constexpr std::size_t kPieces = 64;
  auto writing = std::async(std::launch::async, [&] {
    exchange->begin({});
    for (std::size_t i = 0; i < kPieces; ++i)
      if (!exchange->write(std::string(1 << 20, 'x'))) return false;
    exchange->end();
    return true;
  });
  EXPECT_THAT(http.answer(20'000, true), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(writing.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  http.send(get("/now", "Connection: close\r\n"));
  EXPECT_GT(http.rest(), kPieces << 20);
  EXPECT_TRUE(writing.get());
}

TEST_F(LaterTest, GivesUpOnAClientThatReadsNothing) {
  start({.write = 50 * base::kMillisecond, .unsent = 1000});
  RawHttp http(server_->address());
  http.send(get("/later"));
  const auto exchange = take();
  exchange->begin({});
  std::size_t pieces = 0;
  while (exchange->write(std::string(1 << 20, 'x'))) ++pieces;
  EXPECT_GT(pieces, 0U);
  EXPECT_TRUE(exchange->gone());
  exchange->end();
}

TEST(Flow, AddsUpToItsBound) {
  Flow flow(10);
  EXPECT_TRUE(flow.add(11));  // one more than the bound may come
  auto next = std::async(std::launch::async, [&] { return flow.add(1); });
  flow.sent(11);
  EXPECT_TRUE(next.get());
  flow.leave();
  EXPECT_TRUE(flow.gone());
  EXPECT_FALSE(flow.add(1));
}

}  // namespace
}  // namespace weir::httpd
