#include "base/quote.h"

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(Quote, AsGoWritesIt) {
  const auto f = [](std::string_view text, std::string_view expected) { EXPECT_EQ(quoted(text), expected) << text; };
  f("", R"("")");
  f("plain text, 100 %", R"("plain text, 100 %")");
  f("a\"b\\c", R"("a\"b\\c")");
  f("\a\b\f\n\r\t\v", R"("\a\b\f\n\r\t\v")");
  f(std::string_view("\0\x1b\x7f", 3), R"("\x00\x1b\x7f")");
  f("gr\u00f6\u00dfe \U0001f600", "\"gr\u00f6\u00dfe \U0001f600\"");
  f("\xff\xc3(\xe2\x82", R"("\xff\xc3(\xe2\x82")");
  f("\u0085\u00a0\u00ad\u200b\u2028\ufeff", R"("\u0085\u00a0\u00ad\u200b\u2028\ufeff")");
  f("\ufffd", "\"\ufffd\"");
  f("\ufffe", R"("\ufffe")");
  f("\U000e0001", R"("\U000e0001")");
}

TEST(Quote, AsksWhatIsPrintable) {
  std::string out = "x=";
  append_quoted(out, "a\u00e9\u20ac", [](std::string_view character) { return character.size() == 2; });
  EXPECT_EQ(out, "x=\"a\u00e9\\u20ac\"");
}

}  // namespace
}  // namespace weir::base
