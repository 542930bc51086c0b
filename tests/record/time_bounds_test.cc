#include "record/time_bounds.h"

#include "record/timestamp.h"

#include <gtest/gtest.h>

namespace weir::record {
namespace {

TEST(TimeBounds, OutOfRange) {
  for (const char* text : {"2300-01-01", "2262-01-01T00:00:00Z", "1600-02-29 10:00", "1677-12-31T23:59:59Z", "99999999h",
                           "-999999999y", "0001-01-01"}) {
    EXPECT_TRUE(is_time_out_of_range(text)) << text;
    const auto time = parse_time(text, 0);
    ASSERT_FALSE(time) << text;
    EXPECT_NE(time.error().message.find("out of range"), std::string::npos) << time.error().message;
    EXPECT_EQ(time.error().hint, kTimeBounds);
  }
  for (const char* text : {"2261-12-31", "1678-01-02T00:00:00Z", "2300-13-01", "2300", "23h", "99999999", "99999999x", "10:00"})
    EXPECT_FALSE(is_time_out_of_range(text)) << text;
}

}  // namespace
}  // namespace weir::record
