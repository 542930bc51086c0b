#include "names/service_name.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace weir::names {
namespace {

TEST(ServiceName, TheFirstLabelOfLokisList) {
  const auto f = [](const std::map<std::string, std::string, std::less<>>& labels) {
    return std::string(service_name([&](std::string_view name) {
      const auto found = labels.find(name);
      return found == labels.end() ? std::string_view() : std::string_view(found->second);
    }));
  };
  EXPECT_EQ(f({}), "unknown_service");
  EXPECT_EQ(f({{"pod", "p"}}), "unknown_service");
  EXPECT_EQ(f({{"container", "c"}, {"app", "a"}}), "a");
  EXPECT_EQ(f({{"container", "c"}, {"job", "j"}}), "c");
}

}  // namespace
}  // namespace weir::names
