#include "cli/help.h"

#include "fake_commands.h"

#include <gmock/gmock.h>

namespace weir::cli {
namespace {

using testing::HasSubstr;

TEST(Help, OfACommand) {
  EXPECT_EQ(command_help(facts_of(test::count_command), 60), R"(Usage: weir count [OPTION]... NUMBER

Makes N records.

Nothing else.

Arguments:
  NUMBER  how many records

Options:
      --checkpoint FILE   where positions are kept
  -o auto|text|raw|jsonl  how to write
  -h, --help              show this help and exit

Examples:
  three of them:
    weir count 3 | weir pass --label 'a b=c'

Exit status:
  0    done; also when the reader of the output went away
       (tracked: 4)
  2    wrong usage or configuration; nothing was done
  129  hung up (SIGHUP: its terminal went) after draining
  130  interrupted (SIGINT) after draining
  143  terminated (SIGTERM) after draining
)");
}

TEST(Help, GroupsDefaultsAndRepetition) {
  const auto help = command_help(facts_of(test::pass_command), 80);
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
