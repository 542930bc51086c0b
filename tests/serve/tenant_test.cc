#include "serve/tenant.h"

#include <gtest/gtest.h>

namespace weir::serve {
namespace {

httpd::Request request_of(std::string tenant) {
  httpd::Request request;
  request.headers.emplace_back("x-scope-orgid", std::move(tenant));
  return request;
}

TEST(Tenant, IsWhatTheHeaderSays) {
  EXPECT_EQ(tenant_of({}).name, "");
  EXPECT_FALSE(tenant_of({}).refused);
  EXPECT_EQ(tenant_of(request_of("team-a")).name, "team-a");
  EXPECT_FALSE(tenant_of(request_of("team-a")).refused);
}

TEST(Tenant, RefusesSeveralAndWhatIsNone) {
  const auto several = tenant_of(request_of("a|b"));
  ASSERT_TRUE(several.refused);
  EXPECT_EQ(several.refused->status, 400);
  EXPECT_EQ(several.refused->body, "multiple org IDs present\n");
  EXPECT_TRUE(tenant_of(request_of("a/b")).refused);
  EXPECT_TRUE(tenant_of(request_of("..")).refused);
  EXPECT_TRUE(tenant_of(request_of(std::string(151, 'a'))).refused);
}

}  // namespace
}  // namespace weir::serve
