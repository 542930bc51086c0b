#include "cli/context_options.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include <utility>

namespace weir::cli {
namespace {

std::pair<std::size_t, std::size_t> spec(const std::string& arguments) {
  CLI::App app;
  ContextFlags flags;
  declare_context(app, flags);
  app.parse(arguments, false);
  EXPECT_TRUE(flags.given());
  return {flags.spec().before, flags.spec().after};
}

TEST(ContextOptions, AreThoseOfGrep) {
  using Pair = std::pair<std::size_t, std::size_t>;
  EXPECT_EQ(spec("-A 2"), (Pair{0, 2}));
  EXPECT_EQ(spec("-B 2"), (Pair{2, 0}));
  EXPECT_EQ(spec("-C 3"), (Pair{3, 3}));
  EXPECT_EQ(spec("-C 3 -A 1"), (Pair{3, 1}));
  EXPECT_EQ(spec("-B 0 -C 3"), (Pair{0, 3}));
}

TEST(ContextOptions, WhatStandsBesideThem) {
  ContextFlags flags;
  EXPECT_FALSE(flags.given());
  EXPECT_TRUE(check(flags, true, false).ok());
  flags.after = 1;
  EXPECT_TRUE(check(flags, false, true).ok());
  EXPECT_EQ(check(flags, true, true).error().message, "cannot show context with --follow or an expectation");
  EXPECT_EQ(check(flags, false, false).error().message, "cannot show context of labels or series");
}

}  // namespace
}  // namespace weir::cli
