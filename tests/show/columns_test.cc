#include "show/columns.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::show {
namespace {

TEST(Columns, OfText) {
  const auto f = [](std::string_view text, std::size_t columns) { EXPECT_EQ(columns_of(text), columns) << text; };
  f("", 0);
  f("abc", 3);
  f("häß", 3);
  f("中文", 4);
  f("한글", 4);
  f("ｆｕｌｌ", 8);
  f("e\u0301", 1);       // a combining accent
  f("\u0e01\u0e34", 1);  // Thai with a vowel above
  f("😀", 2);
  f("👍🏽", 4);            // a colour of skin: two where it is joined
  f("👨‍👩‍👧", 6);  // joined: two where the terminal can
  f("❤", 1);
  f("❤\ufe0f", 2);  // as an emoji
  f("▁█⠿", 3);
  f("\u200b\u200d", 0);
}

TEST(Columns, HeadKeepsCharactersWhole) {
  const auto f = [](std::string_view text, std::size_t columns, std::string_view head, std::size_t taken) {
    const Head got = head_of(text, columns);
    EXPECT_EQ(text.substr(0, got.bytes), head) << text << " in " << columns;
    EXPECT_EQ(got.columns, taken) << text << " in " << columns;
  };
  f("abc", 0, "", 0);
  f("abc", 2, "ab", 2);
  f("abc", 9, "abc", 3);
  f("中文", 1, "", 0);
  f("中文", 3, "中", 2);
  f("e\u0301x", 1, "e\u0301", 1);
  f("ab\u0301c", 2, "ab\u0301", 2);
  f("x👨‍👩‍👧y", 4, "x", 1);  // not a part of a joined one
  f("x👨‍👩‍👧y", 7, "x👨‍👩‍👧", 7);
  f("x❤\ufe0fy", 2, "x", 1);
}

TEST(Columns, CutSaysSo) {
  const auto f = [](std::string_view text, std::size_t columns, const std::string& cut) {
    EXPECT_EQ(cut_to(text, columns, "…"), cut) << text;
  };
  f("abc", 3, "abc");
  f("abcd", 3, "ab…");
  f("中文中", 4, "中…");
  f("中文中", 5, "中文…");
  f("ab", 1, "…");
}

TEST(Columns, CutInTheMiddleKeepsBothEnds) {
  const auto f = [](std::string_view text, std::size_t columns, const std::string& cut) {
    EXPECT_EQ(cut_middle(text, columns, "…"), cut) << text;
    EXPECT_LE(columns_of(cut_middle(text, columns, "…")), columns) << text;
  };
  f("web-7d9f8b6c5d-x2v4q", 20, "web-7d9f8b6c5d-x2v4q");
  f("web-7d9f8b6c5d-x2v4q", 13, "web-7d…-x2v4q");
  f("abcd", 1, "…");
  f("abcd", 2, "a…");
  f("中文中文", 6, "中…文");
  f("aaaaae\u0301", 3, "a…e\u0301");
  f(std::string(100'000, 'a') + "b", 5, "aa…ab");
}

TEST(Columns, WithoutColors) {
  const auto f = [](std::string_view text, std::string_view plain) {
    std::string scratch;
    EXPECT_EQ(without_colors(text, scratch), plain) << text;
  };
  f("plain", "plain");
  f("\x1b[31mERROR\x1b[0m payment \x1b[1;38:5:3mx\x1b[m", "ERROR payment x");
  f("\x1b[2Jx\x1b[31my", "\x1b[2Jxy");  // what clears the screen stays, for the escape
  f("\x1b[\x1b[31my\x1b[31", "\x1b[y\x1b[31");
}

TEST(Columns, Visible) { EXPECT_EQ(visible("a\tb\nc\x1b[1m\x7f\u009b\xff ä"), "a  b\\nc\\x1b[1m\\x7f\\u009b\\xff ä"); }

}  // namespace
}  // namespace weir::show
