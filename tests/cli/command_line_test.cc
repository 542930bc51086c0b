#include "cli/command_line.h"

#include "fake_commands.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

using Arguments = std::vector<std::string>;

TEST(CommandLine, Success) {
  const auto f = [](const Command& command, const Arguments& arguments) {
    auto parsed = parse(command, arguments);
    const auto* wrong = std::get_if<ArgumentError>(&parsed);
    EXPECT_EQ(wrong, nullptr) << wrong->error.message;
  };
  f(test::count_command, {"3"});
  f(test::count_command, {"--checkpoint", "x", "3"});
  f(test::count_command, {"3", "--checkpoint=x"});
  f(test::pass_command, {});
  f(test::pass_command, {"--label", "a=b", "-l", "c=d", "word"});  // a list takes one value each time
  f(test::pass_command, {"--format", "cri", "-v", "--no-invert"});
  f(test::pass_command, {"--secret", "x"});
  f(test::pass_command, {"--", "--not-an-option"});
}

TEST(CommandLine, WhatMovesRecordsMayExitWithZeroOnTerm) {
  for (const Command* const command : {&test::count_command, &test::pass_command, &test::end_command}) {
    const auto f = [&](const Arguments& arguments, bool zero) {
      auto parsed = parse(*command, arguments);
      ASSERT_TRUE(std::holds_alternative<ParsedCommand>(parsed)) << command->name;
      EXPECT_EQ(std::get<ParsedCommand>(parsed).exit_zero_on_term, zero) << command->name;
    };
    if (command == &test::count_command) {
      f({"1"}, false);
      f({"1", "--exit-zero-on-term"}, true);
    } else {
      f({}, false);
      f({"--exit-zero-on-term"}, true);
    }
  }
  EXPECT_TRUE(std::holds_alternative<ArgumentError>(parse(test::act_command, Arguments{"--exit-zero-on-term"})));
}

TEST(CommandLine, LogQlArrivesAsItIs) {
  auto parsed = parse(test::pass_command, Arguments{"{}", R"([a])", R"(|= "x")", "-1"});
  ASSERT_TRUE(std::holds_alternative<ParsedCommand>(parsed));
  const auto words = std::get<ParsedCommand>(parsed).app->get_option("words")->results();
  EXPECT_EQ(words.at(0), "{}");
  EXPECT_EQ(words.at(2), R"(|= "x")");
  EXPECT_EQ(words.at(3), "-1");
}

TEST(CommandLine, Failure) {
  const auto f = [](const Command& command, const Arguments& arguments, std::string_view message, std::string_view hint,
                    std::ptrdiff_t index) {
    auto parsed = parse(command, arguments);
    const auto* wrong = std::get_if<ArgumentError>(&parsed);
    ASSERT_NE(wrong, nullptr) << message;
    EXPECT_EQ(wrong->error.code, base::Code::usage);
    EXPECT_EQ(wrong->error.message, message);
    EXPECT_EQ(wrong->error.hint, hint);
    EXPECT_EQ(wrong->index, index);
  };
  f(test::count_command, {}, "NUMBER is missing", "see weir count --help", -1);
  f(test::count_command, {"many"}, "cannot use 'many' for NUMBER: it is not a whole number", "see weir count --help", 0);
  f(test::count_command, {"3", ""}, "unexpected argument ''", "see weir count --help", 1);
  f(test::count_command, {""}, "cannot use '' for NUMBER: it is empty",
    "leave NUMBER out, or set the variable that its value comes from", 0);
  f(test::count_command, {"1", "--checkpoint", ""}, "cannot use '' for --checkpoint: it is empty",
    "leave --checkpoint out, or set the variable that its value comes from", 1);
  f(test::count_command, {"1", "--checkpoint=", "next"}, "cannot use '' for --checkpoint: it is empty",
    "leave --checkpoint out, or set the variable that its value comes from", 1);
  f(test::pass_command, {"a", "", "b"}, "cannot use '' for WORDS: it is empty",
    "leave WORDS out, or set the variable that its value comes from", 1);
  f(test::pass_command, {"-l", "a=b", "-l", ""}, "cannot use '' for --label: it is empty",
    "leave --label out, or set the variable that its value comes from", 0);
  f(test::pass_command, {"--invert=5"}, "cannot use '5' for --invert: it takes no value", "see weir pass --help", 0);
  f(test::pass_command, {"-vl"}, "--label needs a value: NAME=VALUE", "see weir pass --help", 0);
  f(test::pass_command, {"--lost", "-1"}, "cannot use '-1' for --lost: it must not be negative", "see weir pass --help", 0);
  f(test::count_command, {"1", "2"}, "unexpected argument '2'", "see weir count --help", 1);
  f(test::count_command, {"1", "--chekpoint", "x"}, "unknown option '--chekpoint'", "did you mean '--checkpoint'?", 1);
  f(test::count_command, {"1", "--chekpoint=x"}, "unknown option '--chekpoint'", "did you mean '--checkpoint'?", 1);
  f(test::count_command, {"--zzz"}, "unknown option '--zzz'", "see weir count --help", 0);
  f(test::count_command, {"1", "--", "-x"}, "unexpected argument '-x'", "see weir count --help", 2);
  f(test::count_command, {"1", "-x"}, "unknown option '-x'", "see weir count --help", 1);
  f(test::count_command, {"1", "--checkpoint"}, "--checkpoint needs a value: FILE", "see weir count --help", 1);
  f(test::count_command, {"1", "--checkpoint", "a", "--checkpoint", "b"}, "--checkpoint is given more than once",
    "see weir count --help", 1);
  f(test::count_command, {"1", "-o", "jsonn"}, "cannot use 'jsonn' for -o: it is one of auto, text, raw, jsonl",
    "did you mean 'jsonl'?", 1);
  f(test::count_command, {"1", "--strict"}, "unknown option '--strict'", "see weir count --help", 1);  // a source reads no records
  f(test::pass_command, {"--secrt", "x"}, "unknown option '--secrt'", "see weir pass --help", 0);      // hidden ones are not told
}

TEST(CommandLine, TheInvocationChecks) {
  auto parsed = parse(test::pass_command, Arguments{"bad"});
  ASSERT_TRUE(std::holds_alternative<ArgumentError>(parsed));
  EXPECT_EQ(std::get<ArgumentError>(parsed).error.message, "cannot parse 'bad'");
}

TEST(CommandLine, HelpComesBeforeWhatIsWrong) {
  for (const Arguments& arguments : {Arguments{"--help"}, Arguments{"bad", "-h"}, Arguments{"--unknown", "--help"}}) {
    auto parsed = parse(test::pass_command, arguments);
    ASSERT_TRUE(std::holds_alternative<ParsedCommand>(parsed));
    EXPECT_TRUE(std::get<ParsedCommand>(parsed).help);
    EXPECT_FALSE(std::get<ParsedCommand>(parsed).help_all);
  }
}

TEST(CommandLine, HelpOfAll) {
  for (const Arguments& arguments : {Arguments{"--help", "all"}, Arguments{"-h", "all", "bad"}, Arguments{"--help=all"},
                                     Arguments{"--unknown", "--help", "all"}}) {
    auto parsed = parse(test::pass_command, arguments);
    ASSERT_TRUE(std::holds_alternative<ParsedCommand>(parsed));
    EXPECT_TRUE(std::get<ParsedCommand>(parsed).help_all);
  }
  auto other = parse(test::pass_command, Arguments{"--help", "me"});
  ASSERT_TRUE(std::holds_alternative<ParsedCommand>(other));
  EXPECT_TRUE(std::get<ParsedCommand>(other).help);
  EXPECT_FALSE(std::get<ParsedCommand>(other).help_all);
}

TEST(CommandLine, RoleMayDependOnOptions) {
  auto sink = parse(test::end_command, Arguments{});
  auto source = parse(test::end_command, Arguments{"--as-source"});
  EXPECT_EQ(std::get<ParsedCommand>(sink).role(), Role::sink);
  EXPECT_EQ(std::get<ParsedCommand>(source).role(), Role::source);
}

}  // namespace
}  // namespace weir::cli
