#include "cli/man.h"

#include "fake_commands.h"

#include <gmock/gmock.h>

namespace weir::cli {
namespace {

using testing::HasSubstr;

TEST(Man, TextIsNotReadAsRequests) {
  const auto f = [](std::string_view text, std::string_view wanted) { EXPECT_EQ(roff(text), wanted) << text; };
  f("plain", "plain");
  f("--drop", "\\-\\-drop");
  f("a\\b", "a\\eb");
  f("'x' \"y\" `z` ^ ~", "\\(aqx\\(aq \\(dqy\\(dq \\(gaz\\(ga \\(ha \\(ti");
  f("≤ µs", "\\[u2264] \\[u00B5]s");
  f("😀", "\\[u1F600]");
}

TEST(Man, OfACommand) {
  const auto page = command_man(facts_of(test::count_command), test::fake_commands());
  EXPECT_THAT(page, HasSubstr(".SH NAME\nweir\\-count \\- make records\n"));
  EXPECT_THAT(page, HasSubstr(".SH SYNOPSIS\n.B weir count\n[\\fIOPTION\\fR]...\n\\fINUMBER\\fR\n"));
  EXPECT_THAT(page, HasSubstr("Makes \\fBN\\fR records.\n.PP\nNothing else.\n"));
  EXPECT_THAT(page, HasSubstr(".TP\n\\fB\\-\\-checkpoint\\fR \\fIFILE\\fR\nwhere positions are kept\n"));
  EXPECT_THAT(page, HasSubstr(".TP\n.B 2\nwrong usage or configuration; nothing was done\n"));
  EXPECT_THAT(page, HasSubstr("weir count 3 | weir pass \\-\\-label \\(aqa b=c\\(aq\n"));
  EXPECT_THAT(page, HasSubstr(".BR weir\\-pass (1),\n"));
  EXPECT_THAT(page, Not(HasSubstr("weir\\-count (1)")));
}

TEST(Man, SectionsOfTheManual) {
  auto command = test::count_command;
  command.manual = "Before.\n\n# First part\nText of\ntwo lines.\n\nMore.\n\n# Second\n  as it stands\n";
  const auto page = command_man(facts_of(command), test::fake_commands());
  EXPECT_THAT(page, HasSubstr("Nothing else.\n.PP\nBefore.\n.SS First part\nText of\ntwo lines.\n.PP\nMore.\n.SS Second\n.EX\n  as "
                              "it stands\n.EE\n.SH OPTIONS"));
  command.manual = "# First part\nText.";
  EXPECT_THAT(command_man(facts_of(command), test::fake_commands()),
              HasSubstr("Nothing else.\n.SS First part\nText.\n.SH OPTIONS"));
}

TEST(Man, CodeMayGoOnInTheNextLine) {
  auto command = test::count_command;
  command.manual = "Write `weir\ndocs` or `x`.\n";
  EXPECT_THAT(command_man(facts_of(command), test::fake_commands()), HasSubstr("Write \\fBweir docs\\fR or \\fBx\\fR.\n"));
}

TEST(Man, OfTheProgram) {
  const auto page = program_man(test::fake_commands(), {{"weir-record", 5}, {"weir-guide-x", 7}});
  EXPECT_THAT(page, HasSubstr(".SS Sources\n.TP\n.BR weir\\-count (1)\nmake records\n"));
  EXPECT_THAT(page, HasSubstr("\\fBLOKI_ADDR\\fR"));
  EXPECT_THAT(page, HasSubstr(".BR weir\\-record (5),\n.BR weir\\-guide\\-x (7)\n"));
}

}  // namespace
}  // namespace weir::cli
