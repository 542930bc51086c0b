#include "record/json.h"

#include "base/utf8.h"

#include <gtest/gtest.h>

#include <random>

namespace weir::record {
namespace {

std::string escaped(std::string_view bytes) {
  std::string out;
  append_escaped(out, bytes);
  std::string direct(max_escaped(bytes.size()), '\0');
  direct.resize(static_cast<std::size_t>(write_escaped(direct.data(), bytes) - direct.data()));
  EXPECT_EQ(out, direct);
  return out;
}

std::string unescaped(std::string_view text) {
  std::string out(text.size(), '\0');
  out.resize(unescape(out.data(), text));
  return out;
}

TEST(Escape, Table) {
  EXPECT_EQ(escaped("plain"), "plain");
  EXPECT_EQ(escaped("\"\\\b\f\n\r\t\x01\x1f/<>&\x7f"), "\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f/<>&\x7f");
  EXPECT_EQ(escaped("\xc3\xa9\xf0\x9f\x98\x80"), "\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(escaped("\xff"), "\\udcff");
  EXPECT_EQ(escaped("a\xc3"), "a\\udcc3");
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\udced\\udca0\\udc80");
  EXPECT_EQ(escaped("\xc0\x80"), "\\udcc0\\udc80");
  EXPECT_EQ(escaped("\xf5\x80\x80\x80"), "\\udcf5\\udc80\\udc80\\udc80");
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\u0000");
}

TEST(Unescape, Table) {
  EXPECT_EQ(unescaped("\\u00e9\\ud83d\\ude00"), "\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(unescaped("\\/\\\"\\\\\\b\\f\\n\\r\\t"), "/\"\\\b\f\n\r\t");
  EXPECT_EQ(unescaped("\\udcff"), "\xff");
  EXPECT_EQ(unescaped("\\uD83D"), "\xed\xa0\xbd");  // a lone high surrogate
  EXPECT_EQ(unescaped("\\ud83dx"), "\xed\xa0\xbdx");
  EXPECT_EQ(unescaped("\\udc00"), "\xed\xb0\x80");  // a low one that stands for no byte
  EXPECT_EQ(unescaped("\\u0000"), std::string("\0", 1));
}

TEST(Escape, TextsThatJsonMayWriteOtherwise) {
  for (const char* text : {"\n", "a\"b", "\\", "a/b"}) EXPECT_TRUE(may_be_escaped(text)) << text;
  for (const char* text : {"", "plain text", "caf\xc3\xa9", "\x7f"}) EXPECT_FALSE(may_be_escaped(text)) << text;
}

TEST(Escape, EveryByteStringSurvives) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 3000 % (round % 50 == 0 ? 3000 : 40), '\0');
    const bool text = round % 2 == 0;
    for (char& c : bytes) c = static_cast<char>(text && random() % 8 != 0 ? 32 + random() % 95 : random());
    const std::string once = escaped(bytes);
    ASSERT_TRUE(base::is_utf8(once));
    ASSERT_EQ(unescaped(once), bytes);
    ASSERT_EQ(is_clean(bytes), once == bytes);
  }
}

}  // namespace
}  // namespace weir::record
