#include "cli/terminal.h"

#include "base/unique_fd.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

namespace weir::cli {
namespace {

TEST(Terminal, WidthOfWhatIsNone) {
  const base::UniqueFd null(::open("/dev/null", O_RDONLY));
  EXPECT_FALSE(is_terminal(null.get()));
  EXPECT_EQ(terminal_width(null.get(), nullptr), 80U);
  EXPECT_EQ(terminal_width(null.get(), "120"), 120U);
  EXPECT_EQ(terminal_width(null.get(), "12"), 80U);  // too narrow to mean it
  EXPECT_EQ(terminal_width(null.get(), "wide"), 80U);
}

TEST(Terminal, WritesAll) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  base::UniqueFd read_end(ends[0]);
  const base::UniqueFd write_end(ends[1]);
  auto written = write_all(write_end.get(), "hello");
  ASSERT_TRUE(written);
  EXPECT_TRUE(*written);
  char buffer[8];
  EXPECT_EQ(::read(read_end.get(), buffer, sizeof buffer), 5);
  // A reader that went away is no error.
  ::signal(SIGPIPE, SIG_IGN);
  read_end.reset();
  written = write_all(write_end.get(), "hello");
  ASSERT_TRUE(written);
  EXPECT_FALSE(*written);
}

TEST(Terminal, SaysWhatWentWrong) {
  const base::UniqueFd full(::open("/dev/full", O_WRONLY));
  auto written = write_all(full.get(), "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, base::Code::full);
  EXPECT_EQ(written.error().message, "cannot write to standard output: No space left on device");
}

// In a process of its own, since it is about descriptors 0 to 2.
TEST(Terminal, ClosedStreamsFailAndAreNotTakenByFiles) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(0), ::close(1), ::close(2);
    reserve_standard_streams();
    char byte = 0;
    const bool ok =
        ::open("/dev/null", O_RDONLY) > 2 && ::write(1, "x", 1) < 0 && ::write(2, "x", 1) < 0 && ::read(0, &byte, 1) < 0;
    ::_exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(Terminal, ATextTakesThePlaceOfTheLastOne) {
  EXPECT_EQ(in_place("a\n\nb\n"), "\x1b[Ha\x1b[K\r\n\x1b[K\r\nb\x1b[K\r\n\x1b[J");
  EXPECT_EQ(in_place(""), "\x1b[H\x1b[J");
}

TEST(Terminal, WithoutOneAScreenReadsNothing) {
  ASSERT_FALSE(is_terminal(-1));
  EXPECT_EQ(terminal_lines(-1), 24U);
}

}  // namespace
}  // namespace weir::cli
