#include "base/text_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace weir::base {
namespace {

namespace fs = std::filesystem;

class TextFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "weir_text_file.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  fs::path folder_;
};

TEST_F(TextFile, ReadsWhatWasWritten) {
  const std::string text = std::string(40'000, 'a') + "\nb";
  ASSERT_TRUE(replace_text_file(path("one"), text));
  EXPECT_EQ(read_text_file(path("one"), "'one'").value(), text);
  ASSERT_TRUE(replace_text_file(path("one"), "new"));
  EXPECT_EQ(read_text_file(path("one"), "'one'").value(), "new");
  struct stat status = {};
  ASSERT_EQ(::stat(path("one").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "nothing is left beside it";
}

TEST_F(TextFile, SaysWhatItCannotRead) {
  const auto missing = read_text_file(path("none"), "the rules 'none'");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "cannot read the rules 'none': No such file or directory");
  EXPECT_EQ(missing.error().system, ENOENT);
  EXPECT_FALSE(read_text_file(folder_.string(), "a folder"));
}

TEST_F(TextFile, RefusesWhatIsTooLarge) {
  ASSERT_TRUE(replace_text_file(path("large"), std::string(kMostText, 'x')));
  EXPECT_TRUE(read_text_file(path("large"), "it"));
  ASSERT_TRUE(replace_text_file(path("large"), std::string(kMostText + 1, 'x')));
  const auto large = read_text_file(path("large"), "the rules");
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().message, "cannot read the rules: it is larger than 1 MiB");
}

TEST_F(TextFile, SaysWhereItCannotWrite) {
  const auto refused = replace_text_file(path("no/such/folder"), "x");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::io);
}

}  // namespace
}  // namespace weir::base
