#include "httpd/tls.h"

#include "httpd/exchange.h"
#include "httpd/said.h"
#include "httpd/server.h"
#include "httpd/tls_library.h"
#include "httpd/websocket.h"
#include "support/fake_clock.h"
#include "support/raw_http.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <future>
#include <thread>

namespace weir::httpd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

constexpr auto kPatience = std::chrono::seconds(20);

// What a shell command prints, on both of its outputs.
std::string shell(const std::string& command) {
  FILE* const pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");
  std::string all;
  std::array<char, 4096> piece{};
  while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), pipe)) all.append(piece.data(), size);
  ::pclose(pipe);
  return all;
}

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (shell("command -v openssl").empty() || shell("command -v curl").empty()) GTEST_SKIP() << "openssl or curl is not here";
    make("one");
  }

  // NAME.crt and NAME.key, for localhost.
  void make(const std::string& name) const {
    shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=" + name +
          " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " + (dir_ / (name + ".key")) + " -out " +
          (dir_ / (name + ".crt")));
  }
  [[nodiscard]] TlsFiles files(const std::string& certificate, const std::string& key) const {
    return {.certificate = dir_ / certificate, .key = dir_ / key};
  }

  void start(const Limits& limits = {}) {
    std::vector<Route> routes;
    routes.push_back({"GET", "/hello", [](const Request& request) { return Response{.body = "hello " + request.query}; }});
    routes.push_back(
        {"POST", "/size", [](const Request& request) { return Response{.body = std::to_string(request.body.size())}; }, 64 << 20});
    routes.push_back({"GET", "/long", [](const Request&) { return Response{.body = std::string(20'000'000, 'x')}; }});
    routes.push_back({.method = "GET", .path = "/later", .later = [this](std::shared_ptr<Exchange> exchange) {
                        taken_.set_value(std::move(exchange));
                      }});
    routes.push_back({.method = "GET", .path = "/socket", .socket = [](const std::shared_ptr<WebSocket>& socket) {
                        socket->send("a frame");
                        socket->close(1000, "bye");
                      }});
    auto server = Server::start(*parse_address("127.0.0.1:0"), std::move(routes), clock_,
                                {.limits = limits, .tls = files("one.crt", "one.key"), .diagnostics = &said_});
    ASSERT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
  }
  [[nodiscard]] std::string url(std::string_view path) const {
    return "https://localhost:" + std::to_string(server_->address().port) + std::string(path);
  }
  [[nodiscard]] std::string curl(const std::string& arguments, const std::string& certificate = "one.crt") const {
    return shell("curl -sS --max-time 20 --resolve localhost:" + std::to_string(server_->address().port) + ":127.0.0.1 --cacert " +
                 (dir_ / certificate) + " " + arguments);
  }
  [[nodiscard]] std::string problem(const TlsFiles& which) {
    auto tls = Tls::create(which, &said_);
    if (tls) return "none";
    EXPECT_EQ(tls.error().code, base::Code::config);
    return tls.error().message + " | " + tls.error().hint;
  }

  test::TempDir dir_;
  test::FakeClock clock_{1'760'000'000 * base::kSecond};
  Said said_;
  std::promise<std::shared_ptr<Exchange>> taken_;
  std::unique_ptr<Server> server_;
};

TEST_F(TlsTest, SpeaksHttps) {
  start();
  EXPECT_EQ(curl(url("/hello?1") + " " + url("/hello?2")), "hello 1hello 2");
  EXPECT_EQ(curl("--tls-max 1.2 " + url("/hello?old")), "hello old");
  EXPECT_THAT(curl("--tls-max 1.1 " + url("/hello")), StartsWith("curl: (35)"));
  // Another certificate than the one that is expected: the server goes on.
  make("other");
  EXPECT_THAT(curl(url("/hello"), "other.crt"), StartsWith("curl: (60)"));
  EXPECT_EQ(curl(url("/hello?again")), "hello again");
}

TEST_F(TlsTest, CarriesLargeBodiesBothWays) {
  start();
  const std::string file = dir_ / "body";
  shell("head -c 30000000 /dev/urandom > " + file);
  EXPECT_EQ(curl("--data-binary @" + file + " " + url("/size")), "30000000");
  EXPECT_EQ(curl("-H 'Transfer-Encoding: chunked' --data-binary @" + file + " " + url("/size")), "30000000");
  EXPECT_THAT(curl("-o /dev/null -w '%{size_download} %{http_code}' " + url("/long")), "20000000 200");
}

TEST_F(TlsTest, AnswersInPiecesAndNoticesTheEndOfTheClient) {
  start();
  auto answer = std::async(std::launch::async, [&] { return curl("-N " + url("/later") + " | head -c 12"); });
  auto taken = taken_.get_future();
  ASSERT_EQ(taken.wait_for(kPatience), std::future_status::ready);
  const auto exchange = taken.get();
  exchange->begin({.body = "first"});
  EXPECT_TRUE(exchange->write(" second"));
  // curl ends when it can pass nothing on any more.
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (exchange->write("x") && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(exchange->gone());
  EXPECT_THAT(answer.get(), StartsWith("first second"));
}

TEST_F(TlsTest, CarriesWebSockets) {
  start({.write = 500 * base::kMillisecond});  // this client answers no close frame
  const std::string upgrade =
      "GET /socket HTTP/1.1\\r\\nHost: localhost\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n";
  const std::string answer = shell(
      "printf '" + upgrade + "' | openssl s_client -quiet -ign_eof -connect 127.0.0.1:" + std::to_string(server_->address().port));
  EXPECT_THAT(answer, AllOf(HasSubstr("HTTP/1.1 101 Switching Protocols"), HasSubstr("\r\n\r\n\x81\x07"
                                                                                     "a frame\x88\x05\x03\xe8"
                                                                                     "bye")));
}

TEST_F(TlsTest, ReadsFilesAgainThatChanged) {
  start();
  EXPECT_EQ(curl(url("/hello?1")), "hello 1");
  make("two");
  std::filesystem::rename(dir_ / "two.crt", dir_ / "one.crt");
  // The key is still the old one: what was in use stays.
  std::filesystem::copy_file(dir_ / "one.crt", dir_ / "new.crt");
  EXPECT_THAT(curl(url("/hello?2"), "new.crt"), StartsWith("curl: (60)"));
  EXPECT_THAT(said_.lines(), testing::Contains(AllOf(StartsWith("the certificate and key in use stay: cannot use the key '"),
                                                     HasSubstr("key values mismatch"))));
  const std::size_t lines = said_.lines().size();
  EXPECT_THAT(curl(url("/hello?3"), "new.crt"), StartsWith("curl: (60)"));
  EXPECT_THAT(said_.lines(), SizeIs(lines));
  // A folder in the key's place is passed over, too.
  std::filesystem::remove(dir_ / "one.key");
  std::filesystem::create_directory(dir_ / "one.key");
  EXPECT_THAT(curl(url("/hello?3"), "new.crt"), StartsWith("curl: (60)"));
  EXPECT_THAT(said_.lines().back(), EndsWith("one.key': it is no file any more"));
  std::filesystem::remove(dir_ / "one.key");
  std::filesystem::rename(dir_ / "two.key", dir_ / "one.key");
  EXPECT_EQ(curl(url("/hello?4"), "new.crt"), "hello 4");
}

TEST_F(TlsTest, SaysWhatIsWrongWithTheFiles) {
  make("two");
  EXPECT_EQ(problem(files("one.crt", "one.key")), "none");
  EXPECT_THAT(problem(files("none.crt", "one.key")),
              HasSubstr("cannot read the certificate '" + (dir_ / "none.crt") + "': No such file"));
  EXPECT_THAT(problem(files("one.crt", "none.key")), HasSubstr("cannot read the key '"));
  EXPECT_THAT(problem(files("one.crt", "two.key")),
              AllOf(HasSubstr("cannot use the key '"), HasSubstr("key values mismatch"), HasSubstr("belong to the certificate")));
  EXPECT_THAT(problem(files("one.key", "one.key")), AllOf(HasSubstr("cannot use the certificate '"), HasSubstr("no start line")));
  dir_.write("text", "no PEM");
  ::chmod((dir_ / "text").c_str(), 0600);
  EXPECT_THAT(problem(files("one.crt", "text")), HasSubstr("cannot use the key '"));
  shell("openssl ec -in " + (dir_ / "one.key") + " -aes128 -passout pass:secret -out " + (dir_ / "locked.key"));
  EXPECT_THAT(problem(files("one.crt", "locked.key")), AllOf(HasSubstr("cannot use the key '"), HasSubstr("without a password")));
  ::chmod((dir_ / "one.key").c_str(), 0644);
  EXPECT_EQ(problem(files("one.crt", "one.key")), "cannot use the key '" + (dir_ / "one.key") +
                                                      "': everybody on this machine may read it | chmod o-r " + (dir_ / "one.key"));
  ::chmod((dir_ / "one.key").c_str(), 0640);
  EXPECT_EQ(problem(files("one.crt", "one.key")), "none");
}

TEST_F(TlsTest, TellsAClientThatSpeaksHttp) {
  start();
  EXPECT_THAT(test::http_get(server_->address(), "/hello"),
              AllOf(StartsWith("HTTP/1.1 400 "), EndsWith("this port speaks HTTPS: use https:// in the URL\n")));
}

TEST_F(TlsTest, ClosesAHandshakeThatTakesTooLong) {
  start({.read = 100 * base::kMillisecond});
  test::RawHttp silent(server_->address()), slow(server_->address()), wrong(server_->address());
  slow.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  wrong.send(std::string("\x16\x03\x01\x00\x05", 5) + "xxxxx");
  EXPECT_TRUE(silent.is_closed());
  EXPECT_TRUE(slow.is_closed());
  EXPECT_NE(wrong.rest(), std::string::npos);  // an alert may come first
}

TEST_F(TlsTest, HandshakesKeepNobodyOut) {
  start({.connections = 3});
  std::vector<std::unique_ptr<test::RawHttp>> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(std::make_unique<test::RawHttp>(server_->address()));
  EXPECT_EQ(curl(url("/hello?1")), "hello 1");
}

}  // namespace
}  // namespace weir::httpd
