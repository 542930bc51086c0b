// What a run decides by its spec alone. Whole runs: tests/e2e/smoke_test.py, tests/loki/real/smoke_test.py.
#include "smoke/run.h"

#include <gtest/gtest.h>

namespace weir::smoke {
namespace {

using base::Code;

TEST(StandardLarge, KeepsWithinLokisLimits) {
  const auto f = [](Way way, std::uint32_t records, std::uint32_t rate, Large large) {
    EXPECT_EQ(standard_large({.records = records, .rate = rate, .way = way}), large) << records << " at " << rate;
  };
  f(Way::push, 200, 40, Large::all);
  f(Way::push, 400, 100, Large::all);
  f(Way::push, 401, 40, Large::one);
  f(Way::push, 200, 101, Large::one);
  f(Way::command, 200, 40, Large::one);
  f(Way::print, 200, 40, Large::one);
}

TEST(StandardSelector, OfEachWay) {
  EXPECT_EQ(standard_selector(Way::push), "{job=\"weir-smoke\"}");
  EXPECT_EQ(standard_selector(Way::command), "{namespace=\"weir-smoke\"}");
  EXPECT_EQ(standard_selector(Way::print), "") << "only the agent knows";
}

TEST(Check, Success) {
  EXPECT_TRUE(check({}));
  EXPECT_TRUE(check({.read_back = false}));
  EXPECT_TRUE(check({.way = Way::command, .command = "true"}));
  EXPECT_TRUE(check({.way = Way::print, .selector = "{a=\"b\"}"}));
}

TEST(Check, Failure) {
  for (const RunSpec& spec : {RunSpec{.way = Way::print}, RunSpec{.way = Way::command, .command = "true", .read_back = false},
                              RunSpec{.way = Way::print, .selector = "{a=\"b\"}", .read_back = false}}) {
    const auto checked = check(spec);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, Code::usage);
  }
}

}  // namespace
}  // namespace weir::smoke
