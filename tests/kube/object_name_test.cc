#include "kube/object_name.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::kube {
namespace {

TEST(ObjectNameTest, Labels) {
  for (const std::string& good : {std::string("a"), std::string("0"), std::string("a-b"), std::string(63, 'x')}) {
    EXPECT_TRUE(is_dns_label(good)) << good;
    EXPECT_TRUE(is_dns_subdomain(good)) << good;
  }
  for (const std::string& bad : {std::string(), std::string("-a"), std::string("a-"), std::string("a.b"), std::string("A"),
                                 std::string("a_b"), std::string("a,b"), std::string(64, 'x')}) {
    EXPECT_FALSE(is_dns_label(bad)) << bad;
  }
}

TEST(ObjectNameTest, Subdomains) {
  for (const char* good : {"ip-10-0-0-7.eu-west-1.compute.internal", "a.b", "1.2"}) EXPECT_TRUE(is_dns_subdomain(good)) << good;
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a.-b", "a-.b", "Node", "a_b", "a,metadata.name=b", "a b", "a/b"}) {
    EXPECT_FALSE(is_dns_subdomain(bad)) << bad;
  }
  EXPECT_TRUE(is_dns_subdomain(std::string(253, 'x')));
  EXPECT_FALSE(is_dns_subdomain(std::string(254, 'x')));
}

TEST(ObjectNameTest, ValuesOfAFieldSelector) {
  EXPECT_EQ(field_value("node-1.x"), "node-1.x");
  EXPECT_EQ(field_value("a,metadata.name=b\\"), "a\\,metadata.name\\=b\\\\");
}

}  // namespace
}  // namespace weir::kube
