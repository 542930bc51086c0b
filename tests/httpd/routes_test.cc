#include "httpd/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::httpd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RoutesTest : public testing::Test {
 protected:
  // The pattern that the request goes to, or the status of its refusal.
  std::string where(const std::string& method, std::string_view path) {
    request_ = Request{.method = method};
    refused_ = {};
    const Route* route = routes_.find(request_, path, refused_);
    return route != nullptr ? route->method + " " + route->path : std::to_string(refused_.status);
  }

  static Response none(const Request&) { return {}; }
  const Routes routes_{{{"GET", "/label/{name}/values", none},
                        {"POST", "/label/{name}/values", none},
                        {"GET", "/label/fixed/values", none},
                        {"GET", "/files/{a}/{b}", none},
                        {"POST", "/files/x/y", none},
                        {"GET", "/", none}}};
  Request request_;
  Response refused_;
};

TEST_F(RoutesTest, FindsSegments) {
  EXPECT_EQ(where("GET", "/label/app/values"), "GET /label/{name}/values");
  EXPECT_THAT(request_.segments, ElementsAre("app"));
  EXPECT_EQ(request_.path, "/label/app/values");
  EXPECT_EQ(where("HEAD", "/files/1/2"), "GET /files/{a}/{b}");
  EXPECT_THAT(request_.segments, ElementsAre("1", "2"));
  EXPECT_EQ(where("POST", "/label/app/values"), "POST /label/{name}/values");
}

TEST_F(RoutesTest, DecodesSegmentsAfterTheyAreTakenApart) {
  EXPECT_EQ(where("GET", "/label/a%2Fb%20c/values"), "GET /label/{name}/values");
  EXPECT_THAT(request_.segments, ElementsAre("a/b c"));
  EXPECT_EQ(request_.path, "/label/a/b c/values");
  EXPECT_EQ(where("GET", "/l%61bel/x/values"), "GET /label/{name}/values");
}

TEST_F(RoutesTest, ARouteWithoutSegmentsGoesFirst) {
  EXPECT_EQ(where("GET", "/label/fixed/values"), "GET /label/fixed/values");
  EXPECT_THAT(request_.segments, IsEmpty());
  // Where only the other one has the method, that one answers.
  EXPECT_EQ(where("POST", "/label/fixed/values"), "POST /label/{name}/values");
  EXPECT_EQ(where("GET", "/files/x/y"), "GET /files/{a}/{b}");
}

TEST_F(RoutesTest, RefusesTheRest) {
  for (const char* path : {"", "*", "/label//values", "/label/a/values/", "/label/a/b/values", "/labels", "/label/a", "//", "/%00"})
    EXPECT_EQ(where("GET", path), "404") << path;
  EXPECT_THAT(request_.segments, IsEmpty());
  EXPECT_EQ(where("DELETE", "/label/a/values"), "405");
  EXPECT_THAT(refused_.headers, ElementsAre(std::pair<std::string, std::string>("Allow", "GET, HEAD, POST")));
  EXPECT_EQ(refused_.body, "Method Not Allowed\n");
}

TEST_F(RoutesTest, AnUnknownPathMayHaveItsOwnText) {
  EXPECT_EQ(where("GET", "/nope"), "404");
  EXPECT_EQ(refused_.body, "Not Found\n");
  const Routes other({{"GET", "/", none}}, "404 page not found\n");
  Request request{.method = "GET"};
  EXPECT_EQ(other.find(request, "/nope", refused_), nullptr);
  EXPECT_EQ(refused_.body, "404 page not found\n");
  request.method = "PUT";
  EXPECT_EQ(other.find(request, "/", refused_), nullptr);
  EXPECT_EQ(refused_.body, "Method Not Allowed\n");
}

TEST(Refusal, NamesItsReason) {
  EXPECT_EQ(refusal(431).body, "Request Header Fields Too Large\n");
  EXPECT_EQ(reason_of(599), "Unknown");
}

}  // namespace
}  // namespace weir::httpd
