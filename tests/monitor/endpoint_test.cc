#include "monitor/endpoint.h"

#include "monitor/metrics_file.h"
#include "support/collect.h"
#include "support/raw_http.h"
#include "support/service_manager.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <latch>
#include <thread>

namespace weir::monitor {
namespace {

using test::http_get;
using test::RawHttp;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr auto kIn = metrics::counter("weir_test_input_records_total", "records", "Records.", metrics::Account::in);
constexpr auto kOut = metrics::counter("weir_test_output_records_total", "records", "Records.", metrics::Account::out);

class EndpointTest : public testing::Test {
 protected:
  std::unique_ptr<Endpoint> start(const std::string& address = "127.0.0.1:0", const std::string& file = {}) {
    Options options;
    if (!address.empty()) options.address = *httpd::parse_address(address);
    options.file = file;
    auto endpoint = Endpoint::start(options, test_.context);
    if (!endpoint) throw std::runtime_error(endpoint.error().message);
    return *std::move(endpoint);
  }
  static std::string post(const Endpoint& endpoint, std::string_view headers) {
    RawHttp http(*endpoint.address());
    http.send("POST /-/reload HTTP/1.1\r\n" + std::string(headers) + "\r\n");
    return http.answer();
  }
  test::TestContext test_;
};

TEST_F(EndpointTest, ShowsWhatTheChainCounts) {
  const auto endpoint = start();
  metrics::Block block(endpoint->context().metrics);
  block.counter(kIn).add(3);
  block.counter(kOut).add(1);
  const std::string answer = http_get(*endpoint->address(), "/metrics");
  EXPECT_THAT(answer,
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
                    HasSubstr("\nweir_test_input_records_total 3\n"), HasSubstr("\nweir_unaccounted_records{stage=\"test\"} 2\n"),
                    HasSubstr("\nweir_build_info{version=\""), HasSubstr("\nprocess_open_fds ")));
  ASSERT_EQ(test_.diagnostics.said().size(), 1U);
  EXPECT_EQ(test_.diagnostics.said().front(), "metrics on http://" + endpoint->address()->text() + "/metrics");
}

TEST_F(EndpointTest, ListsItsPaths) {
  EXPECT_THAT(http_get(*start()->address(), "/"),
              AllOf(HasSubstr("/metrics"), HasSubstr("/-/healthy"), HasSubstr("/-/ready"), HasSubstr("/-/reload")));
}

TEST_F(EndpointTest, IsReadyWhileTheChainRuns) {
  const auto endpoint = start();
  EXPECT_THAT(http_get(*endpoint->address(), "/-/ready"),
              AllOf(StartsWith("HTTP/1.1 503 "), EndsWith("the chain has not begun\n")));
  endpoint->begun();
  EXPECT_THAT(http_get(*endpoint->address(), "/-/ready"), StartsWith("HTTP/1.1 200 "));
  {
    metrics::TroubleFlag positions(endpoint->context().metrics, metrics::Trouble::positions);
    positions.raise("cannot write positions: No space left on device");
    EXPECT_THAT(http_get(*endpoint->address(), "/-/ready"),
                AllOf(StartsWith("HTTP/1.1 503 "), EndsWith("No space left on device\n")));
  }
  EXPECT_THAT(http_get(*endpoint->address(), "/-/ready"), StartsWith("HTTP/1.1 200 "));
  test_.stop->request(SIGTERM);
  EXPECT_THAT(http_get(*endpoint->address(), "/-/ready"), AllOf(StartsWith("HTTP/1.1 503 "), EndsWith("weir is ending\n")));
}

// The thread of a chain whose stage does not come back: first in a wait that it names, then in one that it does not.
TEST_F(EndpointTest, AStageThatHangsMakesItUnhealthyAfterThirtySeconds) {
  const auto endpoint = start();
  metrics::Driver driver(*endpoint->context().metrics, test_.clock, "chain");
  std::latch waits{1}, wait_over{1}, hangs{1}, end{1};
  std::thread chain([&] {
    base::Wake wake;
    static_cast<void>(wake.open());
    driver.begin(wake);
    {
      const metrics::Wait wait(&driver, metrics::On::disk);
      waits.count_down();
      wait_over.wait();
    }
    hangs.count_down();
    end.wait();
    driver.end();
  });
  waits.wait();
  test_.clock.advance(10 * base::kMinute);
  EXPECT_THAT(http_get(*endpoint->address(), "/-/healthy"), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("chain: waits for disk")));
  wait_over.count_down();
  hangs.wait();
  test_.clock.advance(29 * base::kSecond);
  EXPECT_THAT(http_get(*endpoint->address(), "/-/healthy"), StartsWith("HTTP/1.1 200 "));
  test_.clock.advance(base::kSecond);
  EXPECT_THAT(http_get(*endpoint->address(), "/-/healthy"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("chain: has not moved for 30 s")));
  // Whoever scrapes gets the last copy of such a chain.
  EXPECT_THAT(http_get(*endpoint->address(), "/metrics"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\nweir_snapshot_age_seconds 6")));
  end.count_down();
  chain.join();
}

TEST_F(EndpointTest, ReloadsForPeersOfThisMachine) {
  const auto endpoint = start();
  for (const char* host : {"localhost", "localhost:9090", "127.0.0.1:1", "[::1]", "10.1.2.3"}) {
    const int before = test_.stop->reloads();
    EXPECT_THAT(post(*endpoint, "Host: " + std::string(host) + "\r\n"), StartsWith("HTTP/1.1 200 ")) << host;
    EXPECT_EQ(test_.stop->reloads(), before + 1) << host;
  }
  EXPECT_THAT(http_get(*endpoint->address(), "/-/reload"), StartsWith("HTTP/1.1 405 "));
}

TEST_F(EndpointTest, AWebPageCannotReload) {
  const auto endpoint = start();
  for (const char* headers : {"Host: evil.example\r\n", "Host: localhost.evil.example:80\r\n", "",
                              "Host: localhost\r\nOrigin: http://evil.example\r\n", "Host: 127.0.0.1\r\nOrigin: null\r\n"}) {
    EXPECT_THAT(post(*endpoint, headers), StartsWith("HTTP/1.1 403 ")) << headers;
  }
  for (const char* headers : {"Host: localhost\r\nHost: evil.example\r\n", "Host: localhost:80@evil.example\r\n"})
    EXPECT_THAT(post(*endpoint, headers), StartsWith("HTTP/1.1 400 ")) << headers;
  RawHttp http(*endpoint->address());
  http.send("POST http://evil.example/-/reload HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(http.answer(), AllOf(StartsWith("HTTP/1.1 403 "), EndsWith("the request names another host\n")));
  EXPECT_EQ(test_.stop->reloads(), 0);
}

TEST_F(EndpointTest, WritesTheSameToAFile) {
  const test::TempDir dir;
  const std::string path = dir / "weir.prom";
  auto endpoint = start("", path);
  EXPECT_EQ(endpoint->address(), std::nullopt);
  {
    metrics::Block block(endpoint->context().metrics);
    block.counter(kIn).add(3);
  }
  endpoint.reset();
  std::ifstream in(path);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  EXPECT_THAT(text, AllOf(HasSubstr("\nweir_test_input_records_total 3\n"),
                          HasSubstr("\nweir_metrics_file_written_timestamp_seconds 1760000000\n")));
  EXPECT_THAT(text, testing::Not(HasSubstr("process_")));  // node_exporter has those itself
}

TEST_F(EndpointTest, TheFileShowsTheChainSoonAfterItHasBegun) {
  const test::TempDir dir;
  const std::string path = dir / "weir.prom";
  const auto shown = [&] {
    std::ifstream in(path);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const auto begin = std::chrono::steady_clock::now();
  const auto endpoint = start("", path);
  metrics::Block block(endpoint->context().metrics);
  block.counter(kIn).add(3);
  EXPECT_THAT(shown(), testing::Not(HasSubstr("weir_test_input_records_total")));
  endpoint->begun();
  while (shown().find("\nweir_test_input_records_total 3\n") == std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now() - begin, std::chrono::nanoseconds(MetricsFile::kEvery)) << shown();
    std::this_thread::yield();
  }
}

TEST_F(EndpointTest, DoesNothingWhereNothingIsAskedFor) {
  test_.context.metrics = nullptr;
  const auto threads = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); };
  const auto before = threads();
  const auto endpoint = start("");
  EXPECT_EQ(endpoint->context().metrics, nullptr);
  EXPECT_EQ(threads(), before);
  endpoint->begun();
  EXPECT_TRUE(test_.diagnostics.said().empty());
}

TEST_F(EndpointTest, TellsSystemd) {
  const test::TempDir dir;
  static std::string name;
  name = dir / "notify";
  const test::ServiceManager manager(name);
  test_.context.clock = &base::Clock::system();
  test_.context.metrics = nullptr;
  test_.context.environment = [](const char* variable) -> const char* {
    return std::string_view(variable) == "NOTIFY_SOCKET" ? name.c_str() : nullptr;
  };
  auto endpoint = start("");
  EXPECT_NE(endpoint->context().metrics, nullptr);
  endpoint->begun();
  EXPECT_EQ(manager.next(), "READY=1");
  EXPECT_EQ(manager.next(), "STATUS=starting");
  EXPECT_EQ(manager.next(), "STATUS=running");
  endpoint.reset();
  EXPECT_EQ(manager.next(), "STOPPING=1");
}

TEST_F(EndpointTest, SaysWhyItCannotStart) {
  const auto first = start();
  Options options;
  options.address = first->address();
  const auto second = Endpoint::start(options, test_.context);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "cannot listen on '" + first->address()->text() + "': Address already in use");
  options = {};
  options.file = "/no/such/folder/weir.prom";
  EXPECT_FALSE(Endpoint::start(options, test_.context));
  EXPECT_FALSE(Endpoint::rehearse(options));
}

}  // namespace
}  // namespace weir::monitor
