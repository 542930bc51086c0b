#include "serve/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <thread>

namespace weir::serve {
namespace {

// A door that jobs wait at.
class Door {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

std::size_t threads() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

TEST(Workers, RunsSoManyAtOnceAndLetsSoManyWait) {
  Door door;
  std::atomic<int> done = 0;
  {
    const auto workers = Workers::create({.threads = 2, .waiting = 3});
    const auto job = [&] {
      door.pass();
      ++done;
    };
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(workers->add(job));
    door.wait_for(2);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(workers->add(job));
    EXPECT_FALSE(workers->add(job));
    door.open();
    while (done < 5) std::this_thread::yield();
    EXPECT_TRUE(workers->add([&] { ++done; }));
    while (done < 6) std::this_thread::yield();
  }
  EXPECT_EQ(done, 6);
}

TEST(Workers, WhatWaitsAtTheEndDoesNotRun) {
  Door door;
  std::atomic<int> done = 0;
  auto workers = Workers::create({.threads = 1, .waiting = 3});
  ASSERT_TRUE(workers->add([&] {
    door.pass();
    ++done;
  }));
  door.wait_for(1);
  ASSERT_TRUE(workers->add([&] { done += 10; }));
  std::thread ends([&] { workers.reset(); });
  door.open();
  ends.join();
  // The second one may have run before the end began, never after it.
  EXPECT_TRUE(done == 1 || done == 11);
}

TEST(Workers, AtRestThereIsNoThread) {
  const std::size_t before = threads();
  const auto workers = Workers::create({.threads = 2, .waiting = 1, .rest = base::kMillisecond});
  EXPECT_EQ(threads(), before);
  for (int round = 0; round < 3; ++round) {
    std::atomic<bool> done = false;
    ASSERT_TRUE(workers->add([&] { done = true; }));
    while (!done) std::this_thread::yield();
    while (threads() > before) std::this_thread::yield();
  }
}

}  // namespace
}  // namespace weir::serve
