#include "tail/watch_rules.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::tail {
namespace {

TEST(GatherPace, AfterAQuietTimeSoonThenNowAndThen) {
  GatherPace pace(100, 400, 10'000);
  EXPECT_EQ(pace.due(), base::kNever);
  pace.written(10'000);
  EXPECT_EQ(pace.due(), 10'100);
  pace.written(10'050);
  EXPECT_EQ(pace.due(), 10'100);  // the first event counts
  pace.reported(10'100, false);
  EXPECT_EQ(pace.due(), base::kNever);
  pace.written(10'110);
  EXPECT_EQ(pace.due(), 10'500);  // the spacing since the last telling
  pace.reported(10'500, true);
  EXPECT_EQ(pace.due(), 10'900);  // by itself
  pace.reported(10'900, false);
  pace.written(20'000);
  EXPECT_EQ(pace.due(), 20'100);
}

TEST(FileCount, WhatNobodyOpenedIsLeft) {
  struct Case {
    std::uint64_t created, opened, unseen;
  };
  for (const Case& one : {Case{0, 0, 0}, {1, 1, 0}, {3, 1, 2}, {1, 3, 0}, {5, 0, 5}}) {
    for (const bool opened_first : {false, true}) {
      FileCount files;
      if (opened_first) files.open(one.opened, 7);
      for (std::uint64_t i = 0; i < one.created; ++i) EXPECT_EQ(files.create(), i == 0);
      if (!opened_first) files.open(one.opened, 7);
      EXPECT_EQ(files.settle(7), one.unseen);
      EXPECT_EQ(files.take_unopened(), one.unseen);
      EXPECT_EQ(files.settle(7), 0U);
    }
  }
}

TEST(FileCount, AnOpenedFileWaitsARoundForItsCreation) {
  FileCount files;
  files.open(1, 7);
  EXPECT_EQ(files.settle(8), 0U);
  EXPECT_TRUE(files.create());
  EXPECT_EQ(files.settle(9), 0U);  // told in the round after
  files.open(1, 10);
  EXPECT_TRUE(files.create());
  EXPECT_EQ(files.settle(12), 1U);  // the opened one is long past: this is another
}

TEST(FileCount, OneThatIsAnotherLogs) {
  FileCount files;
  files.forget_one();
  files.create();
  files.forget_one();
  EXPECT_EQ(files.settle(1), 0U);
}

TEST(JudgeRotations, ByNameShapeAndTime) {
  using enum RotationVerdict;
  const auto f = [](const std::vector<FoundRotation>& rotations, const std::vector<RotationVerdict>& verdicts) {
    EXPECT_EQ(judge_rotations(rotations), verdicts);
  };
  const FoundRotation known{"s-9.log", 20, true, false}, reading{"s-9.log", 20, true, true};
  f({}, {});
  f({{"s-9.log", 10}, known}, {read, another});
  f({{"s-9.log", 30}, known}, {another, another});  // written to since
  f({known, {"s-9.log", 10}}, {another, another});  // newer by name, and nothing is to be read
  f({reading, {"s-9.log", 30}}, {another, to_be_read});
  f({{"s-9.log", 10}, reading, {"s-9.log", 30}}, {read, another, to_be_read});
  f({{"t-9.log", 10}, known}, {another, another});  // of another shape
  f({{"", 10}, reading, {"", 30}}, {another, another, another});
  f({{"s-9.log", 10}, {"s-9.log", 20}}, {another, another});  // none is known
}

TEST(IsFree, OfAClaimedFile) {
  struct Case {
    ClaimedFile file;
    bool free;
  };
  for (const auto& [file, free] : {Case{{.gone = true, .to_be_read = true, .log_is_there = true, .grown = false}, true},
                                   {{.gone = false, .to_be_read = true, .log_is_there = false, .grown = true}, false},
                                   {{.gone = false, .to_be_read = true, .log_is_there = true, .grown = false}, false},
                                   {{.gone = false, .to_be_read = false, .log_is_there = false, .grown = false}, true},
                                   {{.gone = false, .to_be_read = false, .log_is_there = true, .grown = false}, false},
                                   {{.gone = false, .to_be_read = false, .log_is_there = true, .grown = true}, true}}) {
    EXPECT_EQ(is_free(file), free);
  }
}

}  // namespace
}  // namespace weir::tail
