#include "scan/damage.h"

#include "support/collect.h"

#include <gtest/gtest.h>

namespace weir::scan {
namespace {

using Said = std::vector<std::string>;

TEST(Damage, EachBlockIsCountedAndSaidOnce) {
  test::TestContext context;
  Damage damage(context.diagnostics);
  Damage same = damage;
  damage.block("a.db", 1, "block 1 is broken");
  same.block("a.db", 1, "block 1 is broken");
  EXPECT_EQ(damage.unreadable(), 1U);
  same.block("b.db", 1, "block 1 of b is broken");
  damage.log("a.db", "no log");
  same.log("a.db", "no log");
  EXPECT_EQ(damage.unreadable(), 3U);
  EXPECT_EQ(same.unreadable(), 3U);
  EXPECT_EQ(context.diagnostics.said(), (Said{"block 1 is broken", "block 1 of b is broken", "no log"}));
}

TEST(Damage, EvictedRecordsAreSaidTogether) {
  test::TestContext context;
  Damage damage(context.diagnostics);
  damage.evicted("a.db", 1, 2);
  damage.evicted("a.db", 1, 2);
  damage.evicted("a.db", 2, 3);
  damage.say_evicted();
  damage.say_evicted();
  EXPECT_EQ(damage.unreadable(), 0U);
  EXPECT_EQ(context.diagnostics.said(),
            (Said{"up to 5 records are missing: the process that writes the spool removed them meanwhile"}));
}

}  // namespace
}  // namespace weir::scan
