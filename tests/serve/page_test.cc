#include "serve/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>

namespace weir::serve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

httpd::Response ask(const std::string& path, httpd::Fields headers = {}) {
  for (const httpd::Route& route : page_routes()) {
    if (route.path == path) return route.handler({.method = "GET", .path = path, .headers = std::move(headers)});
  }
  return {.status = 404};
}

std::string header(const httpd::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

// RFC 1952: the first two bytes, and the length of what was compressed in the last four. tests/page unzips them.
bool is_gzip_of(std::string_view compressed, std::string_view plain) {
  if (compressed.size() < 18 || !compressed.starts_with("\x1f\x8b")) return false;
  std::size_t length = 0;
  for (std::size_t i = 0; i < 4; i++)
    length |= std::size_t{static_cast<unsigned char>(compressed[compressed.size() - 4 + i])} << (8 * i);
  return length == plain.size();
}

TEST(Page, TheFilesAreThoseOfTheTree) {
  ASSERT_FALSE(page_files().empty());
  EXPECT_TRUE(std::is_sorted(page_files().begin(), page_files().end(),
                             [](const PageFile& a, const PageFile& b) { return a.name < b.name; }));
  for (const PageFile& file : page_files()) {
    EXPECT_TRUE(is_gzip_of(file.gzip, file.plain)) << file.name;
    EXPECT_LT(file.gzip.size(), file.plain.size() + 20) << file.name;
    EXPECT_EQ(file.etag.size(), 18U) << file.name;
  }
}

// What a browser loads.
TEST(Page, AllOfItIsUnder60KilobytesCompressed) {
  const std::size_t sum = std::accumulate(page_files().begin(), page_files().end(), std::size_t{0},
                                          [](std::size_t all, const PageFile& file) { return all + file.gzip.size(); });
  EXPECT_LT(sum, std::size_t{60'000});
}

TEST(Page, RoutesNameTheFilesAndNothingElse) {
  EXPECT_EQ(page_routes().size(), page_files().size() + 1);
  EXPECT_EQ(ask("/").body, ask("/page/index.html").body);
  EXPECT_EQ(ask("/").content_type, "text/html; charset=utf-8");
  EXPECT_EQ(ask("/page/main.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(ask("/page/page.css").content_type, "text/css; charset=utf-8");
  EXPECT_EQ(ask("/page/icon.svg").content_type, "image/svg+xml");
  for (const char* path : {"/page", "/page/", "/page/../page.cc", "/page/none.js", "/index.html"})
    EXPECT_EQ(ask(path).status, 404) << path;
}

TEST(Page, EveryFileComesWithThePolicy) {
  for (const httpd::Route& route : page_routes()) {
    const httpd::Response response = ask(route.path);
    EXPECT_EQ(response.status, 200);
    const std::string policy = header(response, "Content-Security-Policy");
    EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
    EXPECT_THAT(policy, HasSubstr("script-src 'self'"));
    EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
    EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
    EXPECT_EQ(header(response, "X-Content-Type-Options"), "");  // the server sends it with all answers
    EXPECT_EQ(header(response, "Referrer-Policy"), "no-referrer");
  }
}

TEST(Page, NothingMakesMarkupOfText) {
  for (const PageFile& file : page_files()) {
    for (const char* word : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser",
                             "http://", "https://"}) {
      const std::size_t at = file.plain.find(word);
      // The name of SVG's elements is written like an address.
      const bool name = at != std::string_view::npos && file.plain.substr(at).starts_with("http://www.w3.org/2000/svg");
      EXPECT_TRUE(at == std::string_view::npos || name) << file.name << ": " << word;
    }
  }
}

TEST(Page, GzipForWhoTakesIt) {
  const auto encoding = [](const std::string& accepts) {
    return header(ask("/", {{"Accept-Encoding", accepts}}), "Content-Encoding");
  };
  for (const char* accepts : {"gzip", "deflate, gzip, br", "gzip;q=0.5", "br , gzip ; q=1.0"})
    EXPECT_EQ(encoding(accepts), "gzip") << accepts;
  for (const char* accepts : {"", "identity", "*", "gzip;q=0", "gzip; q=0.000", "xgzip", "br"})
    EXPECT_EQ(encoding(accepts), "") << accepts;
  const httpd::Response compressed = ask("/", {{"Accept-Encoding", "gzip"}});
  EXPECT_TRUE(is_gzip_of(compressed.body, ask("/").body));
  EXPECT_EQ(header(compressed, "Vary"), "Accept-Encoding");
}

TEST(Page, NotModified) {
  const std::string etag = header(ask("/page/main.js"), "ETag");
  const std::string zipped = header(ask("/page/main.js", {{"Accept-Encoding", "gzip"}}), "ETag");
  EXPECT_NE(etag, zipped);
  const auto status = [](const std::string& tags, const std::string& accepts) {
    return ask("/page/main.js", {{"If-None-Match", tags}, {"Accept-Encoding", accepts}}).status;
  };
  EXPECT_EQ(status(etag, ""), 304);
  EXPECT_EQ(status(zipped, "gzip"), 304);
  EXPECT_EQ(status("\"x\", W/" + etag, ""), 304);
  EXPECT_EQ(status("*", ""), 304);
  EXPECT_EQ(status(etag, "gzip"), 200);
  EXPECT_EQ(status("\"x\"", ""), 200);
  EXPECT_EQ(ask("/page/main.js", {{"If-None-Match", etag}}).body, "");
  EXPECT_EQ(header(ask("/page/main.js", {{"If-None-Match", etag}}), "ETag"), etag);
}

}  // namespace
}  // namespace weir::serve
