#include "base/last_words.h"

#include "base/thread.h"

#include <gtest/gtest.h>

#include <pthread.h>
#include <unistd.h>
#include <new>
#include <stdexcept>

namespace weir::base {
namespace {

TEST(LastWords, AFailedAllocationIsAnExitCodeAndALine) {
  const auto allocate = [] {
    arrange_last_words("push");
    static_cast<void>(::operator new (std::size_t{1} << 60));
  };
  EXPECT_EXIT(allocate(), testing::ExitedWithCode(4), "^weir push: cannot go on: there is no more memory");
}

TEST(LastWords, SoIsAnExceptionThatNobodyExpected) {
  const auto fly = [](std::string_view command) {
    arrange_last_words(command);
    std::thread([] { throw std::runtime_error("a reason"); }).join();
  };
  EXPECT_EXIT(fly(""), testing::ExitedWithCode(4), "^weir: cannot go on: an unexpected error, which is a bug of weir: a reason\n$");
}

TEST(Thread, RunsTheBody) {
  bool ran = false;
  auto thread = start_thread("do a thing", [&ran] { ran = true; });
  ASSERT_TRUE(thread.ok());
  thread->join();
  EXPECT_TRUE(ran);
}

// No address space for one more stack: what the system says to too many threads, too.
TEST(Thread, SaysWhyThereIsNone) {
  const auto start = [] {
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, std::size_t{1} << 46);
    ::pthread_setattr_default_np(&attributes);
    auto thread = start_thread("do a thing", [] {});
    if (thread) ::_exit(1);
    const bool told = thread.error().code == Code::io &&
                      thread.error().message == "cannot start a thread to do a thing: Resource temporarily unavailable";
    ::_exit(told ? 0 : 2);
  };
  EXPECT_EXIT(start(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace weir::base
