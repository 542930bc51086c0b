#include "tail/stored_logs.h"

#include "support/collect.h"
#include "tail/log_harness.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

namespace weir::tail {
namespace {

// The logs of a folder go on at their stored positions. tests/stages/tail_source_test.cc has what comes of that.
class Stored : public testing::Test, protected LogHarness {
 protected:
  Stored() {
    options.tracked = true;
    // As if nothing had changed in the folder for some time.
    clock.set(base::Clock::system().wall() + base::kMinute - clock.wall());
  }
  [[nodiscard]] std::string path(int i) const { return dir / fmt::format("many/{}.log", i); }
  // A log of two lines, of which the first is safe.
  record::LogPosition add(int i) {
    dir.write(fmt::format("many/{}.log", i), cri("old") + cri(fmt::format("new {}", i)));
    record::LogPosition position;
    record::Generation generation{.number = 1};
    generation.file = *(*InputFile::open(path(i)))->identify(record::kHeadBytes, 0);
    position.generations.push_back(std::move(generation));
    position.resume = {1, cri("old").size()};
    return position;
  }
  std::unique_ptr<LogReader> new_reader(std::string key) {
    return std::make_unique<LogReader>(++last_, std::move(key), options, stats, clock, &held);
  }

  test::TempDir dir;
  test::RememberingDiagnostics diagnostics;
  HeldFiles held{1 << 20, diagnostics};
  Selection selection;
  Start start;
  LogRoots roots;
  StoredLogs logs{patterns_of(dir / "many/*.log"), selection, start, held, roots, clock};
  std::uint32_t last_ = 0;
};

// 20,000 positions in one folder: to list it for each of them would take minutes.
TEST_F(Stored, AFolderOfManyLogsIsReadOnceForAllOfThem) {
  constexpr int kLogs = 200;
  record::Positions positions;
  for (int i = 0; i < kLogs; ++i) positions.emplace(path(i), add(i));
  // Of these only rotated files are there, of those nothing: they are looked for by everything that is known of them.
  for (int i = 0; i < 20; ++i) std::filesystem::rename(path(i), path(i) + ".1");
  for (int i = 20; i < 40; ++i) std::filesystem::rename(path(i), dir / fmt::format("many/.hidden {}", i));
  for (int i = 40; i < 60; ++i) std::filesystem::remove(path(i));
  logs.load(std::move(positions));

  for (int i = 60; i < kLogs; ++i) {
    auto reader = new_reader(path(i));
    std::shared_ptr<InputFile> live = *InputFile::open(path(i));
    ASSERT_TRUE(logs.resume(*reader, live, {}));
    read(*reader);
    EXPECT_EQ(take_records().front().substr(0, 4), "new ");
  }
  EXPECT_EQ(stats.gaps, 0U);
  EXPECT_EQ(logs.listings(), 1U);

  const auto absent = logs.take_absent([this](std::string key) { return new_reader(std::move(key)); },
                                       [](const std::string&) { return PodFilter::Answer::read; });
  EXPECT_EQ(absent.size(), 60U);
  for (const auto& reader : absent) read(*reader);
  std::size_t count = 0;
  for (const std::string& line : take_records()) count += line.starts_with("new ") ? 1 : 0;
  EXPECT_EQ(count, 40U);
  EXPECT_EQ(stats.gaps, 20U);
  EXPECT_EQ(logs.listings(), 1U);
}

// What changes meanwhile is seen.
TEST_F(Stored, AChangedFolderIsReadAgain) {
  record::Positions positions;
  for (const int i : {1, 2}) positions.emplace(path(i), add(i));
  logs.load(std::move(positions));
  // So that its next change has another time for sure.
  std::filesystem::last_write_time(dir / "many", std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  auto first = new_reader(path(1));
  std::shared_ptr<InputFile> live = *InputFile::open(path(1));
  ASSERT_TRUE(logs.resume(*first, live, {}));
  std::filesystem::rename(path(2), path(2) + ".1");
  dir.write("many/2.log", cri("newer"));
  auto second = new_reader(path(2));
  live = *InputFile::open(path(2));
  ASSERT_TRUE(logs.resume(*second, live, {}));
  read(*second);
  const Lines records = take_records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_TRUE(records[0].starts_with("new 2")) << records[0];
  EXPECT_TRUE(records[1].starts_with("newer")) << records[1];
  EXPECT_GE(logs.listings(), 2U);
}

}  // namespace
}  // namespace weir::tail
