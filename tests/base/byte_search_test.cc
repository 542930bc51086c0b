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
