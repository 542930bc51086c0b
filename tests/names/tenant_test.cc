#include "names/tenant.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::names {
namespace {

TEST(Tenant, WhatLokiTakes) {
  for (const char* tenant : {"", "team-a", "0:1", "A_b.c", "(x)!*'"}) EXPECT_TRUE(is_tenant(tenant)) << tenant;
  EXPECT_TRUE(is_tenant(std::string(kLongestTenant, 'x')));
}

TEST(Tenant, WhatLokiRefuses) {
  for (const char* tenant : {".", "..", "a b", "a|b", "a/b", "caf\u00e9", "a\"b", "a\nb"})
    EXPECT_FALSE(is_tenant(tenant)) << tenant;
  EXPECT_FALSE(is_tenant(std::string(1, '\0')));
  EXPECT_FALSE(is_tenant(std::string(kLongestTenant + 1, 'x')));
}

}  // namespace
}  // namespace weir::names
