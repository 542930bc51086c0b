#include "pipeline/output.h"

#include "support/collect.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>

namespace weir::pipeline {
namespace {

using test::TestContext;

constexpr std::size_t kMuch = 4 << 20;  // more than any pipe or socket holds

struct Ends {
  base::UniqueFd read, write;
};

Ends pipe_ends() {
  int fds[2];
  if (::pipe(fds) != 0) throw std::runtime_error("pipe");
  return {base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

Ends socket_ends() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) throw std::runtime_error("socketpair");
  return {base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

class OutputTest : public testing::TestWithParam<Ends (*)()> {
 protected:
  OutputTest() {
    test_.context.clock = &base::Clock::system();
    std::signal(SIGPIPE, SIG_IGN);
  }
  // Until nobody makes progress any more: a reader that is slow and one that is none look alike only then.
  static void wait_until_full(int read_end) {
    int before = -1;
    for (int now = 0; now == 0 || now != before; std::this_thread::sleep_for(std::chrono::milliseconds(5))) {
      before = now;
      if (::ioctl(read_end, FIONREAD, &now) != 0) throw std::runtime_error("FIONREAD");
    }
  }
  TestContext test_;
  Ends ends_ = GetParam()();
};

TEST_P(OutputTest, WritesEverythingToASlowReader) {
  std::string got;
  std::thread reader([&] {
    char block[1000];
    for (ssize_t size = 0; (size = ::read(ends_.read.get(), block, sizeof block)) > 0;)
      got.append(block, static_cast<std::size_t>(size));
  });
  std::string text(kMuch, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31 % 251);
  {
    Output output(ends_.write.get(), test_.context);
    const auto flow = output.write(text);
    ASSERT_TRUE(flow);
    EXPECT_EQ(*flow, Flow::more);
  }
  ends_.write.reset();
  reader.join();
  EXPECT_TRUE(got == text);
}

TEST_P(OutputTest, LeavesTheDescriptorItselfBlocking) {
  Output output(ends_.write.get(), test_.context);
  ASSERT_TRUE(output.write("x"));
  EXPECT_EQ(::fcntl(ends_.write.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_P(OutputTest, AReaderThatLeftIsDone) {
  Output output(ends_.write.get(), test_.context);
  EXPECT_EQ(output.reader_fd(), ends_.write.get());
  EXPECT_FALSE(output.reader_left());
  ends_.read.reset();
  EXPECT_TRUE(output.reader_left());
  const auto flow = output.write("x");
  ASSERT_TRUE(flow);
  EXPECT_EQ(*flow, Flow::done);
}

// The signal's handler ran on some other thread: nothing interrupts the write itself.
TEST_P(OutputTest, ASecondRequestFromAnotherThreadEndsABlockedWrite) {
  std::thread other([&] {
    wait_until_full(ends_.read.get());
    test_.stop->request(SIGTERM);
    test_.stop->request(SIGTERM);
  });
  Output output(ends_.write.get(), test_.context);
  const auto flow = output.write(std::string(kMuch, 'x'));
  other.join();
  ASSERT_FALSE(flow);
  EXPECT_EQ(flow.error().code, base::Code::interrupted);
}

TEST_P(OutputTest, ABlockedWriteEndsAtTheDeadlineOfTheFirst) {
  test_.stop->request(SIGTERM);
  static_cast<void>(test_.stop->deadline(0));  // as if it had come when the machine booted
  Output output(ends_.write.get(), test_.context);
  ASSERT_TRUE(output.write("what there is room for is written all the same"));
  const auto flow = output.write(std::string(kMuch, 'x'));
  ASSERT_FALSE(flow);
  EXPECT_EQ(flow.error().code, base::Code::interrupted);
  EXPECT_EQ(flow.error().message, "stopped while the output was blocked: its reader takes nothing");
}

TEST_P(OutputTest, ABlockedWriteEndsSomeTimeAfterTheFeedDied) {
  test_.stop->feed_died(0);
  Output output(ends_.write.get(), test_.context);
  const auto flow = output.write(std::string(kMuch, 'x'));
  ASSERT_FALSE(flow);
  EXPECT_EQ(flow.error().code, base::Code::interrupted);
  EXPECT_NE(flow.error().message.find("the process in front of this one died"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Kinds, OutputTest, testing::Values(&pipe_ends, &socket_ends),
                         [](const auto& kind) { return kind.index == 0 ? "pipe" : "socket"; });

TEST(Output, OfAFileNobodyCanLeave) {
  TestContext test;
  const base::UniqueFd file(::open("/tmp", O_TMPFILE | O_RDWR, 0600));
  ASSERT_TRUE(file);
  Output output(file.get(), test.context);
  EXPECT_EQ(output.reader_fd(), -1);
  EXPECT_FALSE(output.reader_left());
  ASSERT_TRUE(output.write("text"));
  char got[5] = {};
  EXPECT_EQ(::pread(file.get(), got, 5, 0), 4);
}

TEST(Output, WhatIsFullOrClosedIsAnError) {
  TestContext test;
  const base::UniqueFd full(::open("/dev/full", O_WRONLY));
  const auto flow = Output(full.get(), test.context).write("x");
  ASSERT_FALSE(flow);
  EXPECT_EQ(flow.error().message, "cannot write the output: No space left on device");
  const base::UniqueFd wrong(::open("/dev/null", O_RDONLY));  // what a closed standard output becomes
  EXPECT_FALSE(Output(wrong.get(), test.context).write("x"));
}

}  // namespace
}  // namespace weir::pipeline
