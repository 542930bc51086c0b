// `weir spool copy`: the copy holds what the spool held, whatever happens to that meanwhile.
#include "spool/copy.h"
#include "spool/inspection.h"
#include "spool_fixture.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

namespace weir::spool {
namespace {

namespace fs = std::filesystem;
using base::Code;

class CopyTest : public SpoolTest {
 protected:
  std::string target() const { return dir_ / "copy.db"; }
  base::Result<Copied> copy(const base::Stop* stop = nullptr) { return copy_spool(path(), target(), 0, clock_, stop, {}); }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      const std::string name = entry.path().filename();
      if (!name.ends_with("db-wal") && !name.ends_with("db-shm")) all.push_back(name);  // a reader leaves empty ones
    }
    std::ranges::sort(all);
    return all;
  }
};

TEST_F(CopyTest, TellsHowFarItIsAndMayBeEnded) {
  const auto writer = open();
  for (const char* line : {"a", "b", "c"}) append(*writer, {{line}});
  std::vector<std::pair<std::uint64_t, std::uint64_t>> told;
  const auto watch = [&](std::uint64_t done, std::uint64_t all) {
    told.emplace_back(done, all);
    return told.size() != 2;
  };
  const auto ended = copy_spool(path(), target(), 0, clock_, nullptr, watch);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::interrupted);
  EXPECT_FALSE(fs::exists(target()));
  told.assign(2, {});
  ASSERT_TRUE(copy_spool(path(), target(), 0, clock_, nullptr, watch));
  ASSERT_EQ(told.size(), 5U);
  EXPECT_EQ(told[2].first, 0U);
  EXPECT_GT(told[3].first, 0U);
  EXPECT_LT(told[4].first, told[4].second);
}

TEST_F(CopyTest, HoldsAllThatTheSpoolAndItsRecentFilesSay) {
  const auto writer = open();
  const auto main = consumer();
  append(*writer, {{"a"}, {"b"}, {"held", true}});
  append(*writer, {{"c"}});
  append(*writer, {{"d"}});
  main->acknowledge(1, 0, 0);
  main->reject(2, 0, {.status = 400, .reason = "too old", .url = "u", .tenant = "", .record = "{}"});
  ASSERT_TRUE(main->commit());
  main->acknowledge(1, 1, 1);
  ASSERT_TRUE(main->note()) << "not committed: in the recent file only";
  const auto copied = copy();
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(copied->records, 5U);
  EXPECT_EQ(copied->blocks, 3U);
  EXPECT_EQ(copied->evicted, 0U);
  EXPECT_FALSE(copied->missing);
  EXPECT_EQ(fs::status(target()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_FALSE(fs::exists(target() + "-partial"));
  EXPECT_FALSE(fs::exists(target() + "-wal"));
  EXPECT_TRUE(check_spool(target(), 0)->problems.empty());
  const auto before = read_status(path(), 0), after = read_status(target(), 0);
  EXPECT_EQ(after->id, before->id);
  EXPECT_EQ(after->undelivered, 1U);
  EXPECT_EQ(after->rejected, 1U);
  EXPECT_EQ(after->held, 1U);
  EXPECT_EQ(after->delivered, 2U);
  EXPECT_EQ(after->positions.size(), before->positions.size());
  // It is a spool like any other.
  WriterOptions options = SpoolTest::options();
  options.path = target();
  const auto second = open(options);
  EXPECT_EQ(append(*second, {{"e"}}).block, 4U);
}

TEST_F(CopyTest, OfASpoolThatIsWritten) {
  const auto writer = open();
  for (int i = 0; i < 40; ++i) append(*writer, {{noise(100'000, static_cast<unsigned>(i))}});
  const std::uint64_t before = read_status(path(), 0)->records;
  std::atomic<bool> done = false;
  std::thread copier([&] {
    const auto copied = copy();
    EXPECT_TRUE(copied) << copied.error().message;
    done = true;
  });
  for (unsigned i = 40; !done; ++i) append(*writer, {{noise(100'000, i)}});
  copier.join();
  EXPECT_TRUE(check_spool(target(), 0)->problems.empty());
  EXPECT_GE(read_status(target(), 0)->records, before);
  EXPECT_EQ(read_status(target(), 0)->missing, "");
}

TEST_F(CopyTest, WhatIsThereIsLeftAlone) {
  { append(*open(), {{"a"}}); }
  dir_.write("copy.db", "mine");
  const auto copied = copy();
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, Code::usage);
  EXPECT_EQ(fs::file_size(target()), 4U);
  fs::remove(target());
  dir_.write("copy.db-wal", "a log of something else");
  EXPECT_EQ(copy().error().code, Code::usage);
}

TEST_F(CopyTest, AStopOrAWrongNameLeavesNothingBehind) {
  EXPECT_EQ(copy().error().code, Code::io);
  EXPECT_TRUE(names().empty());
  { append(*open(), {{"a"}}); }
  const auto before = names();
  auto stop = base::Stop::create();
  (*stop)->request();
  EXPECT_EQ(copy(stop->get()).error().code, Code::interrupted);
  EXPECT_EQ(names(), before);
}

TEST_F(CopyTest, OfACopyWithoutItsLogSaysWhatIsMissing) {
  {
    const auto writer = open();
    append(*writer, {{"a"}});
    fs::copy_file(path(), dir_ / "torn.db");
  }
  const auto copied = copy_spool(dir_ / "torn.db", target(), 0, clock_, nullptr, {});
  ASSERT_TRUE(copied) << copied.error().message;
  ASSERT_TRUE(copied->missing);
  EXPECT_NE(copied->missing->find("-wal' is missing"), std::string::npos) << *copied->missing;
}

}  // namespace
}  // namespace weir::spool
