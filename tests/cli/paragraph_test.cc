#include "cli/paragraph.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TEST(Paragraph, Wraps) {
  const auto f = [](std::string_view text, std::size_t indent, std::size_t width, std::string_view wanted) {
    EXPECT_EQ(wrap(text, indent, width), wanted) << text;
  };
  f("", 0, 10, "");
  f("one two", 0, 10, "one two");
  f("one two three", 0, 8, "one two\nthree");
  f("one two three", 2, 9, "one two\n  three");  // the first line begins at column 2 as well
  f("one  two\nthree", 0, 80, "one two three");  // single newlines and blanks are spaces
  f("one\n\ntwo", 0, 80, "one\n\ntwo");          // paragraphs
  f("one\n\ntwo", 2, 80, "one\n\n  two");
  f("a-word-that-is-too-long b", 0, 5, "a-word-that-is-too-long\nb");
  f("äö äö äö", 0, 5, "äö äö\näö");  // columns, not bytes
  f("text\n  kept   as it is\nmore", 0, 10, "text\n  kept   as it is\nmore");
}

TEST(Paragraph, Backquotes) {
  EXPECT_EQ(plain("the `-o` of it"), "the -o of it");
  EXPECT_EQ(plain("a `push --spool` here"), "a `push --spool` here");
  EXPECT_EQ(plain("one ` alone"), "one ` alone");
}

TEST(Paragraph, CommandsBreakWhereAShellAllowsIt) {
  const auto f = [](std::string_view command, std::size_t width, std::string_view wanted) {
    EXPECT_EQ(wrap_command(command, 2, width), wanted) << command;
  };
  f("weir tail | weir push", 40, "weir tail | weir push");
  f("weir tail | weir push", 16, "weir tail |\n    weir push");
  f("weir tail --from x --to y", 22, "weir tail --from x \\\n    --to y");
  f("weir filter 'a | -b' --drop c", 27, "weir filter 'a | -b' \\\n    --drop c");  // never within quotes
  f("weir filter \"a \\\" | -b\" -d c", 25, "weir filter \"a \\\" | -b\" \\\n    -d c");
}

}  // namespace
}  // namespace weir::cli
