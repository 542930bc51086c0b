#include "httpd/websocket.h"

#include "httpd/server.h"
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

using test::RawHttp;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr auto kPatience = std::chrono::seconds(20);

// What a browser and Go's clients send; RFC 6455, 1.3, says what must be accepted for this key.
constexpr std::string_view kUpgrade =
    "GET /tail?query=x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

// A frame of a client, masked with zeros.
std::string frame(unsigned char opcode, std::string_view text) {
  std::string bytes = {static_cast<char>(0x80 | opcode), static_cast<char>(0x80 | text.size()), 0, 0, 0, 0};
  return bytes + std::string(text);
}
constexpr unsigned char kText = 1, kClose = 8, kPing = 9, kPong = 10;

class WebSocketTest : public testing::Test {
 protected:
  void start(const Limits& limits = {}) {
    std::vector<Route> routes;
    routes.push_back({.method = "GET",
                      .path = "/tail",
                      .socket =
                          [this](std::shared_ptr<WebSocket> socket) {
                            const std::lock_guard lock(mutex_);
                            taken_.push_back(std::move(socket));
                            moved_.notify_all();
                          },
                      .admit = [](const Request& request) -> std::optional<Response> {
                        if (request.query.empty()) return Response{.status = 400, .body = "no query\n"};
                        return std::nullopt;
                      }});
    routes.push_back({"GET", "/now", [](const Request&) { return Response{.body = "now"}; }});
    auto server = Server::start(*parse_address("127.0.0.1:0"), std::move(routes), clock_, {.limits = limits});
    if (!server) throw std::runtime_error(server.error().message);
    server_ = *std::move(server);
  }

  // A client behind the handshake.
  std::unique_ptr<RawHttp> open() {
    auto http = std::make_unique<RawHttp>(server_->address());
    http->send(kUpgrade);
    answer_ = http->answer(20'000, true);
    EXPECT_THAT(answer_, StartsWith("HTTP/1.1 101 "));
    return http;
  }
  std::shared_ptr<WebSocket> take() {
    std::unique_lock lock(mutex_);
    if (!moved_.wait_for(lock, kPatience, [&] { return !taken_.empty(); })) throw std::runtime_error("no WebSocket came");
    auto one = std::move(taken_.front());
    taken_.erase(taken_.begin());
    return one;
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
  std::vector<std::shared_ptr<WebSocket>> taken_;
  std::string answer_;
  std::unique_ptr<Server> server_;
};

TEST_F(WebSocketTest, ShakesHands) {
  start();
  const auto http = open();
  EXPECT_THAT(answer_, AllOf(HasSubstr("\r\nUpgrade: websocket\r\n"), HasSubstr("\r\nConnection: upgrade\r\n"),
                             HasSubstr("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
                             Not(HasSubstr("Sec-WebSocket-Extensions")), Not(HasSubstr("Beast"))));
  EXPECT_EQ(take()->request().query, "query=x");
}

TEST_F(WebSocketTest, SendsFramesFromAnyThread) {
  start();
  const auto http = open();
  const auto socket = take();
  std::thread([&] {
    EXPECT_TRUE(socket->send("one"));
    EXPECT_TRUE(socket->send(std::string(300, 'x')));
  }).join();
  EXPECT_EQ(http->bytes(5), "\x81\x03one");
  EXPECT_EQ(http->bytes(304), std::string("\x81\x7e\x01\x2c", 4) + std::string(300, 'x'));
  EXPECT_TRUE(becomes([&] { return socket->unsent() == 0; }));
  EXPECT_FALSE(socket->gone());
}

TEST_F(WebSocketTest, ClosesBehindWhatIsQueued) {
  start();
  const auto http = open();
  const auto socket = take();
  EXPECT_TRUE(socket->send("a"));
  socket->close(1011, "too many");
  EXPECT_FALSE(socket->send("b"));
  EXPECT_EQ(http->bytes(3),
            "\x81\x01"
            "a");
  EXPECT_EQ(http->bytes(12), "\x88\x0a\x03\xf3too many");
  http->send(frame(kClose, "\x03\xf3"));
  EXPECT_TRUE(http->is_closed());
  EXPECT_TRUE(becomes([&] { return socket->gone(); }));
}

TEST_F(WebSocketTest, AnswersPingAndCloseAndThrowsAwayTheRest) {
  start({.ping = base::kHour});
  const auto http = open();
  const auto socket = take();
  http->send(frame(kText, "nobody reads this"));
  http->send(frame(kPong, ""));
  http->send(frame(kPing, "abc"));
  EXPECT_EQ(http->bytes(5),
            "\x8a\x03"
            "abc");
  std::promise<void> gone;
  socket->when_gone([&] { gone.set_value(); });
  http->send(frame(kClose, std::string("\x03\xe8", 2)));
  EXPECT_EQ(http->bytes(4), std::string("\x88\x02\x03\xe8", 4));
  EXPECT_TRUE(http->is_closed());
  EXPECT_EQ(gone.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(socket->gone());
  EXPECT_FALSE(socket->send("x"));
  std::promise<void> again;
  socket->when_gone([&] { again.set_value(); });
  EXPECT_EQ(again.get_future().wait_for(kPatience), std::future_status::ready);
}

TEST_F(WebSocketTest, NoticesAClientThatLeavesWithoutAWord) {
  start();
  auto http = open();
  const auto socket = take();
  std::promise<void> gone;
  socket->when_gone([&] { gone.set_value(); });
  http.reset();
  EXPECT_EQ(gone.get_future().wait_for(kPatience), std::future_status::ready);
}

TEST_F(WebSocketTest, PingsAndClosesWhenNobodyAnswers) {
  start({.write = 100 * base::kMillisecond, .ping = 5 * base::kMillisecond});
  const auto http = open();
  const auto socket = take();
  EXPECT_EQ(http->bytes(4), std::string("\x89\x00\x89\x00", 4));
  EXPECT_TRUE(becomes([&] { return socket->gone(); }));
}

TEST_F(WebSocketTest, AnAnswerToAPingKeepsItOpen) {
  start({.write = base::kSecond, .ping = 5 * base::kMillisecond});
  const auto http = open();
  const auto socket = take();
  // Twice as long as a silent client may last.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (std::chrono::steady_clock::now() < end) {
    ASSERT_EQ(http->bytes(2), std::string("\x89\x00", 2));
    http->send(frame(kPong, ""));
  }
  EXPECT_FALSE(socket->gone());
}

TEST_F(WebSocketTest, BoundsWhatWaitsAndCutsAClientThatReadsNothing) {
  start({.write = 2 * base::kSecond, .unsent = 1 << 20, .ping = base::kHour});
  const auto http = open();
  const auto socket = take();
  std::size_t sent = 0;
  EXPECT_TRUE(becomes([&] { return !socket->send(std::string(100'000, 'x')) || (sent += 100'000, false); }));
  EXPECT_GT(sent, 1U << 20);
  EXPECT_LE(socket->unsent(), (1U << 20) + 100'000);
  EXPECT_TRUE(becomes([&] { return socket->gone(); }));
}

TEST_F(WebSocketTest, ASocketThatIsDroppedIsClosed) {
  start();
  const auto http = open();
  take().reset();
  EXPECT_THAT(http->bytes(4), std::string("\x88\x14\x03\xf3", 4));
}

TEST_F(WebSocketTest, TheEndOfTheServerIsTheEndOfTheSocket) {
  start();
  const auto http = open();
  const auto socket = take();
  std::promise<void> gone;
  socket->when_gone([&] { gone.set_value(); });
  server_.reset();
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_TRUE(socket->gone());
  EXPECT_FALSE(socket->send("x"));
  socket->close(1000, "");
  bool is_told = false;
  socket->when_gone([&] { is_told = true; });
  EXPECT_TRUE(is_told);
}

TEST_F(WebSocketTest, DrainSaysGoingAway) {
  start();
  const auto http = open();
  const auto socket = take();
  auto drained = std::async(std::launch::async, [&] { return server_->drain(clock_.monotonic() + 20 * base::kSecond); });
  EXPECT_THAT(http->bytes(4), std::string("\x88\x11\x03\xe9", 4));
  http->bytes(15);
  http->send(frame(kClose, std::string("\x03\xe9", 2)));
  EXPECT_TRUE(drained.get());
  EXPECT_TRUE(socket->gone());
}

TEST_F(WebSocketTest, DrainDoesNotWaitLongForTheCloseOfAClient) {
  start({.write = base::kHour, .ping = base::kHour});
  const auto http = open();
  const auto socket = take();
  const auto closed_before = open();
  take()->close(1000, "");
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(server_->drain(clock_.monotonic() + base::kHour));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::minutes(1));
  EXPECT_TRUE(socket->gone());
}

TEST_F(WebSocketTest, AClientThatDoesNotAnswerTheCloseKeepsNobodyOut) {
  start({.connections = 1, .write = base::kHour, .ping = base::kHour});
  const auto http = open();
  const auto socket = take();
  EXPECT_THAT(test::http_get(server_->address(), "/now"), StartsWith("HTTP/1.1 503 "));
  socket->close(1000, "");
  EXPECT_THAT(http->bytes(4), std::string("\x88\x02\x03\xe8", 4));
  EXPECT_THAT(test::http_get(server_->address(), "/now"), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(becomes([&] { return socket->gone(); }));
}

TEST_F(WebSocketTest, RefusesWhatIsNoUpgrade) {
  start();
  EXPECT_THAT(test::http_get(server_->address(), "/tail?query=x"), StartsWith("HTTP/1.1 400 "));
  const auto refused = [&](std::string text, std::string_view from, std::string_view to) {
    text.replace(text.find(from), from.size(), to);
    RawHttp http(server_->address());
    http.send(text);
    return http.answer(20'000, true);
  };
  const std::string good(kUpgrade);
  EXPECT_THAT(refused(good, "/tail?query=x", "/tail"), AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("Connection: keep-alive")));
  EXPECT_THAT(refused(good, "Version: 13", "Version: 12"), StartsWith("HTTP/1.1 4"));
  EXPECT_THAT(refused(good, "Sec-WebSocket-Key: ", "Sec-WebSocket-None: "), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(refused(good, "GET", "POST"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(refused(good + "x", "GET", "GET"), StartsWith("HTTP/1.1 400 "));
  // A route that is none answers as ever.
  EXPECT_THAT(refused(good, "/tail", "/now"), StartsWith("HTTP/1.1 200 "));
  const std::lock_guard lock(mutex_);
  EXPECT_TRUE(taken_.empty());
}

TEST_F(WebSocketTest, AClientThatBreaksTheRulesIsClosed) {
  start();
  for (const std::string& bytes : {std::string("\x81\x01x", 3), frame(3, "x"), frame(kText, "\xff\xfe"),
                                   std::string("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14)}) {
    const auto http = open();
    const auto socket = take();
    http->send(bytes);
    EXPECT_TRUE(becomes([&] { return socket->gone(); }));
  }
}

}  // namespace
}  // namespace weir::httpd
