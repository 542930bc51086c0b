#include "logql/arithmetic.h"

#include <gtest/gtest.h>

#include <cmath>

namespace weir::logql {
namespace {

TEST(Arithmetic, Operates) {
  EXPECT_EQ(operate(BinaryOp::add, 2, 3, false), 5);
  EXPECT_EQ(operate(BinaryOp::sub, 2, 3, false), -1);
  EXPECT_EQ(operate(BinaryOp::mul, 2, 3, false), 6);
  EXPECT_EQ(operate(BinaryOp::div, 3, 2, false), 1.5);
  EXPECT_EQ(operate(BinaryOp::mod, -7, 4, false), -3);
  EXPECT_EQ(operate(BinaryOp::pow, 2, 10, false), 1024);
}

TEST(Arithmetic, DividesByZero) {
  for (const BinaryOp op : {BinaryOp::div, BinaryOp::mod}) {
    for (const double left : {0.0, 1.0, -1.0}) EXPECT_TRUE(std::isnan(*operate(op, left, 0, false)));
  }
}

TEST(Arithmetic, ComparesOrFilters) {
  EXPECT_EQ(operate(BinaryOp::greater, 2, 1, false), 1);
  EXPECT_EQ(operate(BinaryOp::greater, 1, 2, false), 0);
  EXPECT_EQ(operate(BinaryOp::greater, 2, 1, true), 1);
  EXPECT_EQ(operate(BinaryOp::greater, 1, 2, true), std::nullopt);
  EXPECT_EQ(operate(BinaryOp::not_equal, NAN, NAN, true), 1);
  EXPECT_EQ(operate(BinaryOp::equal, NAN, NAN, true), std::nullopt);
}

TEST(Arithmetic, KnowsNoSetOperations) {
  for (const BinaryOp op : {BinaryOp::and_, BinaryOp::or_, BinaryOp::unless}) EXPECT_EQ(operate(op, 1, 1, false), std::nullopt);
}

}  // namespace
}  // namespace weir::logql
