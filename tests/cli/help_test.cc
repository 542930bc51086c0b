#include "cli/help.h"

#include "fake_commands.h"

#include <gmock/gmock.h>

namespace weir::cli {
namespace {

using testing::HasSubstr;

TEST(Help, OfACommand) {
  EXPECT_EQ(command_help(facts_of(test::count_command), 60, HelpScope::all), R"(Usage: weir count [OPTION]... NUMBER

Makes N records.

Nothing else.

Arguments:
  NUMBER  how many records

Options:
      --checkpoint FILE    where positions are kept
  -o auto|text|raw|jsonl   how to write
      --exit-zero-on-term  exit with 0 when SIGTERM ended it
                           and nothing was lost, as service
                           managers expect (default: 143)
  -h, --help [all]         show help and exit; all: with
                           every option

Metrics:
      --metrics ADDR       serve metrics and health checks
                           over HTTP at ADDR; :9123 is
                           127.0.0.1:9123
      --metrics-file FILE  write the metrics to FILE every
                           15s, for node_exporter's textfile
                           collector

Examples:
  three of them:
    weir count 3 | weir pass --label 'a b=c'

Exit status:
  0    done; also when the reader of the output ended (in a
       tracked chain: 4)
  2    wrong usage or configuration; nothing was done
  129  the terminal was closed (SIGHUP); records were
       drained
  130  interrupted (SIGINT); records were drained
  143  terminated (SIGTERM); records were drained
)");
}

TEST(Help, ShortHelpHasTheUsualOptionsAndSaysWhereTheOthersAre) {
  auto command = test::count_command;
  command.usual = {"-o"};
  command.manual = "# Order\nNot for help.";
  command.examples = {{"one", "weir count 1"}, {"two", "weir count 2"}, {"three", "weir count 3"}, {"four", "weir count 4"}};
  EXPECT_EQ(command_help(facts_of(command), 80, HelpScope::usual), R"(Usage: weir count [OPTION]... NUMBER

Makes N records.

Nothing else.

Arguments:
  NUMBER  how many records

Options:
  -o auto|text|raw|jsonl  how to write
  -h, --help [all]        show help and exit; all: with every option

Examples:
  one:
    weir count 1
  two:
    weir count 2
  three:
    weir count 3

`weir count --help all` lists every option. `man weir-count` explains them.
)");
}

TEST(Help, UsualOptionsStandInTheirOwnOrder) {
  auto command = test::pass_command;
  command.usual = {"--lost", "-v", "--no-such-option"};
  const auto facts = facts_of(command);
  std::vector<std::string> names;
  for (const auto* option : usual_options(facts)) names.push_back(option->longs.front());
  EXPECT_EQ(names, (std::vector<std::string>{"--lost", "--invert", "--help"}));
}

TEST(Help, GroupsDefaultsAndRepetition) {
  const auto help = command_help(facts_of(test::pass_command), 80, HelpScope::all);
  EXPECT_THAT(help, HasSubstr("\nTrouble:\n      --lost N"));
  EXPECT_THAT(help, HasSubstr("the format (default: auto)\n"));
  EXPECT_THAT(help, HasSubstr("a label (repeatable)\n"));
  EXPECT_THAT(help, Not(HasSubstr("--secret")));
  EXPECT_THAT(help, HasSubstr("pass records on\n"));  // the summary, where there is no description
}

TEST(Help, OfTheProgram) {
  const auto help = program_help(test::fake_commands(), 80);
  EXPECT_THAT(help, HasSubstr("\nSources:\n  count  make records\n"));
  EXPECT_THAT(help, HasSubstr("\nStages:\n  pass   pass records on\n"));
  EXPECT_THAT(help, HasSubstr("\nOthers:\n  act    do something\n"));
}

}  // namespace
}  // namespace weir::cli
