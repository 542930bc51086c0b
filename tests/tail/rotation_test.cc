#include "tail/rotation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace weir::tail {
namespace {

TEST(Rotation, NamesThatKeepTheExtension) {
  const auto f = [](std::string_view name, std::string_view live, std::string_view rotation) {
    EXPECT_EQ(inner_rotation_of(name, live), rotation) << name;
  };
  f("server-2026-01-02T03-04-05.000.log", "server.log", "2026-01-02T03-04-05.000");
  f("server.1.log", "server.log", "1");
  f("server.2026-01-02.3.log.gz", "server.log", "2026-01-02.3");
  f("server_old.log", "server.log", "old");
  f("out-1.txt", "out.txt", "1");
  f("server.log", "server.log", "");
  f("server.log.1", "server.log", "");
  f("server-b.log", "server.log", "");
  f("server1.log", "server.log", "");
  f("server-.log", "server.log", "");
  f("syslog-1", "syslog", "");
  f("-1.log", ".log", "");
  EXPECT_EQ(rotation_shape("server-2026-01-02.log"), rotation_shape("server-2026-12-31.log.gz"));
  EXPECT_NE(rotation_shape("server-1.log"), rotation_shape("server.1.log"));
}

TEST(Rotation, NamesInOrderOfAge) {
  const auto f = [](std::vector<std::string> oldest_first) {
    auto shuffled = oldest_first;
    std::reverse(shuffled.begin(), shuffled.end());
    std::sort(shuffled.begin(), shuffled.end(), rotated_before);
    EXPECT_EQ(shuffled, oldest_first);
  };
  f({"0.log.20240430-235959.gz", "0.log.20240501-000000.gz", "0.log.20240501-101010"});
  f({"app.log.11.gz", "app.log.10.gz", "app.log.9", "app.log.2", "app.log.1"});
}

}  // namespace
}  // namespace weir::tail
