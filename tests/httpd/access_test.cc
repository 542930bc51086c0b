#include "httpd/access.h"

#include "base/base64.h"
#include "httpd/said.h"
#include "httpd/server.h"
#include "support/fake_clock.h"
#include "support/raw_http.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

namespace weir::httpd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

class AccessTest : public testing::Test {
 protected:
  void create(const AccessFiles& files, std::vector<std::string> hosts = {}) {
    auto access = Access::create(files, std::move(hosts), said_);
    ASSERT_TRUE(access) << access.error().message;
    access_ = *std::move(access);
  }
  // 200 when it may pass.
  int status(Fields headers, const std::string& host = "localhost") {
    request_ = Request{.method = "GET", .host = host, .path = "/", .headers = std::move(headers)};
    refused_ = access_->check(request_, "example.net");
    return refused_ ? refused_->status : 200;
  }
  static Fields basic(std::string_view login) {
    std::string value = "Basic ";
    base::append_base64(value, login);
    return {{"Authorization", value}};
  }
  static Fields bearer(std::string_view token) { return {{"authorization", "bearer " + std::string(token)}}; }
  [[nodiscard]] std::string problem(const AccessFiles& files) {
    auto access = Access::create(files, {}, said_);
    if (access) return "none";
    EXPECT_EQ(access.error().code, base::Code::config);
    return access.error().message;
  }

  test::TempDir dir_;
  Said said_;
  std::unique_ptr<Access> access_;
  Request request_;
  std::optional<Response> refused_;
};

TEST_F(AccessTest, KnowsUsersByPasswordAndByHash) {
  // printf '%s' hunter2 | openssl dgst -sha256 -binary | base64
  dir_.write("users", "# people\n\nann:p:w d\r\nbob:{SHA256}9S+9MrKzuG/4jvbEkGKChfSCrxXdyylUH5S89Saj9sc=\nann:other\n");
  create({.users = dir_ / "users"});
  EXPECT_EQ(status(basic("ann:p:w d")), 200);
  EXPECT_EQ(request_.user, "ann");
  EXPECT_EQ(status(basic("ann:other")), 200);
  EXPECT_EQ(status(basic("bob:hunter2")), 200);
  EXPECT_EQ(request_.user, "bob");
  for (const char* login :
       {"ann:p:w", "ann:", "bob:other", "bob:{SHA256}9S+9MrKzuG/4jvbEkGKChfSCrxXdyylUH5S89Saj9sc=", "eve:other", "ann", ""}) {
    EXPECT_EQ(status(basic(login)), 401) << login;
    EXPECT_EQ(request_.user, "");
  }
  EXPECT_THAT(refused_->headers, ElementsAre(Pair("WWW-Authenticate", "Basic realm=\"weir\", charset=\"UTF-8\"")));
  for (const Fields& headers :
       {Fields{}, Fields{{"Authorization", "Basic"}}, Fields{{"Authorization", "Basic !!!"}}, bearer("ann:other")})
    EXPECT_EQ(status(headers), 401);
}

TEST_F(AccessTest, KnowsTokens) {
  dir_.write("tokens", "abc.def\n# old\nsecond\n");
  create({.tokens = dir_ / "tokens"});
  EXPECT_EQ(status(bearer("abc.def")), 200);
  EXPECT_EQ(request_.user, "token");
  EXPECT_EQ(status(bearer("second")), 200);
  for (const char* token : {"abc", "abc.def ", "", "# old"}) EXPECT_EQ(status(bearer(token)), 401) << token;
  EXPECT_THAT(refused_->headers, ElementsAre(Pair("WWW-Authenticate", "Bearer realm=\"weir\"")));
  dir_.write("users", "ann:x\n");
  create({.users = dir_ / "users", .tokens = dir_ / "tokens"});
  EXPECT_EQ(status(bearer("second")), 200);
  EXPECT_EQ(status(basic("ann:x")), 200);
  EXPECT_EQ(status({}), 401);
  EXPECT_THAT(refused_->headers, SizeIs(2));
}

TEST_F(AccessTest, ReadsFilesAgainThatChanged) {
  dir_.write("users", "ann:one\n");
  create({.users = dir_ / "users"});
  dir_.write("users", "ann:another\n");
  EXPECT_EQ(status(basic("ann:one")), 401);
  EXPECT_EQ(status(basic("ann:another")), 200);
  EXPECT_THAT(said_.lines(), SizeIs(0));
  dir_.write("users", "a line that is none, with secret\n");
  EXPECT_EQ(status(basic("ann:another")), 200);
  EXPECT_EQ(status(basic("ann:one")), 401);
  EXPECT_THAT(said_.lines(), ElementsAre("what was read before stays in force: cannot read the users in '" + (dir_ / "users") +
                                         "', line 1: it is not NAME:PASSWORD"));
  std::filesystem::remove(dir_ / "users");
  EXPECT_EQ(status(basic("ann:another")), 200);
  EXPECT_THAT(said_.lines(), SizeIs(2));
  EXPECT_EQ(status(basic("ann:another")), 200);
  EXPECT_THAT(said_.lines(), SizeIs(2));
}

// Neither a folder nor a pipe that nobody writes to keeps a later file from being read, or the server waiting.
TEST_F(AccessTest, PassesOverWhatIsNoFileAnyMore) {
  dir_.write("users", "ann:one\n");
  create({.users = dir_ / "users"});
  const auto replace = [&](auto make) {
    std::filesystem::remove(dir_ / "users");
    make();
    EXPECT_EQ(status(basic("ann:one")), 200);
    EXPECT_EQ(status(basic("ann:one")), 200);
  };
  replace([&] { std::filesystem::create_directory(dir_ / "users"); });
  EXPECT_THAT(said_.lines(), ElementsAre("what was read before stays in force: cannot read the users in '" + (dir_ / "users") +
                                         "': it is no file any more"));
  replace([&] { ASSERT_EQ(::mkfifo((dir_ / "users").c_str(), 0600), 0); });
  replace([&] { std::filesystem::create_symlink("/dev/zero", dir_ / "users"); });
  EXPECT_THAT(said_.lines(), SizeIs(3));
  std::filesystem::remove(dir_ / "users");
  dir_.write("users", "ann:another\n");
  EXPECT_EQ(status(basic("ann:another")), 200);
  EXPECT_EQ(status(basic("ann:one")), 401);
}

TEST_F(AccessTest, SaysWhatIsWrongWithAFileAndNoSecret) {
  EXPECT_THAT(problem({.users = dir_ / "none"}), HasSubstr("none': No such file or directory"));
  dir_.write("f", "ann:secret\nbob:\n");
  EXPECT_THAT(problem({.users = dir_ / "f"}), AllOf(HasSubstr("line 2: its password is empty"), Not(HasSubstr("secret"))));
  dir_.write("f", ":secret\n");
  EXPECT_THAT(problem({.users = dir_ / "f"}), AllOf(HasSubstr("line 1: it is not NAME:PASSWORD"), Not(HasSubstr("secret"))));
  dir_.write("f", "ann:{SHA256}c2VjcmV0\n");
  EXPECT_THAT(problem({.users = dir_ / "f"}), HasSubstr("what follows {SHA256} is not the base64 of 32 bytes"));
  dir_.write("f", "two words\n");
  EXPECT_THAT(problem({.tokens = dir_ / "f"}), HasSubstr("line 1: a token has no spaces and is ASCII"));
  dir_.write("f", "# nothing\n\n");
  EXPECT_THAT(problem({.tokens = dir_ / "f"}), HasSubstr("nothing stands in it but comments and empty lines"));
}

TEST_F(AccessTest, RefusesForeignHosts) {
  create({}, {"Logs.example.com"});
  for (const char* host : {"localhost", "LOCALHOST", "127.0.0.1", "10.1.2.3", "::1", "example.net", "logs.EXAMPLE.com"})
    EXPECT_EQ(status({}, host), 200) << host;
  for (const char* host : {"evil.example", "", "localhost.evil.example", "example.com", "127.0.0.1.evil.example"})
    EXPECT_EQ(status({}, host), 403) << host;
  Request request{.host = "evil.example"};
  EXPECT_EQ(access_->check(request, ""), std::nullopt);  // a Unix socket
}

TEST_F(AccessTest, RefusesForeignOrigins) {
  create({});
  const auto with = [&](const std::string& host, const std::string& origin) {
    return status({{"Host", host}, {"Origin", origin}}, std::string(*host_of(host)));
  };
  EXPECT_EQ(with("localhost:3100", "http://localhost:3100"), 200);
  EXPECT_EQ(with("localhost", "http://localhost:80"), 200);
  EXPECT_EQ(with("localhost:443", "https://localhost"), 200);
  EXPECT_EQ(with("[::1]:3100", "http://[::1]:3100"), 200);
  for (const char* origin : {"http://localhost:8080", "http://evil.example:3100", "http://localhost", "null", "file://",
                             "localhost:3100", "http://127.0.0.1:3100", "http://localhost:3100@evil.example", "http://"})
    EXPECT_EQ(with("localhost:3100", origin), 403) << origin;
  // Its Host header is another one than that of the absolute target.
  EXPECT_EQ(status({{"Host", "evil.example"}, {"Origin", "http://evil.example"}}, "localhost"), 403);
}

TEST_F(AccessTest, IsAskedBeforeABodyIsReadAndNotForOpenRoutes) {
  dir_.write("users", "ann:x\n");
  create({.users = dir_ / "users"});
  test::FakeClock clock(base::kSecond);
  std::vector<Route> routes;
  routes.push_back({"POST", "/data", [](const Request& request) { return Response{.body = request.user}; }});
  routes.push_back(
      {.method = "GET", .path = "/ready", .handler = [](const Request&) { return Response{.body = "yes"}; }, .open = true});
  auto server = Server::start(*parse_address("127.0.0.1:0"), std::move(routes), clock, {.access = std::move(access_)});
  ASSERT_TRUE(server);
  EXPECT_THAT(test::http_get((*server)->address(), "/ready"), testing::EndsWith("yes"));
  EXPECT_THAT(test::http_get((*server)->address(), "/none"), testing::StartsWith("HTTP/1.1 401 Unauthorized\r\n"));
  test::RawHttp http((*server)->address());
  http.send("POST /data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_THAT(http.answer(), AllOf(testing::StartsWith("HTTP/1.1 401 "), HasSubstr("\r\nWWW-Authenticate: Basic realm=\"weir\"")));
  test::RawHttp again((*server)->address());
  again.send("POST /data HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(again.answer(), testing::StartsWith("HTTP/1.1 403 "));
  again.send("POST /data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" + (basic("ann:x")[0].first + ": ") +
             basic("ann:x")[0].second + "\r\n\r\n");
  EXPECT_THAT(again.answer(), testing::EndsWith("\r\n\r\nann"));
}

}  // namespace
}  // namespace weir::httpd
