// Expected values are what Loki 3.7.6 answered to addf, subf, mulf and divf.
#include "gotext/decimal.h"

#include <gtest/gtest.h>

#include <limits>

namespace weir::test {
namespace {

using gotext::Decimal;

double sum(double a, double b) { return (Decimal(a) += Decimal(b)).to_double(); }
double difference(double a, double b) { return (Decimal(a) -= Decimal(b)).to_double(); }
double product(double a, double b) { return (Decimal(a) *= Decimal(b)).to_double(); }
double quotient(double a, double b) { return (Decimal(a) /= Decimal(b)).to_double(); }

TEST(Decimal, CountsInTens) {
  EXPECT_EQ(sum(0.1, 0.2), 0.3);
  EXPECT_EQ(sum(1e20, 1), 100000000000000000001.0);
  EXPECT_EQ(sum(-0.5, 0.5), 0);
  EXPECT_EQ(sum(0, -2.5), -2.5);
  EXPECT_EQ(sum(5e-324, 1), 1);
  EXPECT_EQ(difference(0.3, 0.1), 0.2);
  EXPECT_EQ(difference(1, 2.75), -1.75);
  EXPECT_EQ(difference(-1, -3), 2);
  EXPECT_EQ(product(1.1, 1.1), 1.21);
  EXPECT_EQ(product(-3, 0), 0);
  EXPECT_EQ(product(-1e-7, -2), 2e-7);
}

TEST(Decimal, DividesToSixteenPlaces) {
  EXPECT_EQ(quotient(1, 3), 0.3333333333333333);
  EXPECT_EQ(quotient(2, 3), 0.6666666666666667);
  EXPECT_EQ(quotient(-2, 3), -0.6666666666666667);
  EXPECT_EQ(quotient(1, 1e17), 0);
  EXPECT_EQ(quotient(5, 1e17), 1e-16);
  EXPECT_EQ(quotient(1e300, 1e-5), 1e305);
  EXPECT_EQ(quotient(0, 7), 0);
  EXPECT_EQ(quotient(100, 8), 12.5);
}

TEST(Decimal, GivesTheNearestDouble) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  EXPECT_EQ(sum(kLargest, kLargest), std::numeric_limits<double>::infinity());
  EXPECT_EQ(product(5e-324, 0.1), 0);
  for (const double value : {1.0, -2.5, 1e21, 123456789.125, 5e-324, kLargest, 0.1}) EXPECT_EQ(Decimal(value).to_double(), value);
}

}  // namespace
}  // namespace weir::test
