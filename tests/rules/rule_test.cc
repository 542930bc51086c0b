#include "rules/rule.h"

#include <gtest/gtest.h>

namespace weir::rules {
namespace {

TEST(Rule, EachActionHasItsWord) {
  EXPECT_EQ(word_of(Redact{}), "redact");
  EXPECT_EQ(word_of(Keep{}), "keep");
  EXPECT_EQ(word_of(Drop{}), "drop");
  EXPECT_EQ(word_of(Hold{}), "hold");
  EXPECT_EQ(word_of(Release{}), "release");
  EXPECT_EQ(word_of(Sample{}), "sample");
  EXPECT_EQ(word_of(Limit{}), "limit");
  EXPECT_EQ(word_of(Dedup{}), "dedup");
  EXPECT_EQ(word_of(Tenant{}), "tenant");
}

}  // namespace
}  // namespace weir::rules
