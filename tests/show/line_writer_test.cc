#include "show/line_writer.h"

#include "show/columns.h"
#include "show/screen.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace weir::show {
namespace {

// `head`, then `text`, which is wrapped under itself.
std::string wrapped(std::size_t width, std::string_view head, std::string_view text, bool color = false) {
  std::string out;
  LineWriter line(out, {.width = width, .color = color});
  line.put(head);
  line.set_indent(line.column());
  line.put(text, Style::red);
  line.end();
  return out;
}

TEST(LineWriter, WrapsUnderItself) {
  const auto f = [](std::size_t width, std::string_view text, const std::string& lines) {
    EXPECT_EQ(wrapped(width, "12:00 ", text), lines) << text;
  };
  f(30, "short", "12:00 short\n");
  f(30, "", "12:00 \n");
  f(30, "exactly as wide as it may", "12:00 exactly as wide as it\n      may\n");
  f(30, "a word at the very end..", "12:00 a word at the very end..\n");
  f(30, "words move to the next line, and a space is left out",
    "12:00 words move to the next\n      line, and a space is\n      left out\n");
  f(30, "0123456789012345678901234567890123456789", "12:00 012345678901234567890123\n      4567890123456789\n");
  f(30, R"({"level":"error","code":500,"x":1})", "12:00 {\"level\":\"error\",\n      \"code\":500,\"x\":1}\n");
  f(30, "中文中文中文中文中文中文中文", "12:00 中文中文中文中文中文中文\n      中文\n");
  f(31, "中文中文中文中文中文中文中文", "12:00 中文中文中文中文中文中文\n      中文\n");  // half of a character is none
  f(0, std::string(500, 'x'), "12:00 " + std::string(500, 'x') + "\n");
  // Where there is hardly room, the indent gives way.
  f(10, "abcdefghijklmnopq", "12:00 \nabcdefghij\nklmnopq\n");
}

TEST(LineWriter, EscapesAndExpands) {
  const auto f = [](std::string_view text, const std::string& line) { EXPECT_EQ(wrapped(80, "> ", text), "> " + line + "\n"); };
  f("a\x1b]0;title\x07", "a\\x1b]0;title\\x07");
  f("a\nb\rc", "a\\nb\\rc");
  f("a\tb\tcd\tefgh\ti", "a   b   cd  efgh    i");
  f("\u202e\x80", "\\u202e\\x80");
}

TEST(LineWriter, EveryLineHasItsStyle) {
  EXPECT_EQ(wrapped(30, "12:00 ", "0123456789012345678901234567", true),
            "12:00 \x1b[31m012345678901234567890123\x1b[0m\n      \x1b[31m4567\x1b[0m\n");
}

TEST(LineWriter, LinesOfARecord) {
  std::string out;
  LineWriter line(out, {.width = 40});
  line.put("12:00 ");
  line.set_indent(6);
  line.put_lines(
      "java.lang.Error: no\n\tat a.b.C.run(C.java:17)\n\tat a.b.very.long.name.of.a.package.Main.main(Main.java:1)\n\nCaused", 4);
  line.end();
  EXPECT_EQ(out,
            "12:00 java.lang.Error: no\n"
            "        at a.b.C.run(C.java:17)\n"
            "        at a.b.very.long.name.of.a.packa\n"
            "        ge.Main.main(Main.java:1)\n"
            "    \n"
            "    Caused\n");
}

TEST(LineWriter, APieceOfAWordBeginsALineOfItsOwn) {
  std::string out;
  LineWriter line(out, {.width = 40});
  line.put("0123456789012345678901234567890");
  line.put(" name=value-that-is-long");
  line.end();
  EXPECT_EQ(out, "0123456789012345678901234567890\nname=value-that-is-long\n");
}

TEST(LineWriter, NothingIsEverTooWideOrLost) {
  std::mt19937 random(17);
  const std::vector<std::string> pieces = {
      "a",       "word", " ", "  ",   "\t",     "\n",      "\x1b[31m", "中", "文字", "👨‍👩‍👧",
      "e\u0301", ",",    ";", "\xff", "\u202e", "❤\ufe0f", "\x7f",     "\r", "=",    "longer-than-that",
      "\u200b"};
  for (int i = 0; i < 2000; ++i) {
    const std::size_t width = 24 + random() % 100;
    std::string text, out;
    for (std::size_t n = random() % 60; n > 0; --n) text += pieces[random() % pieces.size()];
    LineWriter line(out, {.width = width, .color = random() % 2 == 0});
    line.put("12:00:00.001 ", Style::dim);
    line.set_indent(random() % 120);
    line.put_lines(text, random() % 30, Style::red);
    line.put(" tail=" + text, Style::dim);
    line.end();
    test::expect_fits(out, width);
    const auto letters = [](std::string all) {
      std::erase_if(all, [](char c) { return c != 'w' && c != 'o' && c != '=' && c != ','; });
      return all;
    };
    EXPECT_EQ(letters(test::without_styles(out)), letters("12:00:00.001 " + text + " tail=" + text));
  }
}

}  // namespace
}  // namespace weir::show
