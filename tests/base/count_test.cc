#include "base/count.h"

#include <gtest/gtest.h>

#include <limits>

namespace weir::base {
namespace {

TEST(Count, IsGroupedByThousands) {
  const auto f = [](std::uint64_t number, std::string_view wanted) { EXPECT_EQ(grouped(number), wanted); };
  f(0, "0");
  f(999, "999");
  f(1000, "1,000");
  f(12345, "12,345");
  f(123456, "123,456");
  f(1234567, "1,234,567");
  f(std::numeric_limits<std::uint64_t>::max(), "18,446,744,073,709,551,615");
}

TEST(Count, AgreesWithItsNoun) {
  const auto f = [](std::uint64_t number, std::string_view wanted) { EXPECT_EQ(count_of(number, "record"), wanted); };
  f(0, "0 records");
  f(1, "1 record");
  f(2, "2 records");
  f(1001, "1,001 records");
  EXPECT_EQ(count_of(1, "retry", "retries"), "1 retry");
  EXPECT_EQ(count_of(2000, "retry", "retries"), "2,000 retries");
}

}  // namespace
}  // namespace weir::base
