#include "base/late_library.h"

#include <gmock/gmock.h>

namespace weir::base {
namespace {

using ::testing::HasSubstr;

using Cosine = double(double);

TEST(LateLibrary, FindsWhatIsInIt) {
  LateLibrary library({"libm.so.6"});
  ASSERT_TRUE(library.is_open()) << library.cause();
  Cosine* cosine = nullptr;
  library.find(cosine, "cos");
  EXPECT_EQ(library.cause(), "");
  ASSERT_NE(cosine, nullptr);
  EXPECT_EQ(cosine(0), 1);
}

TEST(LateLibrary, TakesTheFirstNameThatIsThere) {
  LateLibrary library({"libweir-does-not-exist.so.1", "libm.so.6"});
  EXPECT_TRUE(library.is_open());
  EXPECT_EQ(library.cause(), "");
}

TEST(LateLibrary, SaysWhyItIsNotThere) {
  LateLibrary library({"libweir-does-not-exist.so.1", "libweir-nor-this.so.1"});
  EXPECT_FALSE(library.is_open());
  EXPECT_THAT(library.cause(), HasSubstr("libweir-does-not-exist.so.1"));
  Cosine* cosine = nullptr;
  library.find(cosine, "cos");
  EXPECT_EQ(cosine, nullptr);
  EXPECT_THAT(library.cause(), HasSubstr("libweir-does-not-exist.so.1"));
}

TEST(LateLibrary, SaysTheFirstNameThatIsMissing) {
  LateLibrary library({"libm.so.6"});
  Cosine* cosine = nullptr;
  library.find(cosine, "weir_first");
  library.find(cosine, "weir_second");
  EXPECT_EQ(cosine, nullptr);
  EXPECT_TRUE(library.is_open());
  EXPECT_EQ(library.cause(), "weir_first is not in it");
}

}  // namespace
}  // namespace weir::base
