// What a server does about clients that want too much of it.
#include "httpd/exchange.h"
#include "httpd/server.h"
#include "httpd/websocket.h"
#include "support/fake_clock.h"
#include "support/raw_http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

namespace weir::httpd {
namespace {

using test::http_get;
using test::RawHttp;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr auto kPatience = std::chrono::seconds(20);

class BoundsTest : public testing::Test {
 protected:
  void start(const Limits& limits = {}) {
    std::vector<Route> routes;
    routes.push_back({"GET", "/now", [](const Request&) { return Response{.body = "now"}; }});
    routes.push_back({"POST", "/now", [](const Request& request) { return Response{.body = "[" + request.body + "]"}; }});
    routes.push_back(
        {.method = "POST", .path = "/later", .most_body = 4 << 20, .later = [this](std::shared_ptr<Exchange> exchange) {
           const std::lock_guard lock(mutex_);
           taken_.push_back(std::move(exchange));
           moved_.notify_all();
         }});
    auto server = Server::start(*parse_address("127.0.0.1:0"), std::move(routes), clock_, {.limits = limits});
    if (!server) throw std::runtime_error(server.error().message);
    server_ = *std::move(server);
  }
  std::shared_ptr<Exchange> take() {
    std::unique_lock lock(mutex_);
    if (!moved_.wait_for(lock, kPatience, [&] { return !taken_.empty(); })) throw std::runtime_error("no request came");
    auto one = std::move(taken_.front());
    taken_.erase(taken_.begin());
    return one;
  }
  std::string ask(std::string_view bytes) {
    RawHttp http(server_->address());
    http.send(bytes);
    return http.answer();
  }
  static std::string post(std::string_view path, std::size_t size) {
    return fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", path, size) + std::string(size, 'x');
  }
  template <typename Condition>
  static bool becomes(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return condition();
  }

  test::FakeClock clock_{1'760'000'000 * base::kSecond};
  std::mutex mutex_;
  std::condition_variable moved_;
  std::vector<std::shared_ptr<Exchange>> taken_;
  std::unique_ptr<Server> server_;
};

// RFC 9112, 6.3 and 11.2: two readings of where a request ends let one be hidden in another.
TEST_F(BoundsTest, OneRequestHasOneEnd) {
  start();
  const std::string hidden = "GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const auto request = [&](const std::string& headers, const std::string& body) {
    return "POST /now HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body;
  };
  const std::string cases[] = {
      request("Content-Length: 0\r\nContent-Length: 37\r\n", hidden),
      request("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
      request("Content-Length: 3, 3\r\n", "abc"),
      request("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + hidden),
      request("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n" + hidden),
      request("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      request("Transfer-Encoding: identity\r\n", hidden),
      request("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
      request("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
      request("Transfer-Encoding: xchunked\r\n", hidden),
      request("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
      request("Content-Length : 3\r\n", "abc"),
      request("Content-Length: +3\r\n", "abc"),
      request("Content-Length: -1\r\n", "abc"),
      request("Content-Length: 0x3\r\n", "abc"),
      request("Content-Length: 99999999999999999999\r\n", "abc"),
      "POST /now HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      // Lines that end without a carriage return, or with nothing else.
      "POST /now HTTP/1.1\nHost: localhost\nContent-Length: 3\n\nabc\r\n\r\n",
      "POST /now HTTP/1.1\r\nHost: localhost\nContent-Length: 3\r\n\r\nabc",
      "POST /now HTTP/1.1\r\nHost: localhost\r\nX: a\nContent-Length: 3\r\n\r\nabc",
      "POST /now HTTP/1.1\r\nHost: localhost\r\nX: a\rContent-Length: 3\r\n\r\nabc",
      // Chunks.
      request("Transfer-Encoding: chunked\r\n", "x\r\nabc\r\n0\r\n\r\n"),
      request("Transfer-Encoding: chunked\r\n", "-3\r\nabc\r\n0\r\n\r\n"),
      request("Transfer-Encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n"),
      request("Transfer-Encoding: chunked\r\n", "\r\nabc\r\n0\r\n\r\n"),
      request("Transfer-Encoding: chunked\r\n", "3\r\nabcd\r\n0\r\n\r\n"),
      request("Transfer-Encoding: chunked\r\n", "3\nabc\n0\n\n\r\n\r\n"),
      request("Transfer-Encoding: chunked\r\n", "11111111111111113\r\nabc\r\n0\r\n\r\n"),
  };
  for (const std::string& text : cases) {
    RawHttp http(server_->address());
    http.send(text);
    http.end();
    std::string all;
    ASSERT_NE(http.rest(20'000, &all), std::string::npos) << text;
    EXPECT_THAT(all, AllOf(StartsWith("HTTP/1.1 4"), HasSubstr("Connection: close\r\n"))) << text;
    EXPECT_EQ(all.find("HTTP/1.1", 8), std::string::npos) << text;  // what is hidden is not answered
  }
  // An answer of a size that the body limit refuses is one, too.
  EXPECT_THAT(ask(request("Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFF\r\nabc")), StartsWith("HTTP/1.1 4"));
  // And what is right passes.
  EXPECT_THAT(ask(request("Transfer-Encoding: Chunked\r\n", "3;a=b\r\nabc\r\n02\r\nde\r\n0\r\nX: y\r\n\r\n")), EndsWith("[abcde]"));
}

TEST_F(BoundsTest, BoundsTheLinesOfChunks) {
  start();
  const std::string head = "POST /now HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_THAT(ask(head + "3;" + std::string(100'000, 'x')), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask(head + "0\r\nX: " + std::string(100'000, 'x')), StartsWith("HTTP/1.1 4"));
}

TEST_F(BoundsTest, BoundsTheLinesOfAHeader) {
  start({.header = 64 << 10});
  const auto with_lines = [&](int count) {
    std::string text = "GET /now HTTP/1.1\r\nHost: localhost\r\n";
    for (int i = 0; i < count; ++i) text += "x:\r\n";
    return text + "\r\n";
  };
  EXPECT_THAT(ask(with_lines(253)), StartsWith("HTTP/1.1 200 "));  // with the first two and the empty one
  EXPECT_THAT(ask(with_lines(254)), StartsWith("HTTP/1.1 431 "));
  // Of each request alone, also where two come at once, and where lines come in pieces.
  RawHttp http(server_->address());
  http.send(with_lines(200) + with_lines(200));
  EXPECT_THAT(http.answer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(http.answer(), StartsWith("HTTP/1.1 200 "));
  for (int i = 0; i < 300; ++i) http.send(i == 0 ? "GET /now HTTP/1.1\r\n" : "x:\r\n");
  EXPECT_THAT(http.answer(), StartsWith("HTTP/1.1 431 "));
}

// Beast's fields have at most 64 KiB each, whatever the header may have.
TEST_F(BoundsTest, BoundsTheFieldsOfAHeader) {
  start({.header = 256 << 10});
  const std::string head = "GET /now HTTP/1.1\r\nHost: localhost\r\n";
  EXPECT_THAT(ask(head + "x: " + std::string(65'000, 'v') + "\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  for (const std::size_t size : {65'534, 66'000, 200'000}) {
    EXPECT_THAT(ask(head + "x: " + std::string(size, 'v') + "\r\n\r\n"), StartsWith("HTTP/1.1 431 ")) << size;
    EXPECT_THAT(ask(head + std::string(size, 'n') + ": v\r\n\r\n"), StartsWith("HTTP/1.1 431 ")) << size;
    EXPECT_THAT(ask(head + "x: a\r\n " + std::string(size, 'v') + "\r\n\r\n"), StartsWith("HTTP/1.1 431 ")) << size;
  }
  EXPECT_THAT(ask("GET /now?" + std::string(200'000, 'q') + " HTTP/1.1\r\nHost: localhost\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(head + "\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(BoundsTest, BoundsTheLongHeadersOfAllConnections) {
  start({.header = 64 << 10, .long_headers = 256 << 10});
  const auto long_get = [](std::size_t size) {
    return "GET /now?" + std::string(size, 'q') + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  };
  EXPECT_THAT(ask(long_get(60'000)), StartsWith("HTTP/1.1 200 "));
  auto first = std::make_unique<RawHttp>(server_->address());
  first->send(long_get(40'000).substr(0, 40'000));  // its end does not come
  // Until the server has read it, there is room.
  EXPECT_TRUE(becomes([&] { return ask(long_get(40'000)).starts_with("HTTP/1.1 503 "); }));
  EXPECT_THAT(ask(long_get(40'000)), HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_THAT(ask(long_get(5'000)), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(post("/now", 60'000)), StartsWith("HTTP/1.1 200 "));
  first.reset();
  EXPECT_TRUE(becomes([&] { return ask(long_get(40'000)).starts_with("HTTP/1.1 200 "); }));
  // A long header is given back with its answer, also on a connection that stays.
  RawHttp http(server_->address());
  for (int i = 0; i < 5; ++i) {
    http.send(long_get(60'000));
    EXPECT_THAT(http.answer(), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_THAT(ask(long_get(60'000)), StartsWith("HTTP/1.1 200 "));
}

TEST_F(BoundsTest, BoundsTheAnswersThatNobodyReads) {
  start({.answers = 24 << 20});
  const auto asked = [&](RawHttp& client) {
    client.send(post("/later", 0));
    take()->answer({.body = std::string(16 << 20, 'x')});
  };
  RawHttp first(server_->address()), second(server_->address());
  asked(first);
  EXPECT_THAT(first.answer(20'000, true), StartsWith("HTTP/1.1 200 "));
  asked(second);
  EXPECT_THAT(second.answer(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("\r\nRetry-After: 1\r\n")));
  EXPECT_THAT(ask("GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n"), EndsWith("now"));
  EXPECT_EQ(first.bytes(16 << 20).size(), 16U << 20);
  // It is given back once it is sent, on connections that stay.
  for (RawHttp* const client : {&second, &first}) {
    asked(*client);
    EXPECT_THAT(client->answer(), StartsWith("HTTP/1.1 200 "));
  }
}

TEST_F(BoundsTest, BoundsTheBodiesOfAllConnections) {
  start({.body = 3 << 20, .bodies = 4 << 20});
  RawHttp first(server_->address()), second(server_->address());
  first.send(post("/later", 3 << 20));
  auto held = take();
  second.send(post("/now", 2 << 20));
  EXPECT_THAT(second.answer(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("\r\nRetry-After: 1\r\n")));
  EXPECT_THAT(ask(post("/now", 1000)), StartsWith("HTTP/1.1 200 "));
  // An answer alone does not free it: whoever has the Exchange has the body.
  held->answer({});
  EXPECT_THAT(first.answer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(post("/now", 2 << 20)), StartsWith("HTTP/1.1 503 "));
  held.reset();
  EXPECT_THAT(ask(post("/now", 2 << 20)), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(post("/now", 3 << 20)), StartsWith("HTTP/1.1 200 "));
}

// A body that is announced and does not come takes nothing.
TEST_F(BoundsTest, AnnouncedBodiesTakeNoBudget) {
  start({.bodies = 4 << 20, .connections = 64});
  std::vector<std::unique_ptr<RawHttp>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<RawHttp>(server_->address()));
    clients.back()->send("POST /later HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\nx");
  }
  EXPECT_THAT(ask(post("/now", 60'000)), StartsWith("HTTP/1.1 200 "));
}

TEST_F(BoundsTest, ABodyThatComesTooSlowlyIsGivenUp) {
  start({.read = 100 * base::kMillisecond});
  RawHttp http(server_->address());
  http.send("POST /later HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n");
  std::atomic<bool> ends = false;
  std::thread drip([&] {
    while (!ends) {
      http.send("x");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  EXPECT_TRUE(http.is_closed());
  ends = true;
  drip.join();
}

TEST_F(BoundsTest, WhereAllWorkANewConnectionGets503) {
  start({.connections = 2});
  RawHttp first(server_->address()), second(server_->address());
  first.send(post("/later", 0));
  const auto one = take();
  second.send(post("/later", 0));
  const auto two = take();
  RawHttp third(server_->address());
  third.send("GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(third.answer(),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: 1\r\n"), HasSubstr("Connection: close\r\n")));
  // Many more of them are not even told.
  std::vector<std::unique_ptr<RawHttp>> more;
  for (int i = 0; i < 100; ++i) more.push_back(std::make_unique<RawHttp>(server_->address()));
  one->answer({.body = "done"});
  EXPECT_THAT(first.answer(), EndsWith("done"));
  EXPECT_THAT(ask("GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n"),
              EndsWith("now"));  // in the place of the first one, which is idle
}

TEST_F(BoundsTest, AClientThatClosedItsSideGetsItsAnswer) {
  start();
  RawHttp http(server_->address());
  http.send(post("/later", 3));
  http.end();
  const auto exchange = take();
  EXPECT_TRUE(becomes([&] { return exchange->gone(); }));
  exchange->answer({.body = "done"});
  std::string all;
  EXPECT_NE(http.rest(20'000, &all), std::string::npos);
  EXPECT_THAT(all, EndsWith("done"));
}

TEST_F(BoundsTest, NoticesTheEndOfAClientWhileItWorks) {
  start();
  auto http = std::make_unique<RawHttp>(server_->address());
  http->send(post("/later", 3));
  const auto exchange = take();
  EXPECT_FALSE(exchange->gone());
  http.reset();
  EXPECT_TRUE(becomes([&] { return exchange->gone(); }));
}

TEST_F(BoundsTest, WhatAHandlerPutsIntoAHeaderEndsNoLine) {
  std::vector<Route> routes;
  routes.push_back({"GET", "/", [](const Request&) {
                      return Response{.body = "x", .headers = {{"X-Name", "a\r\nSet-Cookie: b"}}};
                    }});
  const auto server = Server::start(*parse_address("127.0.0.1:0"), std::move(routes), clock_);
  EXPECT_THAT(http_get((*server)->address(), "/"), HasSubstr("\r\nX-Name: a  Set-Cookie: b\r\n"));
}

TEST_F(BoundsTest, DrainWaitsForThoseThatWork) {
  start();
  RawHttp idle(server_->address()), working(server_->address()), reading(server_->address());
  idle.send("GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(idle.answer(), EndsWith("now"));
  working.send(post("/later", 0));
  const auto exchange = take();
  reading.send("GET /now HTT");
  EXPECT_THAT(http_get(server_->address(), "/now"), EndsWith("now"));  // by now it is read
  auto drained = std::async(std::launch::async, [&] { return server_->drain(clock_.monotonic() + 20 * base::kSecond); });
  EXPECT_TRUE(idle.is_closed());
  EXPECT_FALSE(exchange->gone());
  reading.send("P/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(reading.answer(), AllOf(EndsWith("now"), HasSubstr("Connection: close\r\n")));
  EXPECT_TRUE(reading.is_closed());
  EXPECT_THROW(RawHttp(server_->address()), std::runtime_error);
  exchange->answer({.body = "done"});
  EXPECT_THAT(working.answer(), AllOf(EndsWith("done"), HasSubstr("Connection: close\r\n")));
  reading.rest();
  working.rest();
  EXPECT_TRUE(drained.get());
}

TEST_F(BoundsTest, DrainDoesNotWaitLongForTheRestOfARequest) {
  start({.read = base::kHour});
  RawHttp reading(server_->address()), body(server_->address());
  reading.send("GET /now HTT");
  body.send("POST /later HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx");
  EXPECT_THAT(http_get(server_->address(), "/now"), EndsWith("now"));  // by now both are read
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(server_->drain(clock_.monotonic() + base::kHour));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::minutes(1));
  EXPECT_TRUE(reading.is_closed());
  EXPECT_TRUE(body.is_closed());
}

TEST_F(BoundsTest, DrainEndsWhenItHasToHurry) {
  start();
  RawHttp http(server_->address());
  http.send(post("/later", 0));
  const auto held = take();
  std::atomic<int> asked = 0;
  EXPECT_FALSE(server_->drain(clock_.monotonic() + base::kHour, [&] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE(held->gone());
}

TEST_F(BoundsTest, DrainEndsAtItsDeadline) {
  start();
  RawHttp working(server_->address());
  working.send(post("/later", 0));
  const auto exchange = take();
  EXPECT_FALSE(server_->drain(clock_.monotonic() + 20 * base::kMillisecond));
  EXPECT_TRUE(exchange->gone());
  EXPECT_TRUE(working.is_closed());
}

TEST_F(BoundsTest, ServesHundredsOfConnectionsAtOnce) {
  start({.connections = 500});
  std::vector<std::unique_ptr<RawHttp>> clients;
  for (int i = 0; i < 500; ++i) {
    clients.push_back(std::make_unique<RawHttp>(server_->address()));
    clients.back()->send("GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  for (const auto& client : clients) ASSERT_THAT(client->answer(), EndsWith("now"));
}

}  // namespace
}  // namespace weir::httpd
