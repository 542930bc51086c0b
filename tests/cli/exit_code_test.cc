#include "cli/exit_code.h"

#include <gtest/gtest.h>

#include <csignal>

namespace weir::cli {
namespace {

TEST(ExitCode, OfErrors) {
  const auto f = [](base::Code code, int exit) { EXPECT_EQ(static_cast<int>(exit_of(code)), exit); };
  f(base::Code::usage, 2);
  f(base::Code::config, 2);
  f(base::Code::parse, 2);
  f(base::Code::io, 4);
  f(base::Code::network, 4);
  f(base::Code::unreachable, 4);
  f(base::Code::rejected, 3);
  f(base::Code::busy, 4);
  f(base::Code::full, 4);
  f(base::Code::forbidden, 4);
  f(base::Code::corrupt, 4);
  f(base::Code::version, 4);
  f(base::Code::interrupted, 4);
  f(base::Code::bug, 4);
}

TEST(ExitCode, OfSignals) {
  EXPECT_EQ(static_cast<int>(exit_of_signal(SIGINT, Exit::ok)), 130);
  EXPECT_EQ(static_cast<int>(exit_of_signal(SIGTERM, Exit::ok)), 143);
  EXPECT_EQ(static_cast<int>(exit_of_signal(SIGHUP, Exit::ok)), 129);
  EXPECT_EQ(exit_of_signal(0, Exit::failed), Exit::failed);
}

TEST(ExitCode, ZeroOnTermChangesNothingElse) {
  const auto f = [](Exit exit, Exit then) { EXPECT_EQ(zero_on_term(exit), then) << static_cast<int>(exit); };
  f(Exit::terminated, Exit::ok);
  for (const auto exit :
       {Exit::ok, Exit::negative, Exit::usage, Exit::incomplete, Exit::failed, Exit::hung_up, Exit::interrupted}) {
    f(exit, exit);
  }
}

TEST(ExitCode, EachHasItsSentence) {
  for (const auto exit : {Exit::ok, Exit::negative, Exit::usage, Exit::incomplete, Exit::failed, Exit::hung_up, Exit::interrupted,
                          Exit::terminated}) {
    EXPECT_FALSE(exit_meaning(exit).empty());
  }
}

}  // namespace
}  // namespace weir::cli
