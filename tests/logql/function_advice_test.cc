#include "logql/function_advice.h"

#include "logql/function_names.h"

#include <gtest/gtest.h>

namespace weir::logql {
namespace {

TEST(FunctionAdvice, OfPromQl) {
  EXPECT_EQ(instead_of_function("irate").advice, "use rate");
  EXPECT_EQ(instead_of_function("irate").near, "");
  EXPECT_EQ(instead_of_function("limitk").advice, "use topk");
}

TEST(FunctionAdvice, OfNamesThatResembleOne) {
  EXPECT_EQ(instead_of_function("rates").near, "rate");
  EXPECT_EQ(instead_of_function("topkk").near, "topk");
  EXPECT_EQ(instead_of_function("something_else").near, "");
}

TEST(FunctionAdvice, NoFunctionOfLogQlIsSaidToBeMissing) {
  for (const auto name : kRangeFunctions) EXPECT_EQ(instead_of_function(name).advice, "") << name;
  for (const auto name : kMetricFunctions) EXPECT_EQ(instead_of_function(name).advice, "") << name;
}

}  // namespace
}  // namespace weir::logql
