#include "cli/completion.h"

#include "fake_commands.h"

#include <gmock/gmock.h>

namespace weir::cli {
namespace {

using testing::HasSubstr;

std::string script(Shell shell) { return completion_script(shell, facts_of(test::fake_commands())); }

TEST(Completion, Shells) {
  EXPECT_EQ(parse_shell("bash"), Shell::bash);
  EXPECT_EQ(parse_shell("zsh"), Shell::zsh);
  EXPECT_EQ(parse_shell("fish"), Shell::fish);
  EXPECT_EQ(parse_shell("tcsh"), std::nullopt);
}

TEST(Completion, Bash) {
  const auto text = script(Shell::bash);
  EXPECT_THAT(text, HasSubstr("_weir_words 'count pass end act help --help --version'"));
  EXPECT_THAT(text, HasSubstr("        --format) _weir_words 'auto cri raw'; return ;;\n"));
  EXPECT_THAT(text, HasSubstr("        --keep|--metrics-file) _weir_files; return ;;\n"));
  EXPECT_THAT(text, HasSubstr("        -l|--label|--lost|--metrics) return ;;\n"));
  EXPECT_THAT(text, Not(HasSubstr("--secret")));
}

TEST(Completion, Zsh) {
  const auto text = script(Shell::zsh);
  EXPECT_THAT(text, testing::StartsWith("#compdef weir\n"));
  EXPECT_THAT(text, HasSubstr("'*-l+[a label]:NAME=VALUE: ' \\\n        '*--label=[a label]:NAME=VALUE: ' \\\n"));
  EXPECT_THAT(text, HasSubstr("'--format=[the format]:auto|cri|raw:(auto cri raw)' \\\n"));
  EXPECT_THAT(text, HasSubstr("'--keep=[keep positions in FILE]:FILE:_weir_files' \\\n"));
}

TEST(Completion, Fish) {
  const auto text = script(Shell::fish);
  EXPECT_THAT(text, HasSubstr("complete -c weir -n '__weir_command pass' -l format -x -a 'auto cri raw' -d 'the format'\n"));
  EXPECT_THAT(text, HasSubstr("complete -c weir -n '__weir_command pass' -l keep -r -F -d 'keep positions in FILE'\n"));
  EXPECT_THAT(text, HasSubstr("complete -c weir -n '__weir_command pass' -s v -l invert -l no-invert -d 'turn it around'\n"));
}

}  // namespace
}  // namespace weir::cli
