#include "gotext/unicode.h"

#include "base/utf8.h"

#include <gtest/gtest.h>

namespace weir::gotext {
namespace {

TEST(Unicode, Lengths) {
  auto t = [](std::string_view text, std::size_t expected) { EXPECT_EQ(base::utf8_length(text), expected) << text; };
  t("", 0);
  t("ab", 1);
  t("\xc3\xa9", 2);
  t("\xe2\x82\xac", 3);
  t("\xf0\x9f\x98\x80x", 4);
  t("\xff", 0);
  t("\xc3", 0);
  t("\xc0\x80", 0);          // overlong
  t("\xed\xa0\x80", 0);      // surrogate
  t("\xf4\x90\x80\x80", 0);  // above U+10FFFF
  t("\xef\xbf\xbd", 3);      // U+FFFD itself is a character
}

TEST(Unicode, Validity) {
  EXPECT_TRUE(base::is_ascii("0123456789012345678901234567890123456789"));
  EXPECT_FALSE(base::is_ascii("01234567890123456789012345678901234567\xc3\xa9"));
  EXPECT_TRUE(base::is_utf8("caf\xc3\xa9"));
  EXPECT_FALSE(base::is_utf8("caf\xc3"));
}

TEST(Unicode, Quote) {
  EXPECT_EQ(quote("a\"b\\c\n\t\x01\x7f"), R"("a\"b\\c\n\t\x01\x7f")");
  EXPECT_EQ(quote("\xc3\xa9\xff"), "\"\xc3\xa9\\xff\"");
  EXPECT_EQ(quote("\xe2\x80\x8b"), "\"\\u200b\"");
  EXPECT_EQ(quote("`"), "\"`\"");
}

TEST(Unicode, Case) {
  EXPECT_EQ(to_upper("a\xc3\xa9z1"), "A\xc3\x89Z1");
  EXPECT_EQ(to_lower("A\xc3\x89Z1"), "a\xc3\xa9z1");
}

TEST(Unicode, Classes) {
  EXPECT_TRUE(is_letter("\xc3\xa9"));
  EXPECT_FALSE(is_letter("\xe2\x82\xac"));
  EXPECT_TRUE(is_decimal_digit("\xd9\xa1"));
  EXPECT_FALSE(is_printable("\xc2\xa0"));
}

}  // namespace
}  // namespace weir::gotext
