#include "httpd/server.h"

#include "support/fake_clock.h"
#include "support/raw_http.h"
#include "support/temp_dir.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace weir::httpd {
namespace {

using test::http_get;
using test::RawHttp;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kBlank = "\r\n\r\n";
constexpr std::size_t kLong = 64 << 20;  // more than the buffers of a connection take

class ServerTest : public testing::Test {
 protected:
  std::unique_ptr<Server> start(const Limits& limits = {}, const std::string& address = "127.0.0.1:0") {
    std::vector<Route> routes;
    routes.push_back({"GET", "/hello", [](const Request& request) {
                        return Response{.body = request.parameter("name").value_or("nobody"), .headers = {{"X-Mine", "1"}}};
                      }});
    routes.push_back({"POST", "/echo", [](const Request& request) { return Response{.body = request.body}; }});
    routes.push_back(
        {"POST", "/big", [](const Request& request) { return Response{.body = std::to_string(request.body.size())}; }, 1 << 20});
    routes.push_back({"GET", "/long", [](const Request&) { return Response{.body = std::string(kLong, 'x')}; }});
    routes.push_back(
        {"GET", "/host", [](const Request& request) { return Response{.body = request.host.empty() ? "nobody" : request.host}; }});
    routes.push_back(
        {"GET", "/here", [](const Request& request) { return Response{.body = request.from_here ? "here" : "there"}; }});
    auto server = Server::start(*parse_address(address), std::move(routes), clock_, {.limits = limits});
    if (!server) throw std::runtime_error(server.error().message);
    return *std::move(server);
  }
  test::FakeClock clock_{1'760'000'000 * base::kSecond};
};

// That this process has open.
std::size_t descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::string request(std::string_view first_line, std::string_view rest = "") {
  return std::string(first_line) + " HTTP/1.1\r\nHost: localhost" + (rest.empty() ? "" : "\r\n") + std::string(rest) +
         std::string(kBlank);
}

TEST_F(ServerTest, AnswersWithWhatTheHandlerGives) {
  const auto server = start();
  EXPECT_GT(server->address().port, 0);
  const std::string answer = http_get(server->address(), "/hello?name=a%20b");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Date: Thu, 09 Oct 2025 08:53:20 GMT\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Mine: 1\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: keep-alive\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\na b"));
}

TEST_F(ServerTest, AnswersSeveralRequestsOfAConnectionAlsoSentAtOnce) {
  const auto server = start();
  RawHttp http(server->address());
  http.send(request("GET /hello?name=1") + request("POST /echo", "Content-Length: 2") + "22" +
            request("GET http://localhost/hello?name=3"));
  EXPECT_THAT(http.answer(), EndsWith("\r\n\r\n1"));
  EXPECT_THAT(http.answer(), EndsWith("\r\n\r\n22"));
  EXPECT_THAT(http.answer(), EndsWith("\r\n\r\n3"));
  http.send(request("GET /hello", "Connection: close"));
  EXPECT_THAT(http.answer(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(http.is_closed());
}

TEST_F(ServerTest, ClosesAfterARequestOfTheOldVersion) {
  const auto server = start();
  RawHttp http(server->address());
  http.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_THAT(http.answer(), EndsWith("nobody"));
  EXPECT_TRUE(http.is_closed());
}

TEST_F(ServerTest, HeadHasNoBody) {
  const auto server = start();
  RawHttp http(server->address());
  http.send(request("HEAD /hello?name=abc"));
  const std::string head = http.answer(20'000, true);
  EXPECT_THAT(head, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));
  http.send(request("GET /hello?name=x"));
  EXPECT_THAT(http.answer(), EndsWith("\r\n\r\nx"));
}

TEST_F(ServerTest, RefusesPathsAndMethodsThatItDoesNotHave) {
  const auto server = start();
  EXPECT_THAT(http_get(server->address(), "/none"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(http_get(server->address(), "/echo"), testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: POST\r\n")));
  for (const char* line : {"OPTIONS *", "DELETE /hello", "GET ../hello"}) {
    RawHttp http(server->address());
    http.send(request(line));
    EXPECT_THAT(http.answer(), StartsWith("HTTP/1.1 40")) << line;
  }
}

TEST_F(ServerTest, RefusesWhatIsNoRequest) {
  const auto server = start();
  for (const char* text : {"what\r\n\r\n", "GET /hello HTTP/3.7\r\n\r\n", "GET /hello HTTP/1.1\r\nno colon\r\n\r\n",
                           "POST /echo HTTP/1.1\r\nContent-Length: many\r\n\r\n"}) {
    RawHttp http(server->address());
    http.send(text);
    EXPECT_THAT(http.answer(), StartsWith("HTTP/1.1 400 Bad Request\r\n")) << text;
  }
}

TEST_F(ServerTest, KnowsWhomARequestIsFor) {
  const auto server = start();
  const std::pair<const char*, const char*> cases[] = {
      {"GET /host HTTP/1.1\r\nHost: a.example:80\r\n\r\n", "a.example"},
      {"GET /host HTTP/1.1\r\nHost: [::1]\r\n\r\n", "::1"},
      {"GET /host HTTP/1.1\r\nHost:\r\n\r\n", "nobody"},
      {"GET /host HTTP/1.0\r\n\r\n", "nobody"},
      {"GET http://b.example:80/host HTTP/1.1\r\nHost: a.example\r\n\r\n", "b.example"},
      {"GET HTTPS://b.example/host?x#y HTTP/1.1\r\nHost: a.example\r\n\r\n", "b.example"},
      {"GET http://b.example/host HTTP/1.0\r\n\r\n", "b.example"},
  };
  for (const auto& [text, host] : cases) {
    RawHttp http(server->address());
    http.send(text);
    EXPECT_THAT(http.answer(), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith(std::string(kBlank) + host))) << text;
  }
  for (const char* text :
       {"GET /host HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\n\r\n",
        "GET /host HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n\r\n",
        "GET /none HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\n\r\n",
        "GET http://localhost/host HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\n\r\n",
        "GET /host HTTP/1.1\r\nHost: localhost:80@evil.com\r\n\r\n", "GET http://localhost/host HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /host HTTP/1.1\r\nHost: localhost, evil.com\r\n\r\n", "GET http:///host HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET http://localhost@evil.com/host HTTP/1.1\r\nHost: localhost\r\n\r\n"}) {
    RawHttp http(server->address());
    http.send(text);
    EXPECT_THAT(http.answer(), AllOf(StartsWith("HTTP/1.1 400 Bad Request\r\n"), HasSubstr("Connection: close\r\n"))) << text;
    EXPECT_TRUE(http.is_closed()) << text;
  }
  // Neither of the forms.
  RawHttp http(server->address());
  http.send(request("GET x?http://localhost/host"));
  EXPECT_THAT(http.answer(), StartsWith("HTTP/1.1 40"));
}

TEST_F(ServerTest, BoundsTheHeader) {
  const auto server = start();
  for (const std::string& text : {request("GET /hello", "X: " + std::string(9 << 10, 'x')), "GET /" + std::string(32 << 10, 'x')}) {
    RawHttp http(server->address());
    http.send(text);
    EXPECT_THAT(http.answer(), StartsWith("HTTP/1.1 431 "));
  }
  EXPECT_THAT(http_get(server->address(), "/hello?name=" + std::string(7 << 10, 'x')), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, BoundsTheBodyByRoute) {
  const auto server = start({.body = 1000});
  const auto post = [&](std::string_view path, std::size_t size, bool chunked) {
    RawHttp http(server->address());
    const std::string body(size, 'x');
    if (chunked) {
      http.send(request(std::string("POST ") + std::string(path), "Transfer-Encoding: chunked"));
      http.send(fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", size, body));
    } else {
      http.send(request(std::string("POST ") + std::string(path), fmt::format("Content-Length: {}", size)));
      http.send(body);
    }
    return http.answer();
  };
  for (const bool chunked : {false, true}) {
    EXPECT_THAT(post("/echo", 1000, chunked), StartsWith("HTTP/1.1 200 ")) << chunked;
    EXPECT_THAT(post("/echo", 1001, chunked), StartsWith("HTTP/1.1 413 ")) << chunked;
    EXPECT_THAT(post("/big", 1 << 20, chunked), EndsWith("\r\n\r\n1048576")) << chunked;
    EXPECT_THAT(post("/big", (1 << 20) + 1, chunked), StartsWith("HTTP/1.1 413 ")) << chunked;
  }
}

TEST_F(ServerTest, AsksForABodyThatTheClientKeepsBack) {
  const auto server = start();
  RawHttp http(server->address());
  http.send(request("POST /echo", "Content-Length: 2\r\nExpect: 100-continue"));
  EXPECT_EQ(http.answer(20'000, true), "HTTP/1.1 100 Continue\r\n\r\n");
  http.send("ok");
  EXPECT_THAT(http.answer(), EndsWith("\r\n\r\nok"));
  http.send(request("POST /echo", "Content-Length: 2000000\r\nExpect: 100-continue"));
  EXPECT_THAT(http.answer(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(ServerTest, ClosesWhenARequestTakesTooLong) {
  const auto server = start({.read = 50 * base::kMillisecond});
  RawHttp http(server->address());
  http.send("GET /hello HTT");
  EXPECT_TRUE(http.is_closed());
}

TEST_F(ServerTest, ClosesWhenNobodyTakesTheAnswer) {
  const auto server = start({.write = 50 * base::kMillisecond});
  const std::size_t before = descriptors();
  RawHttp http(server->address());
  http.send(request("GET /long"));
  EXPECT_THAT(http.answer(20'000, true), StartsWith("HTTP/1.1 200 "));
  // From now on the client reads nothing, until the server has closed.
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (descriptors() > before + 1 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  EXPECT_LT(http.rest(), kLong);
}

TEST_F(ServerTest, ClosesAConnectionThatIsIdleForLong) {
  const auto server = start({.idle = 50 * base::kMillisecond});
  RawHttp http(server->address());
  http.send(request("GET /hello"));
  EXPECT_THAT(http.answer(), EndsWith("nobody"));
  EXPECT_TRUE(http.is_closed());
}

TEST_F(ServerTest, ANewConnectionTakesThePlaceOfTheOneThatIsIdleLongest) {
  const auto server = start({.connections = 2});
  RawHttp reading(server->address());
  reading.send("GET /hello");
  RawHttp idle(server->address());
  idle.send(request("GET /hello"));
  EXPECT_THAT(idle.answer(), EndsWith("nobody"));
  RawHttp third(server->address());
  EXPECT_TRUE(idle.is_closed());
  reading.send(" HTTP/1.1\r\n\r\n");
  EXPECT_THAT(reading.answer(), EndsWith("nobody"));
  third.send(request("GET /hello"));
  EXPECT_THAT(third.answer(), EndsWith("nobody"));
}

TEST_F(ServerTest, SlowRequestsKeepNobodyOut) {
  const auto server = start({.connections = 3});
  std::vector<std::unique_ptr<RawHttp>> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(std::make_unique<RawHttp>(server->address()));
    slow.back()->send("GET /hello HT");
  }
  EXPECT_THAT(http_get(server->address(), "/hello"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, LivesThroughALackOfDescriptors) {
  const auto server = start();
  RawHttp idle(server->address());
  idle.send(request("GET /hello"));
  EXPECT_THAT(idle.answer(), EndsWith("nobody"));
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const auto next = [] { return static_cast<rlim_t>(base::UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get()); };
  std::unique_ptr<RawHttp> client;
  const rlimit none_left = {next() + 1, before.rlim_max};  // one for the client
  ::setrlimit(RLIMIT_NOFILE, &none_left);
  client = std::make_unique<RawHttp>(server->address());
  client->send(request("GET /hello"));
  EXPECT_TRUE(idle.is_closed());  // it made room
  EXPECT_THAT(client->answer(), EndsWith("nobody"));
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(ServerTest, ListensOnAUnixSocket) {
  test::TempDir dir;
  const std::string path = dir / "s";
  {
    const auto server = start({}, "unix:" + path);
    EXPECT_THAT(http_get(server->address(), "/here"), EndsWith("\r\n\r\nhere"));
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600);
    const auto again = Server::start(*parse_address("unix:" + path), {}, clock_);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, base::Code::io);
    EXPECT_EQ(again.error().message, "cannot listen on 'unix:" + path + "': another process listens there");
    EXPECT_EQ(again.error().hint, "choose another path");
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  // One that is left of a process that died.
  const base::UniqueFd left(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(left.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_THAT(http_get(start({}, "unix:" + path)->address(), "/here"), EndsWith("\r\n\r\nhere"));
}

TEST_F(ServerTest, LeavesAloneWhatIsNoSocket) {
  test::TempDir dir;
  std::ofstream(dir / "file") << "mine";
  std::filesystem::create_directory(dir / "folder");
  std::filesystem::create_symlink(dir / "file", dir / "link");
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  const std::pair<const char*, const char*> cases[] = {
      {"file", "a file"}, {"folder", "a folder"}, {"link", "a symbolic link"}, {"fifo", "a FIFO"}};
  for (const auto& [name, kind] : cases) {
    const std::string address = "unix:" + (dir / name);
    const auto refused = Server::start(*parse_address(address), {}, clock_);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, base::Code::io);
    EXPECT_EQ(refused.error().message, fmt::format("cannot listen on '{}': it is {}, not a socket", address, kind));
    EXPECT_EQ(refused.error().hint, "choose another path");
    EXPECT_TRUE(std::filesystem::exists(dir / name)) << name;
  }
  std::string text;
  std::ifstream(dir / "file") >> text;
  EXPECT_EQ(text, "mine");
}

TEST_F(ServerTest, KnowsAPeerOfThisMachine) {
  EXPECT_THAT(http_get(start()->address(), "/here"), EndsWith("\r\n\r\nhere"));
  EXPECT_THAT(http_get(start({}, "0.0.0.0:0")->address(), "/here"), EndsWith("\r\n\r\nhere"));
}

TEST_F(ServerTest, ListensOnANameAndOnIPv6) {
  EXPECT_THAT(http_get(start({}, "localhost:0")->address(), "/hello"), EndsWith("nobody"));
  const base::UniqueFd probe(::socket(AF_INET6, SOCK_STREAM, 0));
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  if (!probe || ::bind(probe.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) GTEST_SKIP() << "no IPv6 here";
  // Dual: an IPv4 peer comes as ::ffff:127.0.0.1.
  EXPECT_THAT(http_get(start({}, "[::]:0")->address(), "/here"), EndsWith("\r\n\r\nhere"));
}

TEST_F(ServerTest, SaysWhyItCannotListen) {
  const auto server = start();
  const auto again = Server::start(server->address(), {}, clock_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, base::Code::io);
  EXPECT_EQ(again.error().message, fmt::format("cannot listen on '{}': Address already in use", server->address().text()));
  EXPECT_EQ(again.error().hint, "another process listens there; choose another port");
  const auto nowhere = Server::start(*parse_address("192.0.2.1:0"), {}, clock_);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().hint, "this machine has no such address");
  const auto no_folder = Server::start(*parse_address("unix:/no/such/folder/s"), {}, clock_);
  ASSERT_FALSE(no_folder);
  EXPECT_EQ(no_folder.error().message, "cannot listen on 'unix:/no/such/folder/s': No such file or directory");
}

TEST_F(ServerTest, EndsWhileClientsAreConnected) {
  auto server = start();
  RawHttp idle(server->address()), reading(server->address());
  reading.send("GET /hello");
  idle.send(request("GET /hello"));
  EXPECT_THAT(idle.answer(), EndsWith("nobody"));
  server.reset();
  EXPECT_TRUE(idle.is_closed());
  EXPECT_TRUE(reading.is_closed());
}

}  // namespace
}  // namespace weir::httpd
