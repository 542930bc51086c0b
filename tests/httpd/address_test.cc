#include "httpd/address.h"

#include <gtest/gtest.h>

#include <tuple>

namespace weir::httpd {
namespace {

TEST(Address, IsRead) {
  const std::tuple<const char*, const char*, int> cases[] = {
      {":9123", "127.0.0.1", 9123},
      {"127.0.0.1:0", "127.0.0.1", 0},
      {"0.0.0.0:9123", "0.0.0.0", 9123},
      {"localhost:80", "localhost", 80},
      {"[::1]:9123", "::1", 9123},
      {"[::]:65535", "::", 65535},
      {"node-1.example:1", "node-1.example", 1},
  };
  for (const auto& [text, host, port] : cases) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text << ": " << address.error().message;
    EXPECT_EQ(address->host, host) << text;
    EXPECT_EQ(address->port, port) << text;
    EXPECT_EQ(address->socket_path, "") << text;
  }
}

TEST(Address, OfAUnixSocket) {
  const auto address = parse_address("unix:/run/weir:1/m.sock");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->socket_path, "/run/weir:1/m.sock");
  EXPECT_EQ(address->text(), "unix:/run/weir:1/m.sock");
}

TEST(Address, IsWrittenAsItIsRead) {
  for (const char* text : {"127.0.0.1:9123", "[::1]:9123", "localhost:0", "unix:m.sock"})
    EXPECT_EQ(parse_address(text)->text(), text);
  EXPECT_EQ(parse_address(":9123")->text(), "127.0.0.1:9123");
}

TEST(Address, IsRefused) {
  const std::pair<std::string, const char*> cases[] = {
      {"9123", "it has no port"},
      {"localhost", "it has no port"},
      {"[::1]", "it has no port"},
      {"::1", "it has no port"},
      {"::1:90", "an IPv6 address stands in brackets"},
      {"::1:9123", "an IPv6 address stands in brackets"},
      {"fe80::abcd", "it has no port"},
      {"[::1", "the bracket is not closed"},
      {"[::1:90", "the bracket is not closed"},
      {"[::1]x:90", "its host is neither a name nor an IP address"},
      {"[::1]:9:90", "it has several ports"},
      {"fe80::1:2:3:4:5:6:9123", "an IPv6 address stands in brackets"},
      {"a:b:9123", "it has several ports"},
      {"[1.2.3.4]:9123", "what stands in brackets is no IPv6 address"},
      {":http", "its port is no number from 0 to 65535"},
      {":65536", "its port is no number from 0 to 65535"},
      {":-1", "its port is no number from 0 to 65535"},
      {"127.0.0.1:", "its port is no number from 0 to 65535"},
      {"http://127.0.0.1:9123", "it is a URL, and no address to listen on"},
      {"127.0.0.1:9123/metrics", "an address has no path"},
      {"a b:9123", "its host is neither a name nor an IP address"},
      {"unix:", "it has no path"},
      {"unix:/" + std::string(107, 'x'), "its path is longer than 107 bytes"},
  };
  for (const auto& [text, cause] : cases) {
    const auto address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().message, cause) << text;
    EXPECT_EQ(address.error().code, base::Code::usage);
    EXPECT_NE(address.error().hint.find("0.0.0.0:9123"), std::string::npos);
  }
}

TEST(Host, OfAnAuthority) {
  const std::pair<const char*, const char*> cases[] = {{"localhost:9123", "localhost"},
                                                       {"localhost", "localhost"},
                                                       {"localhost:", "localhost"},
                                                       {"[::1]:80", "::1"},
                                                       {"[::1]", "::1"},
                                                       {"node-1.example", "node-1.example"},
                                                       {"10.1.2.3:1", "10.1.2.3"}};
  for (const auto& [authority, host] : cases) EXPECT_EQ(host_of(authority), host) << authority;
}

TEST(Host, OfWhatIsNoAuthority) {
  for (const char* authority :
       {"", ":80", "::1", "[::1", "[localhost]", "[::1]x", "[::1]80", "localhost:80@evil.com", "a@b", "a b", "a,b",
        "localhost:http", "localhost:65536", "localhost:1:2", "localhost/x", "local\thost", "caf\xc3\xa9"})
    EXPECT_EQ(host_of(authority), std::nullopt) << authority;
}

TEST(Host, IsAnAddressOrAName) {
  for (const char* host : {"127.0.0.1", "10.1.2.3", "::1", "fe80::1"}) EXPECT_TRUE(is_ip_address(host)) << host;
  for (const char* host : {"", "localhost", "127.0.0.1.example", "1.2.3", "evil"}) EXPECT_FALSE(is_ip_address(host)) << host;
}

}  // namespace
}  // namespace weir::httpd
