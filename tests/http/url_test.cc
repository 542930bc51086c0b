#include "http/url.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

TEST(ParseUrl, Success) {
  const auto f = [](std::string_view text, std::string_view origin, std::string_view path, std::string_view query) {
    auto url = parse_url(text);
    ASSERT_TRUE(url) << text;
    EXPECT_EQ(url->origin, origin) << text;
    EXPECT_EQ(url->path, path) << text;
    EXPECT_EQ(url->query, query) << text;
  };
  f("http://loki:3100", "http://loki:3100", "", "");
  f("loki:3100", "http://loki:3100", "", "");
  f("localhost", "http://localhost", "", "");
  f("HTTPS://Loki.Example/", "https://loki.example", "", "");
  f("https://logs.example/insert/", "https://logs.example", "/insert", "");
  f("http://h/a/b?x=1&y=2#frag", "http://h", "/a/b", "x=1&y=2");
  f("http://[::1]:3100/p", "http://[::1]:3100", "/p", "");
}

TEST(ParseUrl, KeepsSecretsOutOfSight) {
  auto url = parse_url("http://me:s%40crt@h:1/p?token=t");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->user, "me");
  EXPECT_EQ(url->password, "s@crt");
  EXPECT_EQ(url->display(), "http://h:1/p");
  auto wrong = parse_url("http://me:secret@ho st/?token=secret");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message.find("secret"), std::string::npos);
}

TEST(ParseUrl, Failure) {
  const auto f = [](std::string_view text, std::string_view part) {
    auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, base::Code::usage);
    EXPECT_NE(url.error().message.find(part), std::string::npos) << url.error().message;
  };
  f("", "no host");
  f("http://", "no host");
  f("http:///path", "no host");
  f("ftp://h", "only http and https");
  f("http://h:port", "host is not valid");
  f("http://[::1", "host is not valid");
  f("http://h:65536", "host is not valid");
  f("http://h:0", "host is not valid");
  f("http://[::1]:99999", "host is not valid");
  f("http://h/a b", "space");
}

TEST(ParseUrl, Loopback) {
  for (const char* text :
       {"http://localhost:8001", "http://LOCALHOST", "https://127.0.0.1:6443/p", "http://127.8.9.1", "http://[::1]:80"}) {
    EXPECT_TRUE(is_loopback(*parse_url(text))) << text;
  }
  for (const char* text :
       {"http://10.0.0.1", "http://127.example.com", "http://localhost.example.com", "http://[fd00::1]", "http://h"}) {
    EXPECT_FALSE(is_loopback(*parse_url(text))) << text;
  }
}

TEST(Join, OnceOnly) {
  const auto f = [](std::string_view base, std::string_view query, std::string_view want) {
    EXPECT_EQ(join(*parse_url(base), "/loki/api/v1/push", query), want);
  };
  f("http://h", "", "http://h/loki/api/v1/push");
  f("http://h/", "", "http://h/loki/api/v1/push");
  f("http://h/insert", "", "http://h/insert/loki/api/v1/push");
  f("http://h/loki/api/v1/push", "", "http://h/loki/api/v1/push");
  f("http://h/x/loki/api/v1/push/", "", "http://h/x/loki/api/v1/push");
  f("http://h?a=1", "b=2", "http://h/loki/api/v1/push?a=1&b=2");
  f("http://h", "b=2", "http://h/loki/api/v1/push?b=2");
}

TEST(QueryString, EscapesNamesAndValues) { EXPECT_EQ(query_string({{"query", "{}"}, {"limit", "1"}}), "query=%7B%7D&limit=1"); }

}  // namespace
}  // namespace weir::http
