#include "tail/read_files.h"

#include "support/temp_dir.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace weir::tail {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Read : public testing::Test {
 protected:
  // A file of that name, which only the list has open.
  std::weak_ptr<InputFile> add(const std::string& log, std::uint32_t number, std::uint32_t generation, const std::string& name) {
    dir.write(name, "text");
    std::shared_ptr<InputFile> file = std::move(InputFile::open(dir / name)).value();
    file->set_place(4);
    files.add(log, number, generation, file);
    return file;
  }
  // "name@place", with a dash where it is not open.
  std::vector<std::string> texts(const OpenFiles& list) const {
    std::vector<std::string> texts;
    for (const auto& one : list) {
      EXPECT_TRUE(one->read);
      texts.push_back(fmt::format("{}{}@{}", one->fd ? "" : "-", one->path.substr(std::string(dir / "").size()), one->place));
    }
    return texts;
  }

  test::TempDir dir;
  ReadFiles files;
};

TEST_F(Read, AFileIsOpenUntilItIsDoneWith) {
  const auto first = add("a", 1, 1, "1"), second = add("a", 1, 2, "2"), other = add("b", 2, 1, "3");
  files.done(1, 3);
  files.done(3, 1);
  EXPECT_FALSE(first.expired() || second.expired() || other.expired());
  files.done(1, 1);
  EXPECT_TRUE(first.expired());
  EXPECT_FALSE(second.expired() || other.expired());
  EXPECT_THAT(texts(files.take("a")), ElementsAre("2@4"));
}

TEST_F(Read, ItsDescriptorsAreGivenAwayByLogInTheOrderOfReading) {
  add("a", 1, 1, "1");
  add("b", 2, 1, "2");
  add("a", 1, 2, "3");
  add("c", 3, 1, "4");
  add("a", 4, 1, "5");  // the log had ended, and began again
  EXPECT_THAT(texts(files.take("a")), ElementsAre("1@4", "3@4", "5@4"));
  EXPECT_THAT(files.take("a"), IsEmpty());
  const auto rest = files.take_all();
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_THAT(texts(rest.at("b")), ElementsAre("2@4"));
  EXPECT_THAT(texts(rest.at("c")), ElementsAre("4@4"));
  EXPECT_THAT(files.take_all(), IsEmpty());
}

TEST_F(Read, WhatWasGivenUpIsNotGivenAway) {
  for (const bool all : {false, true}) {
    const auto given_up = add("a", 1, 1, "1").lock();
    const auto parked = add("a", 1, 2, "2").lock();
    given_up->give_up("", nullptr);
    EXPECT_TRUE(parked->park());
    EXPECT_THAT(texts(all ? files.take_all().at("a") : files.take("a")), ElementsAre("-2@4"));
  }
}

}  // namespace
}  // namespace weir::tail
