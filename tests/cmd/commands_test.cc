#include "cmd/commands.h"

#include "cli/command_line.h"
#include "cli/help.h"
#include "cli/man.h"
#include "cli/paragraph.h"

#include <gmock/gmock.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>

namespace weir::cmd {
namespace {

using testing::HasSubstr;

constexpr std::size_t kWidth = 80, kLines = 60;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void expect_fits_a_screen(std::string_view name, const std::string& help) {
  const auto lines = lines_of(help);
  EXPECT_LE(lines.size(), kLines) << name;
  for (const auto& line : lines) EXPECT_LE(cli::columns(line), kWidth) << name << ": " << line;
}

TEST(Commands, ShortHelpFitsAScreen) {
  expect_fits_a_screen("weir", cli::program_help(commands(), kWidth));
  for (const auto& facts : cli::facts_of(commands())) {
    expect_fits_a_screen(facts.command->name, cli::command_help(facts, kWidth, cli::HelpScope::usual));
  }
}

TEST(Commands, ShortHelpHasThreeExamplesAndSaysWhereTheRestIs) {
  for (const auto& facts : cli::facts_of(commands())) {
    const auto& name = facts.command->name;
    EXPECT_GE(facts.command->examples.size(), 3U) << name;
    EXPECT_FALSE(facts.command->description.empty()) << name;
    const auto help = cli::command_help(facts, kWidth, cli::HelpScope::usual);
    EXPECT_THAT(help, HasSubstr(fmt::format("weir {} --help all", name)));
    EXPECT_THAT(help, HasSubstr("-h, --help"));
  }
}

TEST(Commands, UsualOptionsAreOptions) {
  for (const auto& facts : cli::facts_of(commands())) {
    std::set<const cli::OptionFacts*> seen;
    for (const auto name : facts.command->usual) {
      const auto* option = facts.find(name);
      EXPECT_NE(option, nullptr) << facts.command->name << ' ' << name;
      EXPECT_TRUE(seen.insert(option).second) << facts.command->name << ' ' << name << " stands there twice";
    }
    EXPECT_EQ(facts.command->usual.empty(), facts.options.size() == 1) << facts.command->name;
  }
}

TEST(Commands, HelpOfAllAndManPageNameEveryOption) {
  for (const auto& facts : cli::facts_of(commands())) {
    const auto help = cli::command_help(facts, kWidth, cli::HelpScope::all);
    const auto page = cli::command_man(facts, commands());
    for (const auto& option : facts.options) {
      EXPECT_THAT(help, HasSubstr(option.heading()));
      for (const auto& name : option.longs) EXPECT_THAT(page, HasSubstr("\\fB" + cli::roff(name) + "\\fR"));
    }
  }
}

// The environment is that of the caller, never that of the process.
TEST(Commands, TheEnvironmentNamesTheSpool) {
  ::setenv("WEIR_SPOOL", "of-the-process.db", 1);
  const auto named = [](const char* name) -> const char* { return std::string_view(name) == "WEIR_SPOOL" ? "named.db" : nullptr; };
  const std::vector<std::string> none, given = {"given.db"};
  const auto keeper = [](const auto& parsed) { return std::get<cli::ParsedCommand>(parsed).invocation->keeper(); };
  EXPECT_EQ(keeper(cli::parse(buffer_command, none, named)), "named.db");
  EXPECT_EQ(keeper(cli::parse(buffer_command, given, named)), "given.db");
  const auto missing = cli::parse(buffer_command, none, nullptr);
  ASSERT_TRUE(std::holds_alternative<cli::ArgumentError>(missing));
  EXPECT_EQ(std::get<cli::ArgumentError>(missing).error.message, "SPOOL is missing");
  ::unsetenv("WEIR_SPOOL");
}

// One wording, whatever the command.
TEST(Commands, WrongValuesAreWordedAlike) {
  const auto f = [](const cli::Command& command, const std::vector<std::string>& arguments, std::string_view message, int index) {
    const auto parsed = cli::parse(command, arguments);
    ASSERT_TRUE(std::holds_alternative<cli::ArgumentError>(parsed)) << message;
    EXPECT_EQ(std::get<cli::ArgumentError>(parsed).error.message, message);
    EXPECT_FALSE(std::get<cli::ArgumentError>(parsed).error.hint.empty()) << message;
    EXPECT_EQ(std::get<cli::ArgumentError>(parsed).index, index) << message;
  };
  f(tail_command, {"--wait", "5"}, "cannot use '5' for --wait: it has no unit", 0);
  f(buffer_command, {"s", "--wait", "5"}, "cannot use '5' for --wait: it has no unit", 1);
  f(spool_command, {"compact", "s", "--wait", "5"}, "cannot use '5' for --wait: it has no unit", 2);
  f(buffer_command, {"s", "--retain", "-1h"}, "cannot use '-1h' for --retain: it must not be negative", 1);
  f(push_command, {"--max-age", "old"}, "cannot use 'old' for --max-age: it is not a duration", 0);
  f(push_command, {"--timeout", "0"}, "cannot use '0' for --timeout: it must be greater than 0", 0);
  f(query_command, {"{}", "--step=1us"}, "cannot use '1us' for --step: it must be at least 1ms", 1);
  f(buffer_command, {"s", "--max-size", "1MiB"}, "cannot use '1MiB' for --max-size: it must be at least 4MiB", 1);
  f(buffer_command, {"s", "--rejected-max", "1GiB"}, "cannot use '1GiB' for --rejected-max: it must be at most half of --max-size",
    -1);
  f(buffer_command, {"s", "--min-free", "100%"}, "cannot use '100%' for --min-free: it must be a percentage from 0 to 99", 1);
  f(buffer_command, {"s", "--sync", "none"}, "cannot use 'none' for --sync: it is one of off, normal, full", 1);
  f(tail_command, {"--max-line", "63"}, "cannot use '63' for --max-line: it must be at least 64", 0);
  f(tail_command, {"--from", "then"}, "cannot use 'then' for --from: it is not a time", 0);
  f(replay_command, {"s", "--to", "+1h"}, "cannot use '+1h' for --to: it lies in the future", 1);
  f(replay_command, {"s", "--speed", "0x"}, "cannot use '0x' for --speed: it must be max, or a multiple such as 1x", 1);
}

TEST(Commands, DescriptionsAreOneLine) {
  for (const auto& facts : cli::facts_of(commands())) {
    EXPECT_FALSE(facts.command->summary.ends_with('.')) << facts.command->name;
    for (const auto* list : {&facts.options, &facts.positionals}) {
      for (const auto& option : *list) {
        EXPECT_FALSE(option.description.empty()) << facts.command->name << option.heading();
        EXPECT_FALSE(option.description.ends_with('.')) << facts.command->name << ' ' << option.heading();
        EXPECT_EQ(option.description.find('\n'), std::string::npos) << facts.command->name << ' ' << option.heading();
      }
    }
  }
}

}  // namespace
}  // namespace weir::cmd
