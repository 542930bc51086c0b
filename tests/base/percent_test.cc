#include "base/percent.h"

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(Percent, LeavesOnlyUnreserved) {
  EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encode("{a=\"b c\"}+\u00fc/"), "%7Ba%3D%22b%20c%22%7D%2B%C3%BC%2F");
  EXPECT_EQ(percent_encode("{/", HexCase::lower), "%7b%2f");
}

TEST(Percent, DecodesWhatIsAnEscape) {
  const auto f = [](std::string_view text, std::string_view expected) { EXPECT_EQ(percent_decode(text), expected) << text; };
  f("a%20b%2fc%2F", "a b/c/");
  f("100%", "100%");
  f("%4", "%4");
  f("%zz%41", "%zzA");
  f("%00", std::string_view("\0", 1));
}

}  // namespace
}  // namespace weir::base
