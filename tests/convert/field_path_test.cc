#include "convert/field_path.h"

#include <gtest/gtest.h>

namespace weir::convert {
namespace {

TEST(FieldPath, IsThatOfLogql) {
  const std::pair<const char*, const char*> cases[] = {
      {"a", "a"},   {"a.b_c.d1", "a.b_c.d1"},     {"a[0].b", "a[0].b"}, {"\"x.y\"", R"(["x.y"])"}, {"a.\"b-c\"", R"(a["b-c"])"},
      {" a ", "a"}, {"\"q\\\"r\"", R"(["q\"r"])"}};
  for (const auto& [jmes, logql] : cases) EXPECT_EQ(logql_path(jmes), logql) << jmes;
}

TEST(FieldPath, RefusesWhatOnlyJmesPathHas) {
  for (const char* const jmes : {"", "a.", ".a", "a..b", "a[*]", "a[?b]", "a || b", "length(a)", "a | b", "@", "a[-1]", "a-b",
                                 "\"a", "\"\"", "[0]", "a[99999999]", "1a"}) {
    EXPECT_FALSE(logql_path(jmes).has_value()) << jmes;
  }
}

}  // namespace
}  // namespace weir::convert
