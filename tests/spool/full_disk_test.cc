// A disk, or a quota, without room: what cannot be stored stays with the caller. What goes on within the files is tested on a real
// small disk (tests/e2e/disk_test.py): it takes a reserve that is really freed.
#include "spool/inspection.h"
#include "spool_fixture.h"
#include "support/power_loss_vfs.h"

#include <cerrno>

namespace weir::spool {
namespace {

using base::Code;

struct Refusal {
  const char* name;
  int code, error;
};

class FullDiskTest : public SpoolTest, public testing::WithParamInterface<Refusal> {
 protected:
  void fill_up() { power_.fill_up(GetParam().code, GetParam().error); }

  test::PowerLossVfs power_{1};
};

TEST_P(FullDiskTest, WhatFindsNoRoomStaysWithTheCallerAndIsStoredOnce) {
  const auto writer = open();
  const auto main = consumer();
  append(*writer, {{"a"}});
  EXPECT_FALSE(writer->stock()->full);
  fill_up();
  BlockBuilder builder;
  fill(builder, {{"b" + noise(200'000, 1)}});
  for (int i = 0; i < 3; ++i) {
    const auto refused = writer->append(builder, nullptr);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::full) << refused.error().message;
    EXPECT_NE(refused.error().message.find("the disk is full"), std::string::npos) << refused.error().message;
    EXPECT_FALSE(refused.error().hint.empty());
  }
  EXPECT_EQ(builder.records(), 1U);
  EXPECT_EQ(contents(), (std::vector<std::string>{"a:undelivered"}));
  EXPECT_TRUE(writer->stock()->full);
  power_.make_room();
  ASSERT_TRUE(writer->append(builder, nullptr));
  EXPECT_FALSE(writer->stock()->full);
  EXPECT_EQ(contents().size(), 2U);
  EXPECT_TRUE(check_spool(path(), 0)->problems.empty());
}

TEST_P(FullDiskTest, ClosingLosesNothing) {
  {
    const auto writer = open();
    append(*writer, {{"a"}});
    append(*writer, {{noise(100'000, 1)}});
    fill_up();
    EXPECT_TRUE(writer->close());
  }
  power_.make_room();
  const auto writer = open();
  EXPECT_EQ(contents().size(), 2U);
}

class MinFreeTest : public SpoolTest {};

TEST_F(MinFreeTest, AFileSystemThatIsScarceBoundsTheFile) {
  WriterOptions options = this->options();
  options.min_free = 99;
  const auto writer = open(options);
  const auto main = consumer();
  BlockBuilder builder;
  base::Result<Appended> appended = Appended{};
  unsigned blocks = 0;
  for (; appended && blocks < 60; ++blocks) {
    builder.take();
    fill(builder, {{noise(400'000, blocks)}});
    appended = writer->append(builder, nullptr);
  }
  if (appended) GTEST_SKIP() << "more than 99 % of the file system is free";
  EXPECT_EQ(appended.error().code, Code::full);
  EXPECT_NE(appended.error().message.find("less than 99 %"), std::string::npos) << appended.error().message;
  EXPECT_GT(blocks * 400'000U, kFloor * 9 / 10);
  // What is delivered makes room.
  acknowledge_before(*main, 10, 0);
  ASSERT_TRUE(main->commit());
  EXPECT_TRUE(writer->append(builder, nullptr));
}

TEST_F(MinFreeTest, AScarceFileSystemBoundsARingAndIsReportedOnce) {
  WriterOptions options = this->options();
  options.min_free = 99;
  const auto writer = open(options);
  std::vector<std::string> said;
  std::uint64_t evicted = 0;
  for (unsigned i = 0; i < 120; ++i) {
    evicted += append(*writer, {{noise(400'000, i)}}).evicted_delivered;
    Appended expired;
    ASSERT_TRUE(writer->maintain(expired));
    for (std::string& sentence : writer->take_report().sentences) said.push_back(std::move(sentence));
  }
  if (said.empty() && evicted == 0) GTEST_SKIP() << "more than 99 % of the file system is free";
  EXPECT_GT(evicted, 60U);
  ASSERT_TRUE(writer->close());
  EXPECT_LE(std::filesystem::file_size(path()), kFloor + (1U << 20));
  ASSERT_EQ(said.size(), 1U);
  EXPECT_NE(said[0].find("less than 99 % of the file system is free (--min-free)"), std::string::npos) << said[0];
  EXPECT_NE(said[0].find("does not grow beyond 16.0 MiB"), std::string::npos) << said[0];
}

INSTANTIATE_TEST_SUITE_P(Causes, FullDiskTest,
                         testing::Values(Refusal{"disk", SQLITE_FULL, ENOSPC}, Refusal{"quota", SQLITE_IOERR_WRITE, EDQUOT}),
                         [](const testing::TestParamInfo<Refusal>& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace weir::spool
