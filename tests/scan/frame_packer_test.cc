#include "scan/frame_packer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace weir::scan {
namespace {

class FramePackerTest : public ::testing::Test {
 protected:
  // One frame with these lines.
  scan::Run run_of(const std::vector<std::string>& lines) {
    record::Batch batch;
    for (const std::string& line : lines) {
      record::Record record;
      record.labels = batch.hold(record::LabelSet::empty());
      record.line = record::Text::bytes(line);
      writer.add(record);
    }
    scan::Run run = writer.finish();
    EXPECT_EQ(run.frames.size(), 1U);
    return run;
  }
  static std::vector<std::string> lines_of(scan::Run& run) {
    std::vector<std::string> lines;
    OpenFrame open;
    for (open.open(run.frames[0], run.streams, 100); !open.done();) {
      record::Record record;
      open.take(record);
      lines.emplace_back(record.line.data);
    }
    return lines;
  }

  FrameMemory memory;
  RunWriter writer{memory};
  FramePacker packer{memory};
};

TEST_F(FramePackerTest, WhatIsPackedTakesLessAndComesBack) {
  for (const int count : {60, 300}) {  // a part of a piece, and nearly all of it
    std::vector<std::string> lines;
    for (int i = 0; i < count; ++i) lines.push_back(std::to_string(i) + std::string(170, 'x'));
    auto run = run_of(lines);
    const std::size_t held = run.frames[0].bytes.held();
    packer.pack(run.frames[0]);
    ASSERT_TRUE(run.frames[0].packed());
    EXPECT_LT(run.frames[0].bytes.held(), held / 2);
    packer.unpack(run.frames[0]);
    EXPECT_EQ(lines_of(run), lines);
  }
}

TEST_F(FramePackerTest, WhatWouldNotBecomeSmallerStaysAsItIs) {
  std::mt19937 random(1);
  std::vector<std::string> lines(20, std::string(3000, ' '));
  for (std::string& line : lines) {
    for (char& c : line) c = static_cast<char>(random());
  }
  auto run = run_of(lines);
  packer.pack(run.frames[0]);
  ASSERT_FALSE(run.frames[0].packed());
  packer.unpack(run.frames[0]);
  EXPECT_EQ(lines_of(run), lines);
}

TEST_F(FramePackerTest, WhatIsSmallIsNotPacked) {
  auto run = run_of({std::string(1000, 'x')});
  packer.pack(run.frames[0]);
  EXPECT_FALSE(run.frames[0].packed());
}

}  // namespace
}  // namespace weir::scan
