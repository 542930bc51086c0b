#include "httpd/message.h"

#include <gtest/gtest.h>

namespace weir::httpd {
namespace {

TEST(Request, HeadersAreFoundInAnyCase) {
  Request request;
  request.headers = {{"Host", "a"}, {"X-Scope-OrgID", "b"}, {"host", "c"}};
  EXPECT_EQ(request.header("HOST"), "a");
  EXPECT_EQ(request.header("x-scope-orgid"), "b");
  EXPECT_EQ(request.header("x-scope"), "");
}

TEST(Request, ParametersAreDecoded) {
  Request request;
  request.query = "query=%7Ba%3D%22b%22%7D+x&limit=5&empty=&flag&limit=6&a%26b=c";
  EXPECT_EQ(request.parameter("query"), "{a=\"b\"} x");
  EXPECT_EQ(request.parameter("limit"), "5");
  EXPECT_EQ(request.parameter("empty"), "");
  EXPECT_EQ(request.parameter("flag"), "");
  EXPECT_EQ(request.parameter("a&b"), "c");
  EXPECT_EQ(request.parameter("none"), std::nullopt);
}

}  // namespace
}  // namespace weir::httpd
