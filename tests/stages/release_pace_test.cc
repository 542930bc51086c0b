#include "stages/release_pace.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using base::kSecond;

TEST(ReleasePace, BlocksComeAtTheRateAndRestAfterASlowCommit) {
  struct Case {
    std::uint64_t rate, bytes;
    base::Duration took, wait;
  };
  for (const Case& one : {Case{1 << 20, 1 << 20, 0, kSecond}, Case{1 << 20, 1 << 20, kSecond / 4, kSecond * 3 / 4},
                          Case{1 << 20, 1 << 19, 0, kSecond / 2}, Case{1 << 20, 0, kSecond, 0}, Case{0, 1 << 30, kSecond, 0},
                          Case{0, 1, 3 * kSecond, 30 * kSecond}, Case{1 << 20, 60 << 20, 3 * kSecond, 57 * kSecond},
                          Case{1024, 1 << 30, 0, base::kHour}}) {
    ReleasePace pace(one.rate);
    EXPECT_EQ(pace.due(), 0);
    pace.copied(one.bytes, one.took, 100 * kSecond);
    EXPECT_EQ(pace.due(), 100 * kSecond + one.wait) << one.rate << " " << one.bytes << " " << one.took;
  }
}

TEST(ReleasePace, WaitsForRoomAndForOthers) {
  ReleasePace pace(0);
  pace.no_room(kSecond);
  EXPECT_EQ(pace.due(), kSecond + ReleasePace::kTryAgain);
  pace.others_first(kSecond);
  EXPECT_EQ(pace.due(), kSecond + ReleasePace::kCheckEvery);
}

}  // namespace
}  // namespace weir::stages
