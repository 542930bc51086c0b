#include "stages/serve.h"

#include "support/collect.h"
#include "support/raw_http.h"
#include "support/temp_dir.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace weir::stages {
namespace {

using pipeline::Flushed;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Stands for buffer: says of each flush what the test wants.
class Store : public test::Collector {
 public:
  base::Result<Flushed> flush(pipeline::Outlet&, base::Monotonic) override {
    ++flushes;
    return on_flush();
  }
  std::function<base::Result<Flushed>()> on_flush = []() -> base::Result<Flushed> { return Flushed::safe; };
  std::atomic<int> flushes{0};
};

class ServeTest : public ::testing::Test {
 protected:
  void TearDown() override { finish(); }

  // Runs the source in a thread, with `store` behind it.
  void start() {
    spec.spool = dir / "spool.db";
    spec.listen = {.host = "127.0.0.1", .port = 0};
    context = test.context;
    context.clock = &base::Clock::system();
    auto made = make_serve(spec, context);
    ASSERT_TRUE(made.ok()) << made.error().message;
    source = *std::move(made);
    const std::string said = test.diagnostics.said().back();
    const std::size_t colon = said.rfind(':');
    address = {.host = "127.0.0.1", .port = static_cast<std::uint16_t>(std::stoi(said.substr(colon + 1)))};
    if (!spec.read_only) {
      auto stage = std::make_unique<Store>();
      store = stage.get();
      stages.push_back(std::move(stage));
    }
    thread = std::thread([this] { result = pipeline::run_chain(*source, stages, context); });
  }
  void finish() {
    if (!thread.joinable()) return;
    test.stop->request();
    thread.join();
  }
  static std::string request(std::string_view line, std::string_view path = "/loki/api/v1/push") {
    const std::string body =
        fmt::format(R"({{"streams":[{{"stream":{{"app":"x"}},"values":[["{}","{}"]]}}]}})", base::Clock::system().wall(), line);
    return fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                       path, body.size(), body);
  }
  std::string push(std::string_view line) {
    test::RawHttp client(address);
    client.send(request(line));
    return client.answer(20'000, true);
  }

  test::TempDir dir;
  test::TestContext test;
  pipeline::Context context;
  ServeSpec spec;
  std::unique_ptr<pipeline::Source> source;
  Store* store = nullptr;
  std::vector<std::unique_ptr<pipeline::Stage>> stages;
  httpd::Address address;
  std::thread thread;
  pipeline::ChainResult result;
};

TEST_F(ServeTest, AnswersWhenItIsStored) {
  start();
  EXPECT_THAT(push("one"), StartsWith("HTTP/1.1 204 "));
  EXPECT_EQ(store->flushes, 1);
  ASSERT_EQ(store->lines().size(), 1U);
  EXPECT_THAT(store->lines().front(), HasSubstr(R"("labels":{"app":"x","service_name":"x"})"));
  finish();
  EXPECT_TRUE(result.ended.ok());
  EXPECT_EQ(result.source.records_in, 1U);
  EXPECT_EQ(result.source.records_out, 1U);
  EXPECT_EQ(result.source.unaccounted(), 0);
  EXPECT_EQ(source->summary(), "received 1 record in 1 push request");
}

TEST_F(ServeTest, SaysWhatAClientSeemsToDoWrong) {
  start();
  test::RawHttp client(address);
  const std::string body = R"({"streams":[]})";
  client.send(fmt::format("POST /loki/api/v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}", body.size(), body));
  EXPECT_THAT(client.answer(), AllOf(StartsWith("HTTP/1.1 400 "), EndsWith("\r\n\r\nmime: no media type\n")));
  finish();
  EXPECT_THAT(test.diagnostics.said(), testing::Contains(HasSubstr("looks like JSON, but its Content-Type is missing")));
}

TEST_F(ServeTest, RequestsShareACommit) {
  spec.commit_after = base::kSecond;
  start();
  std::vector<std::unique_ptr<test::RawHttp>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<test::RawHttp>(address));
    clients.back()->send(request("line"));
  }
  for (const auto& client : clients) EXPECT_THAT(client->answer(20'000, true), StartsWith("HTTP/1.1 204 "));
  EXPECT_EQ(store->lines().size(), 10U);
  EXPECT_EQ(store->flushes, 1);
}

TEST_F(ServeTest, NobodyWaitsLongForRoom) {
  spec.inbox.patience = base::kMillisecond;
  spec.while_waiting = std::make_shared<std::function<void()>>();
  start();
  std::atomic<bool> has_room = false;
  store->on_flush = [&]() -> base::Result<Flushed> {
    while (!has_room) (*spec.while_waiting)();
    return Flushed::safe;
  };
  const std::string answer = push("one");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
  test::RawHttp ready(address);
  ready.send("GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(ready.answer(20'000, true), StartsWith("HTTP/1.1 503 "));
  has_room = true;
  // Not before the thread that stores has had its turn.
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  bool stored = false;
  while (!stored && std::chrono::steady_clock::now() < patience) stored = push("two").starts_with("HTTP/1.1 204 ");
  EXPECT_TRUE(stored);
  finish();
}

TEST_F(ServeTest, NobodyIsToldThatItWasStoredWhenItWasNot) {
  start();
  store->on_flush = []() -> base::Result<Flushed> { return base::fail(base::Code::io, "cannot write: no disk"); };
  test::RawHttp client(address);
  client.send(request("one"));
  const std::string answer = client.answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, EndsWith("what was received cannot be stored: cannot write: no disk\n"));
  thread.join();
  ASSERT_FALSE(result.ended.ok());
  EXPECT_EQ(result.ended.error().message, "cannot write: no disk");
}

TEST_F(ServeTest, WhatIsNotStoredInTimeIsToBeSentAgain) {
  start();
  store->on_flush = []() -> base::Result<Flushed> { return Flushed::timed_out; };
  EXPECT_THAT(push("one"), StartsWith("HTTP/1.1 503 "));
  store->on_flush = []() -> base::Result<Flushed> { return Flushed::safe; };
  EXPECT_THAT(push("one"), StartsWith("HTTP/1.1 204 "));
}

TEST_F(ServeTest, AStopAnswersWhatWasReceived) {
  spec.commit_after = base::kMinute;
  start();
  test::RawHttp client(address);
  client.send(request("one"));
  while (store->lines().empty()) std::this_thread::yield();
  finish();
  EXPECT_THAT(client.answer(20'000, true), StartsWith("HTTP/1.1 204 "));
  EXPECT_TRUE(result.ended.ok());
}

TEST_F(ServeTest, ReadOnlyTakesNothing) {
  spec.read_only = true;
  start();
  EXPECT_THAT(push("one"), StartsWith("HTTP/1.1 501 "));
  EXPECT_THAT(test.diagnostics.said().back(), HasSubstr("read-only"));
}

TEST_F(ServeTest, APartThatCannotListenTriesAgain) {
  start();
  ServeSpec other = spec;
  other.listen = address;
  EXPECT_EQ(make_serve(other, context).error().code, base::Code::io);
  other.try_again = true;
  other.read_only = true;
  auto made = make_serve(other, context);
  ASSERT_TRUE(made.ok());
  std::thread second([&] { EXPECT_TRUE(pipeline::run_chain(**made, {}, context).ended.ok()); });
  const auto said = [&] {
    for (const std::string& line : test.diagnostics.said()) {
      if (line.find("trying again every 10 s") != std::string::npos) return true;
    }
    return false;
  };
  while (!said()) std::this_thread::yield();
  test.stop->request();
  second.join();
}

}  // namespace
}  // namespace weir::stages
