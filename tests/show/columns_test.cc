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

TEST(Columns, Visible) { EXPECT_EQ(visible("a\tb\nc\x1b[1m\x7f\u009b\xff ä"), "a  b\\nc\\x1b[1m\\x7f\\u009b\\xff ä"); }

}  // namespace
}  // namespace weir::show
