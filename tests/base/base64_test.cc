#include "base/base64.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::base {
namespace {

TEST(Base64, RoundTripAndFailure) {
  const auto f = [](std::string_view bytes, std::string_view text) {
    std::string out;
    append_base64(out, bytes);
    EXPECT_EQ(out, text);
    char back[64];
    const auto size = decode_base64(back, text);
    ASSERT_TRUE(size);
    EXPECT_EQ(std::string_view(back, *size), bytes);
  };
  f("", "");
  f("f", "Zg==");
  f("fo", "Zm8=");
  f("foo", "Zm9v");
  f("foobar", "Zm9vYmFy");
  f("\xff\xfe", "//4=");
  char back[64];
  for (const char* text : {"Zg", "Zg=", "Z===", "Zg==Zg==", "Zm9*", "Zg=a"}) EXPECT_FALSE(decode_base64(back, text)) << text;
}

TEST(Base64, Digits) {
  EXPECT_EQ(base64_digit('A'), 0);
  EXPECT_EQ(base64_digit('/'), 63);
  for (const char c : {'=', '-', '_', '\0', '\n'}) EXPECT_EQ(base64_digit(c), -1);
}

}  // namespace
}  // namespace weir::base
