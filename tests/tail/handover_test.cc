#include "tail/handover.h"

#include "support/temp_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::tail {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Left : public testing::Test {
 protected:
  std::shared_ptr<const OpenFile> file(std::uint64_t inode, std::uint64_t place = 0, bool open = true) {
    const int fd = open ? ::open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    EXPECT_EQ(fd >= 0, open);
    descriptors.push_back(fd);
    return std::make_shared<const OpenFile>(OpenFile{base::UniqueFd(fd), "0.log", inode, 1, place});
  }
  // "inode@place", with a dash where it is not open.
  static std::vector<std::string> texts(const OpenFiles& files) {
    std::vector<std::string> texts;
    for (const auto& one : files) texts.push_back(fmt::format("{}{}@{}", one->fd ? "" : "-", one->inode, one->place));
    return texts;
  }
  static bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

  Handover handover;
  std::vector<int> descriptors;
};

TEST_F(Left, FilesAreKeptByLogInTheirOrder) {
  handover.add("a", {file(3), file(1)});
  handover.add("b", {file(2, 7)});
  const auto files = handover.files();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_THAT(texts(files.at("a")), ElementsAre("3@0", "1@0"));
  EXPECT_THAT(texts(files.at("b")), ElementsAre("2@7"));
}

TEST_F(Left, TheFilesOfTwoTailsOfOneLogAreMerged) {
  struct Case {
    OpenFiles first, second;
    std::vector<std::string> merged;
  };
  const Case cases[] = {
      {{file(2), file(3)}, {file(1), file(2), file(3)}, {"1@0", "2@0", "3@0"}},
      {{file(1), file(2)}, {file(2), file(3)}, {"1@0", "2@0", "3@0"}},
      {{file(1), file(3)}, {file(2), file(3)}, {"1@0", "2@0", "3@0"}},
      {{file(1, 9)}, {file(1, 5)}, {"1@5"}},  // nothing that one of them had not read is left out
      {{file(1, 5)}, {file(1, 9)}, {"1@5"}},
      {{file(1, 0, false)}, {file(1, 9)}, {"1@9"}},  // who has it open is worth more
      {{file(1, 9)}, {file(1, 0, false)}, {"1@9"}},
      {{}, {file(1)}, {"1@0"}},
  };
  for (const Case& one : cases) {
    handover.clear();
    handover.add("log", one.first);
    handover.add("log", one.second);
    EXPECT_EQ(texts(handover.files().at("log")), one.merged);
  }
}

TEST_F(Left, ClearingClosesWhatNobodyTook) {
  handover.add("a", {file(1)});
  handover.add("b", {file(2)});
  auto taken = handover.files();
  taken.erase("b");
  EXPECT_TRUE(is_open(descriptors[1]));
  handover.clear();
  EXPECT_THAT(handover.files(), IsEmpty());
  EXPECT_TRUE(is_open(descriptors[0]));
  EXPECT_FALSE(is_open(descriptors[1]));
  taken.clear();
  EXPECT_FALSE(is_open(descriptors[0]));
}

}  // namespace
}  // namespace weir::tail
