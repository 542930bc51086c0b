#include "stages/pusher_config.h"

#include <gtest/gtest.h>

namespace weir::stages {
namespace {

TEST(PusherConfig, TheDefaultsDependOnWhereTheRecordsComeFrom) {
  struct Case {
    const char* name;
    PusherInput input;
    base::Duration wait, give_up, jitter;
    double rate;
    bool one_shot, can_leave;
    std::size_t calm_bytes;
  };
  constexpr base::Duration second = base::kSecond;
  constexpr std::size_t mib = 1 << 20, small = 32 << 10, large = 256 << 10;
  for (const Case& one : {
           Case{"nothing is tracked", {}, second, 300 * second, 4 * second, 0, true, false, large},
           Case{"a rejected store", {.listens = true}, second, 300 * second, 4 * second, 0, true, false, small},
           Case{"a checkpoint", {.tracked = true, .listens = true}, second, 0, 4 * second, mib, false, false, small},
           Case{"a spool", {.tracked = true, .listens = true, .in_spool = true}, 0, 0, 30 * second, mib, false, true, small},
           Case{"a spool that ends",
                {.tracked = true, .listens = true, .in_spool = true, .follows = false},
                0,
                0,
                30 * second,
                0,
                false,
                true,
                small},
       }) {
    const loki::PusherConfig config = pusher_config({}, one.input);
    EXPECT_EQ(config.wait, one.wait) << one.name;
    EXPECT_EQ(config.give_up, one.give_up) << one.name;
    EXPECT_EQ(config.catch_up.jitter, one.jitter) << one.name;
    EXPECT_EQ(config.catch_up.rate, one.rate) << one.name;
    EXPECT_EQ(config.one_shot, one.one_shot) << one.name;
    EXPECT_EQ(config.can_leave, one.can_leave) << one.name;
    EXPECT_EQ(config.calm_bytes, one.calm_bytes) << one.name;
    EXPECT_EQ(config.tracked, one.input.listens) << one.name;
  }
}

TEST(PusherConfig, AnOptionWinsOverADefault) {
  PushSpec spec;
  spec.wait = 7;
  spec.give_up = 8;
  spec.start_jitter = 9;
  spec.drain_rate = 10;
  spec.batch_bytes = 4096;
  for (const bool in_spool : {false, true}) {
    const loki::PusherConfig config = pusher_config(spec, {.tracked = true, .listens = true, .in_spool = in_spool});
    EXPECT_EQ(config.wait, 7);
    EXPECT_EQ(config.give_up, 8);
    EXPECT_EQ(config.catch_up.jitter, 9);
    EXPECT_EQ(config.catch_up.rate, 10);
    EXPECT_EQ(config.request_bytes, 4096U);
    EXPECT_EQ(config.stream_bytes, 4096U);
  }
}

}  // namespace
}  // namespace weir::stages
