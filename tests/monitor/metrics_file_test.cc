#include "monitor/metrics_file.h"

#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

namespace weir::monitor {
namespace {

class KeyedDiagnostics : public test::RememberingDiagnostics {
 public:
  void warn(std::string_view key, std::string_view text) override {
    keys_.emplace(key);
    RememberingDiagnostics::warn(key, text);
  }
  // To be read when nobody warns any more.
  [[nodiscard]] const std::set<std::string>& keys() const { return keys_; }

 private:
  std::set<std::string> keys_;
};

class MetricsFileTest : public testing::Test {
 protected:
  std::unique_ptr<MetricsFile> start(base::Duration every) {
    auto file = MetricsFile::start(
        path_, [this] { return "n " + std::to_string(++calls_) + "\n"; }, diagnostics_, every);
    if (!file) throw std::runtime_error(file.error().message);
    return *std::move(file);
  }
  [[nodiscard]] std::string text() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] static bool comes_true(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return condition();
  }

  test::TempDir dir_;
  std::string path_ = dir_ / "weir.prom";
  KeyedDiagnostics diagnostics_;
  std::atomic<int> calls_{0};
};

TEST_F(MetricsFileTest, IsWrittenAtOnceAgainAndAtTheEnd) {
  auto file = start(base::kHour);
  EXPECT_EQ(text(), "n 1\n");
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0444, 0444U);
  file.reset();
  EXPECT_EQ(text(), "n 2\n");

  file = start(base::kMillisecond);
  EXPECT_TRUE(comes_true([this] { return calls_ > 10; }));
  file.reset();
  EXPECT_EQ(text(), "n " + std::to_string(calls_) + "\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_.path()), {}), 1);  // nothing is left beside it
  EXPECT_TRUE(diagnostics_.said().empty());
}

TEST_F(MetricsFileTest, AReaderNeverSeesAPart) {
  const auto file = start(base::kMillisecond);
  for (int i = 0; i < 1000; ++i) {
    const std::string seen = text();
    ASSERT_TRUE(seen.starts_with("n ") && seen.ends_with("\n")) << seen;
  }
}

TEST_F(MetricsFileTest, IsWrittenSoonAfterTheChainHasBegun) {
  const auto file = start(base::kHour);
  file->begun();
  EXPECT_TRUE(comes_true([this] { return text() == "n 2\n"; }));
}

// The folder of the file is a link, which turns into another one in one step.
TEST_F(MetricsFileTest, SaysOnceOfEachCauseThatItFailsAndOnceThatItWorksAgain) {
  std::filesystem::create_directory(dir_ / "good");
  std::ofstream(dir_ / "file") << "x";
  const auto turn = [this](const char* to) {
    std::filesystem::create_symlink(to, dir_ / "new");
    std::filesystem::rename(dir_ / "new", dir_ / "folder");
  };
  turn("good");
  path_ = dir_ / "folder/weir.prom";
  auto file = start(base::kMillisecond);
  std::vector<std::string> expected;
  const std::string failed = "cannot write metrics to '" + path_ + "': ";
  const std::string works = "the metrics are written to '" + path_ + "' again";
  const std::pair<const char*, std::string> turns[] = {{"nowhere", failed + "No such file or directory"},
                                                       {"file", failed + "Not a directory"},
                                                       {"good", works},
                                                       {"file", failed + "Not a directory"},
                                                       {"good", works}};
  for (const auto& [to, message] : turns) {
    turn(to);
    expected.push_back(message);
    EXPECT_TRUE(comes_true([&] { return diagnostics_.said().size() >= expected.size(); }));
    const int calls = calls_;
    EXPECT_TRUE(comes_true([&] { return calls_ > calls + 3; }));
    EXPECT_EQ(diagnostics_.said(), expected);
  }
  file.reset();
  EXPECT_EQ(diagnostics_.said(), expected);
  // Otherwise the first cause would hold the second one back.
  EXPECT_EQ(diagnostics_.keys().size(), 2U);
}

TEST_F(MetricsFileTest, FollowsALinkAndRefusesWhatIsNoFile) {
  std::filesystem::create_directory(dir_ / "folder");
  std::filesystem::create_symlink("folder/weir.prom", dir_ / "link");
  path_ = dir_ / "link";
  start(base::kHour).reset();
  EXPECT_TRUE(std::filesystem::is_symlink(dir_ / "link"));
  EXPECT_TRUE(std::filesystem::is_regular_file(dir_ / "folder/weir.prom"));

  path_ = dir_ / "fifo";
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  const auto refused = MetricsFile::start(
      path_, [] { return std::string(); }, diagnostics_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "cannot write metrics to '" + path_ + "': it is a FIFO");
  EXPECT_FALSE(MetricsFile::rehearse(path_));
}

TEST_F(MetricsFileTest, CannotBeginWithoutItsFolder) {
  path_ = dir_ / "none/weir.prom";
  for (const auto& failed : {MetricsFile::rehearse(path_), [&]() -> base::Result<void> {
                               auto file = MetricsFile::start(
                                   path_, [] { return std::string(); }, diagnostics_);
                               return file ? base::Result<void>() : std::move(file).error();
                             }()}) {
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, base::Code::io);
    EXPECT_EQ(failed.error().message, "cannot write metrics to '" + path_ + "': No such file or directory");
    EXPECT_EQ(failed.error().hint, "make the folder first: mkdir -p '" + (dir_ / "none") + "'");
  }
  EXPECT_FALSE(MetricsFile::rehearse(dir_.path()));
  EXPECT_FALSE(MetricsFile::rehearse("/dev/null/x"));
  EXPECT_TRUE(MetricsFile::rehearse(dir_ / "new.prom"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "new.prom"));
}

}  // namespace
}  // namespace weir::monitor
