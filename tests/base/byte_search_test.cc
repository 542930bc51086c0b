#include "base/byte_search.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace weir::base {
namespace {

TEST(ByteSearch, AgreesWithTheStandardLibrary) {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::size_t i = random() % 70; i > 0; --i) text += static_cast<char>('a' + random() % 3);
    std::string needle;
    for (std::size_t i = random() % 6; i > 0; --i) needle += static_cast<char>('a' + random() % 3);
    ASSERT_EQ(find_bytes(text, needle), text.find(needle)) << text << " " << needle;
    std::string upper = text;
    for (char& c : upper) {
      if (random() % 2 == 0) c = static_cast<char>(c - 32);
    }
    ASSERT_EQ(contains_ignoring_case(upper, needle), text.find(needle) != std::string::npos) << upper << " " << needle;
  }
}

TEST(ByteSearch, FindsInLongTexts) {
  std::mt19937 random(9);
  const auto text_of = [&](std::size_t size, unsigned letters) {
    std::string text(size, ' ');
    for (char& c : text) c = static_cast<char>('a' + random() % letters);
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    std::string text = text_of(4000 + random() % 400, 2 + random() % 20);
    std::string needle = text_of(2 + random() % 40, 20);
    if (round % 3 == 0) needle = text.substr(random() % text.size(), needle.size());
    ASSERT_EQ(find_bytes(text, needle), text.find(needle)) << text << " " << needle;
    // At the very end, with the same first and last byte everywhere.
    text.assign(text.size(), needle.front());
    needle.back() = needle.front();
    needle[needle.size() / 2] = '!';
    ASSERT_EQ(find_bytes(text, needle), std::string::npos);
    text.replace(text.size() - needle.size(), needle.size(), needle);
    ASSERT_EQ(find_bytes(text, needle), text.find(needle)) << text.size() << " " << needle;
  }
}

TEST(ByteSearch, FoldsLettersOnly) {
  EXPECT_TRUE(contains_ignoring_case("[ERROR]", "[error]"));
  EXPECT_FALSE(contains_ignoring_case("{ERROR}", "[error]"));  // `{` is `[` with the bit of the case set
  EXPECT_FALSE(contains_ignoring_case("a\x01z", "a!z"));
  EXPECT_TRUE(contains_bytes("anything", ""));
  EXPECT_FALSE(contains_bytes("", "x"));
}

TEST(ByteSearch, FindsQuotesAndBackslashes) {
  for (std::size_t at = 0; at < 50; ++at) {
    std::string text(at, 'x');
    EXPECT_EQ(find_quote_or_backslash(text, 0), at);
    EXPECT_EQ(find_quote_or_backslash(text + "\"yyyyyyyyyyyyyyyyyyyy", 0), at);
    EXPECT_EQ(find_quote_or_backslash(text + "\\\"", 0), at);
    EXPECT_EQ(find_quote_or_backslash("\"" + text + "\\\"", 1), at + 1);
  }
}

}  // namespace
}  // namespace weir::base
