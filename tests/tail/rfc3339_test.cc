#include "tail/rfc3339.h"

#include "record/timestamp.h"

#include <gtest/gtest.h>

namespace weir::tail {
namespace {

TEST(Rfc3339LineTest, Success) {
  SecondCache cache;
  const auto f = [&](std::string_view line, std::string_view time, std::string_view content, std::string_view pod = {},
                     std::string_view container = {}) {
    const auto parsed = parse_rfc3339_line(line, cache);
    ASSERT_TRUE(parsed) << line;
    EXPECT_EQ(record::to_rfc3339(parsed->timestamp), time) << line;
    EXPECT_EQ(line.substr(parsed->size), content) << line;
    EXPECT_EQ(parsed->pod, pod) << line;
    EXPECT_EQ(parsed->container, container) << line;
  };
  f("2024-05-01T10:00:00.123456789Z text", "2024-05-01T10:00:00.123456789Z", "text");
  f("2024-05-01T10:00:00.5Z  two blanks", "2024-05-01T10:00:00.5Z", " two blanks");
  f("2024-05-01T12:00:00+02:00 text", "2024-05-01T10:00:00Z", "text");
  f("2024-05-01T10:00:00Z ", "2024-05-01T10:00:00Z", "");
  f("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z", "");
  f("[pod/web-0/app] 2024-05-01T10:00:00Z text", "2024-05-01T10:00:00Z", "text", "web-0", "app");
  f("2024-05-01T10:00:00Z [pod/web-0/app] text", "2024-05-01T10:00:00Z", "[pod/web-0/app] text");
}

TEST(Rfc3339LineTest, Failure) {
  SecondCache cache;
  for (const std::string_view bad :
       {"", "text", "2024-05-01 text", " 2024-05-01T10:00:00Z text", "[pod/web-0/app]", "[pod/web-0/app] text",
        "[pod/web-0] 2024-05-01T10:00:00Z text", "[pod//app] 2024-05-01T10:00:00Z text", "[x/web-0/app] 2024-05-01T10:00:00Z text",
        "2024-05-01T10:00:00Ztext"}) {
    EXPECT_FALSE(parse_rfc3339_line(bad, cache)) << bad;
  }
}

}  // namespace
}  // namespace weir::tail
