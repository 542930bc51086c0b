#include "tail/restarts.h"

#include "base/clock.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::tail {
namespace {

TEST(ContainerRestarts, OfAPath) {
  const auto f = [](std::string_view key, std::string_view folder, std::uint64_t number) {
    const auto restart = restart_of(key);
    ASSERT_TRUE(restart) << key;
    EXPECT_EQ(restart->folder, folder);
    EXPECT_EQ(restart->number, number);
  };
  f("/var/log/pods/shop_web_u/app/0.log", "/var/log/pods/shop_web_u/app/", 0);
  f("/var/log/pods/shop_web_u/app/12.log", "/var/log/pods/shop_web_u/app/", 12);
  for (const auto* key : {"/var/log/app/0.log", "/var/log/pods/shop_web_u/app/x.log",
                          "/var/log/pods/shop_web_u/app/0.log.20240501-101010", "/var/log/pods/shop_web_u/app/1x.log"}) {
    EXPECT_FALSE(restart_of(key)) << key;
  }
}

TEST(ContainerRestarts, TheOlderOfTwoIsFound) {
  const ReadOptions options;
  ReadStats stats;
  std::uint32_t count = 0;
  const auto reader = [&](const std::string& name) {
    return LogReader(++count, "/p/shop_web_u/" + name, options, stats, base::Clock::system());
  };
  LogReader first = reader("app/0.log"), second = reader("app/1.log"), third = reader("app/10.log"), other = reader("side/0.log"),
            none = reader("notes.txt");
  Restarts restarts;
  EXPECT_EQ(restarts.add(second), nullptr);
  EXPECT_EQ(restarts.add(other), nullptr);
  EXPECT_EQ(restarts.add(none), nullptr);
  EXPECT_EQ(restarts.add(first), &first);   // it is there late
  EXPECT_EQ(restarts.add(third), &second);  // by number, not by name
  restarts.remove(second);                  // it is none of the latest
  restarts.remove(none);
  LogReader fourth = reader("app/11.log"), fifth = reader("app/12.log");
  EXPECT_EQ(restarts.add(fourth), &third);
  restarts.remove(fourth);
  EXPECT_EQ(restarts.add(fifth), nullptr);
}

}  // namespace
}  // namespace weir::tail
