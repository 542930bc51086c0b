#include "smoke/command.h"

#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>

#include <csignal>

namespace weir::smoke {
namespace {

constexpr base::Duration kPatience = 60 * base::kSecond;

// Polls, since the end of a child rings nowhere.
template <typename Condition>
bool wait_for(Condition condition) {
  base::Clock& clock = base::Clock::system();
  const base::Monotonic deadline = clock.monotonic() + kPatience;
  while (!condition()) {
    if (clock.monotonic() > deadline) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

std::optional<Command::End> end_of(const std::string& text) {
  auto command = Command::start(text, {});
  if (!command) return std::nullopt;
  std::optional<Command::End> end;
  wait_for([&] { return (end = command->ended()).has_value(); });
  return end;
}

TEST(Command, SaysHowItEnded) {
  const auto f = [](const std::string& text, bool ok, const std::string& words) {
    const auto end = end_of(text);
    ASSERT_TRUE(end) << text;
    EXPECT_EQ(end->ok, ok) << text;
    EXPECT_EQ(end->words, words) << text;
  };
  f("true", true, "exit code 0");
  f("exit 3", false, "exit code 3");
  f("kill -9 $$", false, "signal 9");
  EXPECT_EQ(end_of("no-such-program-here 2> /dev/null")->exit_code, 127);
}

TEST(Command, HasItsVariablesAndNoInput) {
  const test::TempDir dir;
  auto command =
      Command::start("printf '%s ' \"$A\" \"$HOME\" > out; cat >> out; mv out done", {{"A", "it's \"b\""}, {"HOME", dir.path()}});
  ASSERT_TRUE(command);
  // HOME names no other folder, and the working folder is ours.
  ASSERT_TRUE(wait_for([&] { return command->ended().has_value(); }));
  std::ifstream in("done");
  std::string text;
  std::getline(in, text);
  std::filesystem::remove("done");
  EXPECT_EQ(text, "it's \"b\" " + dir.path().string() + " ");
}

TEST(Command, StopsTheWholeGroup) {
  const test::TempDir dir;
  auto command = Command::start(
      "sleep 1000 & echo $! > '" + (dir / "part") + "'; mv '" + (dir / "part") + "' '" + (dir / "pid") + "'; wait", {});
  ASSERT_TRUE(command);
  ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(dir / "pid"); }));
  const pid_t child = std::stoi(dir.read("pid"));
  EXPECT_EQ(::kill(child, 0), 0);
  command->stop(kPatience, base::Clock::system());
  EXPECT_TRUE(wait_for([&] { return ::kill(child, 0) != 0; }));
}

TEST(Command, KillsWhatDoesNotStop) {
  const test::TempDir dir;
  auto command = Command::start("trap '' TERM; : > '" + (dir / "ready") + "'; while :; do sleep 1000; done", {});
  ASSERT_TRUE(command);
  ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(dir / "ready"); }));
  command->stop(50 * base::kMillisecond, base::Clock::system());
  const auto end = command->ended();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->words, "signal 9");
}

// Both streams, in the order in which they were written, of which the last lines are kept.
TEST(Command, KeepsItsLastLines) {
  auto command = Command::start("for i in $(seq 1 20); do echo line $i; done; echo to standard error >&2; printf '%0500d' 7", {});
  ASSERT_TRUE(command);
  ASSERT_TRUE(wait_for([&] { return command->ended().has_value(); }));
  command->stop(kPatience, base::Clock::system());
  const std::vector<std::string>& lines = command->last_lines();
  ASSERT_EQ(lines.size(), Command::kKeptLines);
  EXPECT_EQ(lines.front(), "line 13");
  EXPECT_EQ(lines[8], "to standard error");
  EXPECT_EQ(lines.back(), std::string(Command::kKeptBytes, '0')) << "cut, and without its newline";
}

TEST(Command, WaitsForNoProcessThatLeftItsGroup) {
  const test::TempDir dir;
  auto command = Command::start("echo first; setsid sh -c 'echo $$ > " + (dir / "part") + "; mv " + (dir / "part") + " " +
                                    (dir / "pid") + "; exec sleep 1000' & wait",
                                {});
  ASSERT_TRUE(command);
  ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(dir / "pid"); }));
  command->stop(kPatience, base::Clock::system());
  EXPECT_EQ(command->last_lines(), std::vector<std::string>{"first"});
  EXPECT_EQ(::kill(std::stoi(dir.read("pid")), SIGKILL), 0) << "it holds the pipe open";
}

}  // namespace
}  // namespace weir::smoke
