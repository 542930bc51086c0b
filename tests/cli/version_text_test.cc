#include "cli/version_text.h"

#include "cli/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace weir::cli {
namespace {

using ::testing::MatchesRegex;

TEST(VersionText, SaysWhatABuildIs) {
  const std::array<LateLibrary, 2> late = {{{"libcurl", "7.88.1, OpenSSL/3.0.15"}, {"libsystemd", ""}}};
  EXPECT_EQ(version_text({.version = "1.2.3",
                          .commit = "0123456789ab",
                          .architecture = "aarch64-linux-gnu",
                          .compiler = "GNU 12.2.0",
                          .linked = "fmt 9.1.0, zstd 1.5.4",
                          .compiled_in = "CLI11 2.1.2"},
                         late),
            "weir 1.2.3\n"
            "commit: 0123456789ab\n"
            "built for: aarch64-linux-gnu, with GNU 12.2.0\n"
            "linked: fmt 9.1.0, zstd 1.5.4\n"
            "compiled in: CLI11 2.1.2\n"
            "loaded when needed: libcurl (7.88.1, OpenSSL/3.0.15), libsystemd (not found)\n");
}

TEST(VersionText, AsksTheLibrariesOfThisMachine) {
  const auto late = late_libraries();
  ASSERT_EQ(late.size(), 2U);
  EXPECT_EQ(late[0].name, "libcurl");
  EXPECT_THAT(late[0].found, MatchesRegex("[0-9]+[.][0-9]+[.][0-9]+, .+"));  // the tests of http need it, too
  EXPECT_EQ(late[1].name, "libsystemd");
  EXPECT_THAT(late[1].found, MatchesRegex("(libsystemd[.]so[.]0.*)?"));
}

}  // namespace
}  // namespace weir::cli
