#include "base/wake.h"

#include "base/stop.h"

#include <gtest/gtest.h>

#include <poll.h>
#include <unistd.h>

#include <thread>

namespace weir::base {
namespace {

bool readable(const Wake& wake, int timeout = 0) {
  pollfd ready = {wake.fd(), POLLIN, 0};
  return ::poll(&ready, 1, timeout) == 1;
}

TEST(Wake, CostsNothingUntilItIsOpened) {
  Wake wake;
  EXPECT_EQ(wake.fd(), -1);
  wake.ring();
  wake.hear();
  EXPECT_EQ(wake.fd(), -1);
}

TEST(Wake, ARingIsHeardOnceHoweverManyThereWere) {
  Wake wake;
  ASSERT_TRUE(wake.open());
  ASSERT_TRUE(wake.open());
  EXPECT_FALSE(readable(wake));
  wake.ring();
  wake.ring();
  EXPECT_TRUE(readable(wake));
  wake.hear();
  EXPECT_FALSE(readable(wake));
  wake.ring();
  EXPECT_TRUE(readable(wake));
}

TEST(Wake, AThreadThatWaitsIsWokenByAnother) {
  Wake wake;
  ASSERT_TRUE(wake.open());
  std::thread other([&wake] { wake.ring(); });
  EXPECT_TRUE(readable(wake, -1));
  other.join();
}

TEST(Wake, ADescriptorWakesAsLongAsItIsReadable) {
  Wake wake;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  ASSERT_TRUE(wake.watch(read_end.get()));
  EXPECT_FALSE(readable(wake));
  ASSERT_EQ(::write(write_end.get(), "x", 1), 1);
  wake.hear();
  EXPECT_TRUE(readable(wake));  // nobody has read it yet
  char byte = 0;
  ASSERT_EQ(::read(read_end.get(), &byte, 1), 1);
  wake.hear();
  EXPECT_FALSE(readable(wake));
  ASSERT_EQ(::write(write_end.get(), "x", 1), 1);
  wake.forget(read_end.get());
  wake.hear();
  EXPECT_FALSE(readable(wake));
}

TEST(Wake, EachWakeHearsEachReload) {
  auto stop = std::move(*Stop::create());
  auto child = std::move(*Stop::create_child(*stop));
  Wake first, second;
  ASSERT_TRUE(first.watch_event(stop->reload_fd()));
  ASSERT_TRUE(second.watch_event(child->reload_fd()));
  for (int reloads = 1; reloads <= 3; ++reloads) {
    stop->request_reload();
    EXPECT_TRUE(readable(first));
    EXPECT_TRUE(readable(second));
    first.hear();
    second.hear();
    EXPECT_FALSE(readable(first));
    EXPECT_FALSE(readable(second));
    EXPECT_EQ(child->reloads(), reloads);
  }
}

}  // namespace
}  // namespace weir::base
