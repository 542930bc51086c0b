#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::base {
namespace {

TEST(Utf8, IsWhatTheRfcSays) {
  for (const auto* text : {"", "abc", "\u00e9\u20ac\U0001f600", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (const auto* text :
       {"\xff", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "12345678\xe2\x82"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Utf8, ReplacementCounts) {
  std::size_t replaced = 0;
  EXPECT_EQ(replace_invalid_utf8("a\xff\xc3\xa9\xed\xa0\x80", replaced),
            "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(replaced, 4U);
}

TEST(Utf8, EveryCharacterComesBack) {
  for (char32_t character = 0; character < 0x110000; ++character) {
    std::string text;
    append_utf8(text, character);
    std::size_t length = 0;
    const bool surrogate = character >= 0xd800 && character <= 0xdfff;
    ASSERT_EQ(decode_utf8(text, length), surrogate ? kReplacement : character);
    ASSERT_EQ(length, text.size());
    ASSERT_EQ(utf8_length(text), text.size());
  }
}

}  // namespace
}  // namespace weir::base
