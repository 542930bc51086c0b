#include "cli/query_extent_options.h"

#include "cli/value_error.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace weir::cli {
namespace {

TEST(QueryExtent, Options) {
  CLI::App app;
  QueryExtentOptions options;
  declare(app, options);
  app.parse("--limit 5 --forward --step 1m30s", false);
  EXPECT_EQ(options.limit, 5U);
  EXPECT_TRUE(options.forward);
  EXPECT_EQ(options.step, 90 * base::kSecond);
}

TEST(QueryExtent, AStepOfNothingIsRefused) {
  CLI::App app;
  QueryExtentOptions options;
  declare(app, options);
  EXPECT_THROW(app.parse("--step 0s", false), ValueError);
}

}  // namespace
}  // namespace weir::cli
