#include "http/client.h"

#include "base/secrets.h"
#include "support/fake_kube.h"
#include "support/fake_loki.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <thread>

namespace weir::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A snappy block with nothing in it, which the fake server accepts.
const std::string kEmptyBody("\0", 1);

ClientConfig config_for(const std::string& url) {
  ClientConfig config;
  config.base = *parse_url(url);
  config.timeout = 10 * base::kSecond;
  return config;
}

Request post(std::string path = "/push") {
  Request request;
  request.method = "POST";
  request.path = std::move(path);
  request.body = kEmptyBody;
  return request;
}

base::Result<Response> perform(ClientConfig config, const Request& request) {
  auto client = Client::create(std::move(config));
  if (!client) return std::move(client).error();
  return (*client)->perform(request);
}

// A port on which nobody listens.
int closed_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

TEST(Client, SendsWhatItIsTold) {
  test::FakeLoki server;
  ClientConfig config = config_for(server.url() + "/base?extra=1");
  config.user_agent = "weir/test";
  config.headers = {{"X-One", "1"}, {"X-Two", "2"}};
  Request request = post();
  request.query = "q=%20";
  request.headers = {{"x-two", "mine"}, {"Content-Type", "application/x-protobuf"}};
  auto response = perform(config, request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 204);
  const auto got = server.requests();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].path, "/base/push?extra=1&q=%20");
  EXPECT_EQ(got[0].header("user-agent"), "weir/test");
  EXPECT_EQ(got[0].header("x-one"), "1");
  EXPECT_EQ(got[0].header("x-two"), "mine");
  EXPECT_EQ(got[0].header("content-type"), "application/x-protobuf");
  EXPECT_EQ(got[0].headers.count("expect"), 0U);
  EXPECT_EQ(got[0].headers.count("authorization"), 0U);
  EXPECT_EQ(got[0].body, kEmptyBody);
}

TEST(Client, Authenticates) {
  test::FakeLoki server;
  test::TempDir dir;
  dir.write("password", "s3cret\n");
  dir.write("token", "tok\n");
  const auto f = [&](const std::function<void(ClientConfig&)>& set, const std::string& want) {
    ClientConfig config = config_for(server.url());
    set(config);
    auto response = perform(config, post());
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(server.requests().back().header("authorization"), want);
  };
  f([](ClientConfig& c) { c.username = "me", c.password = "s3cret"; }, "Basic bWU6czNjcmV0");
  f([&](ClientConfig& c) { c.username = "me", c.password_file = dir / "password"; }, "Basic bWU6czNjcmV0");
  f([](ClientConfig& c) { c.base.user = "me", c.base.password = "s3cret"; }, "Basic bWU6czNjcmV0");
  f([](ClientConfig& c) { c.bearer_token = "abc"; }, "Bearer abc");
  f([&](ClientConfig& c) { c.bearer_token_file = dir / "token"; }, "Bearer tok");
  f([](ClientConfig& c) { c.headers = {{"Authorization", "Own 1"}}, c.bearer_token = "abc"; }, "Own 1");
}

TEST(Client, ReadsATokenAgainWhenItsFileChanged) {
  test::FakeLoki server;
  test::TempDir dir;
  dir.write("token", "one");
  ClientConfig config = config_for(server.url());
  config.bearer_token_file = dir / "token";
  auto client = Client::create(config);
  ASSERT_TRUE(client);
  ASSERT_TRUE((*client)->perform(post()));
  dir.write("next", "another");
  ASSERT_EQ(::rename((dir / "next").c_str(), (dir / "token").c_str()), 0);
  ASSERT_TRUE((*client)->perform(post()));
  EXPECT_EQ(server.requests()[0].header("authorization"), "Bearer one");
  EXPECT_EQ(server.requests()[1].header("authorization"), "Bearer another");
}

TEST(Client, GivesBackWhatTheServerSaid) {
  test::FakeLoki server;
  server.script(
      {{429, std::string(100, 'x'), {{"Retry-After", "7"}}}, {503, "", {{"Retry-After", "Wed, 01 May 2024 10:00:30 GMT"}}}});
  auto client = Client::create(config_for(server.url()));
  ASSERT_TRUE(client);
  Request request = post();
  request.max_response = 10;
  auto first = (*client)->perform(request);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 429);
  EXPECT_EQ(first->body, "xxxxxxxxxx");
  EXPECT_TRUE(first->body_cut);
  EXPECT_FALSE(first->ok());
  EXPECT_EQ(first->retry_after(0), 7 * base::kSecond);
  auto second = (*client)->perform(request);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->retry_after(1'714'557'600 * base::kSecond), 30 * base::kSecond);
  EXPECT_EQ(second->retry_after(1'800'000'000 * base::kSecond), 0);
  EXPECT_EQ(second->body, "");
}

TEST(Client, StreamsTheBody) {
  test::FakeLoki server;
  const std::string text(300'000, 'y');
  server.script({{200, text}, {200, text}});
  auto client = Client::create(config_for(server.url()));
  ASSERT_TRUE(client);
  std::string got;
  auto response = (*client)->perform(post(), [&](int status, std::string_view piece) {
    EXPECT_EQ(status, 200);
    got += piece;
    return true;
  });
  ASSERT_TRUE(response);
  EXPECT_EQ(got, text);
  EXPECT_EQ(response->body, "");
  auto stopped = (*client)->perform(post(), [](int, std::string_view) { return false; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, base::Code::interrupted);
}

TEST(Client, SaysWhyNoAnswerCame) {
  const auto f = [](ClientConfig config, base::Code code, std::string_view part) {
    auto response = perform(std::move(config), post());
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, code);
    EXPECT_THAT(response.error().message, HasSubstr(std::string(part)));
    EXPECT_THAT(response.error().message, Not(HasSubstr("s3cret")));
  };
  ClientConfig refused = config_for(fmt::format("http://me:s3cret@127.0.0.1:{}/p?key=s3cret", closed_port()));
  f(refused, base::Code::unreachable, "Connection refused");

  ClientConfig no_file = refused;
  no_file.bearer_token_file = "/nonexistent/token";
  f(no_file, base::Code::io, "cannot read the secret in /nonexistent/token");

  test::TempDir dir;
  dir.write("two", "a\nb\n");
  ClientConfig two_lines = refused;
  two_lines.bearer_token_file = dir / "two";
  f(two_lines, base::Code::config, "more than one line");

  test::FakeLoki server;
  server.script({{0}, {204, "", {}, std::chrono::milliseconds(2000)}});
  f(config_for(server.url()), base::Code::network, "cannot reach http://127.0.0.1");
  ClientConfig hasty = config_for(server.url());
  hasty.timeout = 100 * base::kMillisecond;
  f(hasty, base::Code::network, "no answer in time");
  server.script({{204, "", {}, std::chrono::milliseconds(2000)}});
  const auto late = perform(hasty, post());
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().system, ETIMEDOUT) << "a caller tells it from other trouble by that";
}

// A server that takes connections and does with each what it is told; with no `what`, connections beyond the first few get no
// answer at all.
class RawServer {
 public:
  explicit RawServer(std::function<void(int fd)> what) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    ::listen(listener_, 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    if (what) {
      thread_ = std::thread([this, what = std::move(what)] {
        for (int fd = ::accept(listener_, nullptr, nullptr); fd >= 0; fd = ::accept(listener_, nullptr, nullptr)) {
          what(fd);
          ::close(fd);
        }
      });
      return;
    }
    for (int& fd : fillers_) {
      fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    }
  }
  ~RawServer() {
    ::shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
    for (const int fd : fillers_)
      if (fd >= 0) ::close(fd);
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;
  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

 private:
  int listener_;
  int port_ = 0;
  std::array<int, 4> fillers_{-1, -1, -1, -1};
  std::thread thread_;
};

void read_some(int fd) {
  std::array<char, 4096> bytes{};
  static_cast<void>(::read(fd, bytes.data(), bytes.size()));
}

// Whether the server can have had work with a request decides how soon it is tried again.
TEST(Client, SaysWhetherTheServerWasReached) {
  const auto code_of = [](const std::string& url) {
    ClientConfig config = config_for(url);
    config.timeout = 1'500 * base::kMillisecond;
    auto response = perform(config, post());
    return response ? base::Code::bug : response.error().code;
  };
  EXPECT_EQ(code_of(fmt::format("http://127.0.0.1:{}", closed_port())), base::Code::unreachable);
  EXPECT_EQ(code_of("http://no-such-host.invalid"), base::Code::unreachable);
  EXPECT_EQ(code_of(RawServer(nullptr).url()), base::Code::unreachable);
  EXPECT_EQ(code_of(RawServer([](int) {}).url()), base::Code::unreachable);
  EXPECT_EQ(code_of(RawServer(read_some).url()), base::Code::unreachable);
  // It was busy with it, as far as one can tell.
  EXPECT_EQ(code_of(RawServer([](int fd) { read_some(fd), std::this_thread::sleep_for(std::chrono::milliseconds(1'100)); }).url()),
            base::Code::network);
  EXPECT_EQ(code_of(RawServer([](int fd) { read_some(fd), read_some(fd); }).url()), base::Code::network);
}

// The same on a connection that was there before.
TEST(Client, AServerThatFallsSilentWasReached) {
  test::FakeLoki server;
  server.script({{204}, {204, "", {}, std::chrono::milliseconds(2000)}});
  ClientConfig config = config_for(server.url());
  config.timeout = base::kSecond / 2;
  auto client = Client::create(config);
  ASSERT_TRUE(client);
  ASSERT_TRUE((*client)->perform(post()));
  auto second = (*client)->perform(post());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::Code::network);
}

base::Error error_of(ClientConfig config) {
  auto response = perform(std::move(config), post());
  return response ? base::fail(base::Code::bug, "it answered {}", response->status) : std::move(response).error();
}

TEST(Client, SaysInTheWordsOfAPerson) {
  const auto f = [](const std::string& url, std::string_view message, std::string_view hint) {
    ClientConfig config = config_for(url);
    config.timeout = 5 * base::kSecond;
    const base::Error error = error_of(std::move(config));
    EXPECT_EQ(error.message, fmt::format("cannot reach {}: {}", url, message));
    EXPECT_THAT(error.hint, HasSubstr(std::string(hint)));
  };
  f("http://no-such-host.invalid:3100", "the name no-such-host.invalid is not known", "DNS");
  // http and https taken for each other.
  test::FakeLoki server;
  f("https" + server.url().substr(4), "the server does not speak TLS", "http:// instead of https://?");
  const RawServer alert(
      [](int fd) { static_cast<void>(::send(fd, "\x15\x03\x01\x00\x02\x02\x46", 7, MSG_NOSIGNAL)), read_some(fd); });
  f(alert.url(), "the answer is not HTTP", "https:// instead of http://?");
  // A server of TLS that hangs up, or of nothing at all.
  f(RawServer(read_some).url(), "the connection was closed before an answer came", "https:// instead of http://?");
  const RawServer neither([](int fd) { read_some(fd), static_cast<void>(::send(fd, "hello\r\n", 7, MSG_NOSIGNAL)); });
  const base::Error error = error_of(config_for("https" + neither.url().substr(4)));
  EXPECT_THAT(error.message, HasSubstr("the server and weir have no TLS version or cipher in common: "));
}

TEST(Client, AHeaderWithoutEndIsNoLackOfMemory) {
  const auto f = [](const std::string& piece) {
    const RawServer server([&piece](int fd) {
      read_some(fd);
      const std::string begin = "HTTP/1.1 200 OK\r\nX: ";
      ssize_t sent = ::send(fd, begin.data(), begin.size(), MSG_NOSIGNAL);
      for (int i = 0; i < 2000 && sent > 0; ++i) sent = ::send(fd, piece.data(), piece.size(), MSG_NOSIGNAL);
    });
    const base::Error error = error_of(config_for(server.url()));
    EXPECT_EQ(error.code, base::Code::network);
    EXPECT_EQ(error.message, fmt::format("cannot reach {}: the header of the answer is too long", server.url()));
  };
  f(std::string(1000, 'x'));
  f("y\r\nX: " + std::string(1000, 'x'));
}

TEST(Client, WithoutDescriptorsItIsThisMachinesTrouble) {
  ClientConfig config = config_for(fmt::format("http://127.0.0.1:{}", closed_port()));
  auto client = Client::create(config);
  ASSERT_TRUE(client);
  EXPECT_EQ((*client)->perform(post()).error().code, base::Code::unreachable);  // libcurl has by now what it keeps
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  ::close(next);
  const rlimit none = {static_cast<rlim_t>(next), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto response = (*client)->perform(post());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, base::Code::io);
  EXPECT_THAT(response.error().message, HasSubstr("Too many open files"));
  EXPECT_THAT(response.error().hint, HasSubstr("ulimit -n"));
}

class HidingDiagnostics : public base::Diagnostics {
 public:
  void say(std::string_view text) override { warn({}, text); }
  void warn(std::string_view, std::string_view text) override { said.emplace_back(text); }
  base::Secrets* secrets() override { return &hidden; }
  base::Secrets hidden;
  std::vector<std::string> said;
};

TEST(Client, ATokenFileThatGoesAwayIsSaidAndItsLastTokenUsedOn) {
  test::FakeLoki server;
  test::TempDir dir;
  dir.write("token", "first-token");
  HidingDiagnostics diagnostics;
  ClientConfig config = config_for(server.url());
  config.bearer_token_file = dir / "token";
  config.diagnostics = &diagnostics;
  auto client = Client::create(config);
  ASSERT_TRUE(client);
  const auto sends = [&](const std::string& token) {
    ASSERT_TRUE((*client)->perform(post()));
    EXPECT_EQ(server.requests().back().header("authorization"), "Bearer " + token);
  };
  sends("first-token");
  ASSERT_EQ(::unlink((dir / "token").c_str()), 0);
  sends("first-token");
  ASSERT_EQ(diagnostics.said.size(), 1U);
  EXPECT_EQ(diagnostics.said[0],
            fmt::format("cannot read the secret in {}: No such file or directory; the one that was read before stays in use",
                        dir / "token"));
  dir.write("token", "");  // somebody writes it in place
  sends("first-token");
  EXPECT_EQ(diagnostics.said.size(), 2U);
  dir.write("token", "second-token");
  sends("second-token");
  EXPECT_EQ(diagnostics.said.size(), 2U);
  EXPECT_EQ(diagnostics.hidden.redact("first-token second-token"), "*** ***");
}

TEST(Client, WhatAServerRepeatsOfSecretsIsHidden) {
  test::FakeLoki server;
  server.decide([](const test::PushedRequest& request) {
    return test::ScriptedReply{request.path == "/ok" ? 200 : 401, "you sent " + request.header("authorization")};
  });
  HidingDiagnostics diagnostics;
  diagnostics.hidden.add_login("me", "s3cret");
  ClientConfig config = config_for(server.url());
  config.username = "me";
  config.password = "s3cret";
  config.diagnostics = &diagnostics;
  EXPECT_EQ(perform(config, post())->body, "you sent Basic ***");
  EXPECT_EQ(perform(config, post("/ok"))->body, "you sent Basic bWU6czNjcmV0");  // data is no message
}

TEST(CheckFiles, FindsWhatCannotBeUsed) {
  test::TempDir dir;
  dir.write("token", "abc\n");
  dir.write("empty", "");
  dir.write("text", "hello\n");
  dir.write("cert", "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n");
  dir.write("key", "-----BEGIN EC PRIVATE KEY-----\nMII\n-----END EC PRIVATE KEY-----\n");
  const auto f = [&](std::string ClientConfig::*file, const std::string& name, std::string_view cause) {
    ClientConfig config;
    config.*file = dir / name;
    const auto checked = check_files(config);
    if (cause.empty()) {
      EXPECT_TRUE(checked) << name;
      return;
    }
    ASSERT_FALSE(checked) << name;
    EXPECT_EQ(checked.error().code, base::Code::config);
    EXPECT_THAT(checked.error().message, HasSubstr(fmt::format("in {}: {}", dir / name, cause)));
  };
  for (const auto file : {&ClientConfig::bearer_token_file, &ClientConfig::password_file}) {
    f(file, "token", "");
    f(file, "none", "No such file or directory");
    f(file, "empty", "the file is empty");
    f(file, "", "Is a directory");
  }
  for (const auto file : {&ClientConfig::ca_file, &ClientConfig::cert_file, &ClientConfig::key_file}) {
    f(file, file == &ClientConfig::key_file ? "key" : "cert", "");
    f(file, "none", "No such file or directory");
    f(file, "empty", "the file is empty");
    f(file, "text", "it is not in PEM form");
    f(file, "", "Is a directory");
  }
  EXPECT_TRUE(check_files({}));
}

TEST(Client, CanBeCancelled) {
  test::FakeLoki server;
  server.script({{204, "", {}, std::chrono::milliseconds(3000)}});
  ClientConfig config = config_for(server.url());
  config.cancelled = [] { return true; };
  auto response = perform(config, post());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, base::Code::interrupted);
}

// Collects completions and waits for a number of them.
class Results {
 public:
  Transport::Completion take() {
    return [this](base::Result<Response> result) {
      const std::lock_guard lock(mutex_);
      statuses_.push_back(result ? result->status : -1);
      changed_.notify_all();
    };
  }
  std::vector<int> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return statuses_.size() >= count; });
    return statuses_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> statuses_;
};

TEST(AsyncClient, HasSeveralRequestsInFlight) {
  test::FakeLoki server;
  server.decide([](const test::PushedRequest&) { return test::ScriptedReply{204, "", {}, std::chrono::milliseconds(100)}; });
  Results results;
  auto client = AsyncClient::create(config_for(server.url()), base::Clock::system(), {.max_connections = 4, .timer = {}});
  ASSERT_TRUE(client);
  for (int i = 0; i < 8; ++i) (*client)->submit(post(), results.take());
  EXPECT_EQ(results.wait_for(8), std::vector<int>(8, 204));
  EXPECT_EQ(server.most_at_once(), 4);
}

TEST(AsyncClient, CompletionsMaySubmit) {
  test::FakeLoki server;
  Results results;
  std::unique_ptr<AsyncClient> client;
  std::function<void(int)> send = [&](int left) {
    client->submit(post(), [&, left, done = results.take()](base::Result<Response> result) {
      if (left > 1) send(left - 1);
      done(std::move(result));
    });
  };
  client = std::move(*AsyncClient::create(config_for(server.url()), base::Clock::system(), {}));
  send(50);
  EXPECT_EQ(results.wait_for(50).size(), 50U);
}

TEST(AsyncClient, TellsOfFailuresAndGoesOn) {
  test::FakeLoki server;
  server.script({{0}, {500}});
  Results results;
  auto client = AsyncClient::create(config_for(server.url()), base::Clock::system(), {.max_connections = 1, .timer = {}});
  ASSERT_TRUE(client);
  for (int i = 0; i < 3; ++i) (*client)->submit(post(), results.take());
  EXPECT_EQ(results.wait_for(3), (std::vector<int>{-1, 500, 204}));
}

TEST(AsyncClient, CallsItsTimer) {
  test::FakeLoki server;
  std::mutex mutex;
  std::condition_variable changed;
  int calls = 0;
  AsyncClient::Options options;
  options.timer = [&](base::Monotonic now) {
    const std::lock_guard lock(mutex);
    ++calls;
    changed.notify_all();
    return calls < 5 ? now + base::kMillisecond : base::kNever;
  };
  auto client = AsyncClient::create(config_for(server.url()), base::Clock::system(), std::move(options));
  ASSERT_TRUE(client);
  const auto wait_for = [&](int count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20), [&] { return calls >= count; });
  };
  (*client)->wake();
  EXPECT_TRUE(wait_for(5));
  (*client)->wake();
  EXPECT_TRUE(wait_for(6));
}

TEST(AsyncClient, DestructionAbortsWhatFlies) {
  test::FakeLoki server;
  server.script({{204, "", {}, std::chrono::milliseconds(500)}});
  Results results;
  auto client = AsyncClient::create(config_for(server.url()), base::Clock::system(), {});
  ASSERT_TRUE(client);
  (*client)->submit(post(), results.take());
  client->reset();
  EXPECT_TRUE(results.wait_for(0).empty());
}

// What a streamed body brought: "status:" for the empty first piece, then its text.
class Pieces {
 public:
  OnBody take(const std::string& stop_at = "\n\n") {
    return [this, stop_at](int status, std::string_view piece) {
      const std::lock_guard lock(mutex_);
      if (piece.empty()) text_ += std::to_string(status) + ":";
      text_ += piece;
      changed_.notify_all();
      return text_.find(stop_at) == std::string::npos;
    };
  }
  std::string wait_for(const std::string& part) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return text_.find(part) != std::string::npos; });
    return text_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
};

Request watch() {
  Request request;
  request.path = "/watch";
  request.query = "watch=1";
  request.max_response = 4;  // which bounds no stream
  return request;
}

TEST(AsyncClient, StreamsABodyAsItComes) {
  test::FakeKube server;
  Results results;
  Pieces pieces;
  auto client = AsyncClient::create(config_for(server.url()), base::Clock::system(), {.max_connections = 1, .timer = {}});
  ASSERT_TRUE(client);
  (*client)->submit(watch(), pieces.take(), results.take());
  EXPECT_EQ(pieces.wait_for("200:"), "200:");  // open, and nothing has come
  ASSERT_TRUE(test::eventually([&] { return server.open_watches() == 1; }));
  server.send("one ");
  EXPECT_EQ(pieces.wait_for("one "), "200:one ");
  server.send("two ");
  EXPECT_EQ(pieces.wait_for("two "), "200:one two ");
  EXPECT_TRUE(results.wait_for(0).empty());
  server.end_watches();
  EXPECT_EQ(results.wait_for(1), std::vector<int>{200});
  // The connection is kept.
  (*client)->submit(watch(), results.take());
  ASSERT_TRUE(test::eventually([&] { return server.open_watches() == 1; }));
  EXPECT_EQ(server.connections(), 1);
}

TEST(AsyncClient, StreamsTheBodyOfARefusalToo) {
  test::FakeKube server;
  server.decide([](const test::KubeRequest&) { return test::KubeReply{403, "no right", {}}; });
  Results results;
  Pieces pieces;
  auto client = AsyncClient::create(config_for(server.url()), base::Clock::system(), {.max_connections = 1, .timer = {}});
  ASSERT_TRUE(client);
  (*client)->submit(watch(), pieces.take(), results.take());
  EXPECT_EQ(results.wait_for(1), std::vector<int>{403});
  EXPECT_EQ(pieces.wait_for("right"), "403:no right");
}

TEST(AsyncClient, AStreamEndsWhenItsTakerSaysSo) {
  test::FakeKube server;
  Results results;
  Pieces pieces, more;
  auto client = AsyncClient::create(config_for(server.url()), base::Clock::system(), {.max_connections = 1, .timer = {}});
  ASSERT_TRUE(client);
  (*client)->submit(watch(), pieces.take("stop"), results.take());
  ASSERT_TRUE(test::eventually([&] { return server.open_watches() == 1; }));
  server.send("stop");
  EXPECT_EQ(results.wait_for(1), std::vector<int>{-1});
  // Also with the end of the header. The client goes on.
  (*client)->submit(watch(), more.take("200:"), results.take());
  EXPECT_EQ(results.wait_for(2), (std::vector<int>{-1, -1}));
  (*client)->submit(watch(), results.take());
  ASSERT_TRUE(test::eventually([&] { return server.open_watches() == 1; }));
}

// How often the threads of this process, other than the caller, went to sleep.
long sleeps() {
  long all = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (task.path().filename() == std::to_string(::gettid())) continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.rfind("voluntary_ctxt_switches:", 0) == 0) all += std::stol(line.substr(line.find(':') + 1));
    }
  }
  return all;
}

TEST(AsyncClient, AStreamWithNothingToSayWakesNobody) {
  // A child, whose threads are none but the client's.
  test::FakeKube server;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Pieces pieces;
    Request request = watch();
    request.timeout = 600 * base::kSecond;
    ClientConfig config = config_for(server.url());
    config.connect_timeout = 100 * base::kMillisecond;
    auto client = AsyncClient::create(config, base::Clock::system(), {.max_connections = 1, .timer = {}});
    (*client)->submit(std::move(request), pieces.take(), [](base::Result<Response>) {});
    pieces.wait_for("200:");
    // libcurl has timers of a connection that is made. Then nothing happens: that is what is tested, so time must pass.
    const auto sleeps_in = [](int milliseconds) {
      const long before = sleeps();
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      return sleeps() - before;
    };
    test::eventually([&] { return sleeps_in(700) == 0; });
    const long more = sleeps_in(1600);
    ::_exit(static_cast<int>(std::min(100L, more)));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Client, HintsNameTheServerThatTheyAreAbout) {
  test::FakeKube server;
  server.decide([](const test::KubeRequest&) { return test::KubeReply{200, "", {{"Long", std::string(300'000, 'x')}}}; });
  ClientConfig config = config_for(server.url());
  const auto hint = [&] {
    const auto response = perform(config, watch());
    return response ? std::string() : response.error().hint;
  };
  EXPECT_EQ(hint(), "does Loki listen there?");
  config.words.server = "the API server";
  EXPECT_EQ(hint(), "does the API server listen there?");
}

}  // namespace
}  // namespace weir::http
