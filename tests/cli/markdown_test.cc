#include "cli/markdown.h"

#include <gmock/gmock.h>

#include <string>

namespace weir::cli {
namespace {

using testing::HasSubstr;

bool has_page(std::string_view name, int section) {
  return (name == "weir" && section == 1) || (name == "weir-tail" && section == 1) || (name == "weir-rules" && section == 5);
}

std::string rendered(std::string_view roff) {
  auto made = markdown(roff, has_page);
  return made ? *made : "ERROR: " + made.error().message;
}

// Roff and its Markdown, without the newline at the end.
void expect(std::string_view roff, std::string_view wanted) { EXPECT_EQ(rendered(roff), std::string(wanted) + "\n") << roff; }

TEST(Markdown, Headings) {
  expect(".TH WEIR\\-TAIL 1 \"2026-11-23\" \"weir 0.1.0\" \"weir manual\"", "# weir-tail(1)");
  expect(".SH SEE ALSO", "## SEE ALSO");
  expect(".SS weir \\-\\-follow", "### weir --follow");
  expect(".SH A\nb\n.SS C\nd", "## A\n\nb\n\n### C\n\nd");
}

TEST(Markdown, BoldIsCodeAndItalicIsEmphasis) {
  expect(".B weir run", "`weir run`");
  expect(".B a \"b  c\"", "`a b  c`");
  expect(".I FILE", "*FILE*");
  expect(".BR \\-\\-metrics ,", "`--metrics`,");
  expect(".RB ( tail ),", "(`tail`),");
  expect(".BI : PORT", "`:`*PORT*");
  expect(".IB HOST : PORT", "*HOST*`:`*PORT*");
  expect(".BI name \" NAME\" :", "`name` *NAME*`:`");
  expect("\\fB\\-h\\fR, \\fB\\-\\-help\\fR \\fI[all]\\fR", "`-h`, `--help` *[all]*");
  expect("the \\fBnew\\fP one", "the `new` one");
  expect("x\\fIY\\fR", "x*Y*");
  expect("a\\fI[b]\\fR", "a<em>[b]</em>");
  expect("\\fI[b]\\fRc", "<em>[b]</em>c");
  expect("a\\fB b\\fRc", "a `b`c");
}

TEST(Markdown, CodeKeepsWhatItQuotes) {
  expect(".B \\(gax\\(ga", "`` `x` ``");
  expect(".B a\\(gab", "``a`b``");
  expect(".B a*b_c<d>\\e1", "`a*b_c<d>\\1`");
}

TEST(Markdown, TextIsEscaped) {
  expect("a * b", "a \\* b");
  expect("__error__", "\\_\\_error\\_\\_");
  expect("<b> and < c and a > b", "\\<b> and < c and a > b");
  expect("\\(gax\\(ga \\(aqy\\(aq \\(dqz\\(dq \\(ha\\(ti", "\\`x\\` 'y' \"z\" ^~");
  expect("a\\eb", "a\\\\b");
  expect("&amp; & x", "&amp;amp; & x");
  expect("[x](y) [z]", "[x\\](y) [z]");
  expect("\\[u2026]\\[u1F600]", "\u2026\U0001F600");
  expect("80\\ % \\&.x", "80 % .x");
}

// What stands first in a block must not begin another one.
TEST(Markdown, TextThatLooksLikeABlock) {
  expect("# x", "\\# x");
  expect("\\- x", "\\- x");
  expect("1. x", "1\\. x");
  expect("1.5 x", "1.5 x");
  expect("> x", "\\> x");
  expect("\\-\\-since is", "--since is");
  expect("\\-\\-\\-", "\\---");
  expect(".B \\-\\-since", "`--since`");
}

TEST(Markdown, ParagraphsAreFilled) {
  expect("a\nb\n.B c\nd", "a b `c` d");
  expect("a\n.PP\nb\n.PP\n.PP\nc", "a\n\nb\n\nc");
  expect(".B weir\n\\fIX\\fR\n.br\n.B weir\nY", "`weir` *X*\\\n`weir` Y");
  const std::string word(40, 'w');
  expect(word + "\n" + word + "\n" + word, word + " " + word + "\n" + word);
  // A line cannot begin with a dash or with the number of an item.
  expect(word + "\n" + word + "\n\\- " + word, word + " " + word + " -\n" + word);
  expect(word + "\n" + word + " aaaaaaaaaaaaaaaa\n1. b", word + " " + word + " aaaaaaaaaaaaaaaa 1.\nb");
}

TEST(Markdown, TaggedParagraphs) {
  expect(".TP\n\\fB\\-\\-dir\\fR \\fIDIR\\fR\nfolder\n.TP\n.B x\ny", "- `--dir` *DIR*\\\n  folder\n\n- `x`\\\n  y");
  expect(".TP\n.B x\ny\n.IP\nz\n.PP\nend", "- `x`\\\n  y\n\n  z\n\nend");
  expect(".TP\n.B x\n.SH Y", "- `x`\n\n## Y");
  expect(".TP\n.B a\n.TP\n.B b\nc", "- `a`\n\n- `b`\\\n  c");
  expect(".IP \"18. to 25.\" 4\nx", "- 18\\. to 25.\\\n  x");
}

TEST(Markdown, BulletsAndNumbers) {
  expect(".IP \\(bu 3\na\nb\n.IP \\(bu 3\nc", "- a b\n\n- c");
  expect(".IP 1. 4\na\n.IP 2. 4\nb", "1. a\n\n2. b");
  expect(".IP 1. 4\na\n.RS\n.IP \\(bu 3\nb\n.RE", "1. a\n\n   - b");
}

TEST(Markdown, Displays) {
  expect(".PP\n.RS 4\n.EX\nweir tail \\-f | \\(ga\\fIX\\fR\\(ga\n\n  y\n.EE\n.RE\n.PP\nz",
         "```\nweir tail -f | `X`\n\n  y\n```\n\nz");
  expect(".nf\na \\\\\n    b\n.fi", "```\na \\\n    b\n```");
  expect(".EX\n\\(ga\\(ga\\(ga\n.EE", "````\n```\n````");
  expect(".TP\n.B x\ny\n.RS\n.EX\nz\n.EE\n.RE\nw", "- `x`\\\n  y\n\n  ```\n  z\n  ```\n\n  w");
  expect(".EX\n\\&.x\n.EE", "```\n.x\n```");
}

TEST(Markdown, PagesAreLinked) {
  expect(".BR weir\\-tail (1),\n.BR weir (1)", "[weir-tail(1)](weir-tail.1.md), [weir(1)](weir.1.md)");
  expect("see weir\\-rules(5).", "see [weir-rules(5)](weir-rules.5.md).");
  expect(".BR weir\\-rules (1)", "`weir-rules`(1)");
  expect(".BR systemd.service (5)", "`systemd.service`(5)");
  expect("/weir(1) aweir(1) weir( weir(1", "/weir(1) aweir(1) weir( weir(1");
  expect(".EX\nweir(1)\n.EE", "```\nweir(1)\n```");
}

TEST(Markdown, CommentsAreLeftOut) {
  expect(".\\\" Made by x.\na\n.\\\" b\nc \\\" d", "a c");
  expect(".B a \\\" b", "`a`");
}

TEST(Markdown, WhatItDoesNotKnowIsRefused) {
  const auto f = [](std::string_view roff, std::string_view message) {
    const auto made = markdown(roff, has_page);
    ASSERT_FALSE(made) << roff;
    EXPECT_EQ(made.error().code, base::Code::bug);
    EXPECT_THAT(made.error().message, HasSubstr(message));
  };
  f("a\n.ZZ", "line 2: the request .ZZ is unknown");
  f("a \\x", "line 1: the escape '\\x' is unknown");
  f("a \\(zz", "the escape '\\(zz' is unknown");
  f("a \\(z", "is unknown");
  f("a \\[u12", "is unknown");
  f("a \\[x12]", "is unknown");
  f("a \\fZ", "is unknown");
  f("a \\", "is unknown");
  f(".RE", "an .RE has no .RS");
  f(".RS\na", "an .RS has no .RE");
  f(".EX\na", "a display does not end");
  f(".EX\n.PP\n.EE", "the request .PP cannot stand in a display");
  f(".TP\n.SH X", ".TP has no tag");
  f(".IP \\(bu 3\n.EX\n.EE", "an item begins with a display");
  f(".RS\n.SH X\n.RE", "a heading stands within .RS");
  f(".TH X", ".TH names no section");
}

}  // namespace
}  // namespace weir::cli
