#include "spool/status_file.h"

#include "support/fake_clock.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::spool {
namespace {

constexpr std::uint64_t kSpool = 0x1234;

class StatusFileTest : public testing::Test {
 protected:
  std::string path() const { return writer_status_path(dir_ / "spool.db"); }
  ProcessStatus read() const { return read_process_status(path(), kSpool).value_or(ProcessStatus()); }
  test::TempDir dir_;
  test::FakeClock clock_;
};

TEST_F(StatusFileTest, SaysWhoRunsFromTheStartAndWhenItEnded) {
  const base::Timestamp start = clock_.wall();
  {
    const StatusFile file(path(), kSpool, "weir run x", clock_);
    EXPECT_EQ(read().pid, static_cast<std::uint64_t>(::getpid()));
    EXPECT_EQ(read().command, "weir run x");
    EXPECT_EQ(read().started, start);
    EXPECT_EQ(read().ended, 0);
    struct stat status = {};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    clock_.advance(base::kMinute);
  }
  EXPECT_EQ(read().ended, start + base::kMinute);
  EXPECT_EQ(read().written, start + base::kMinute);
}

TEST_F(StatusFileTest, WritesOnlyWhatIsNewAndNotOften) {
  StatusFile file(path(), kSpool, "", clock_);
  EXPECT_EQ(file.due(clock_.monotonic()), base::kNever) << "an idle chain is not woken";
  file.succeeded(7);
  EXPECT_EQ(file.due(clock_.monotonic()), clock_.monotonic() + StatusFile::kEvery);
  EXPECT_EQ(read().success, 0);
  clock_.advance(StatusFile::kEvery);
  EXPECT_EQ(file.due(clock_.monotonic()), base::kNever);
  EXPECT_EQ(read().success, 7);
  file.succeeded(7);
  file.blocked("", 0);
  EXPECT_EQ(file.due(clock_.monotonic()), base::kNever) << "nothing is new";
}

TEST_F(StatusFileTest, ABlockadeBeginsOnceAndEnds) {
  StatusFile file(path(), kSpool, "", clock_);
  const auto later = [&] {
    clock_.advance(StatusFile::kEvery);
    file.due(clock_.monotonic());
    return read();
  };
  file.blocked("Loki does not answer", 10);
  EXPECT_EQ(later().blocked, "Loki does not answer");
  file.blocked("Loki answers 500", 20);
  EXPECT_EQ(later().blocked, "Loki answers 500");
  EXPECT_EQ(read().blocked_since, 10);
  file.failed("an error", 30);
  file.blocked("", 0);
  EXPECT_EQ(later().blocked, "");
  EXPECT_EQ(read().blocked_since, 0);
  EXPECT_EQ(read().error, "an error");
  EXPECT_EQ(read().error_at, 30);
}

TEST_F(StatusFileTest, TellsALackOfRoomFromOtherWaits) {
  StatusFile file(path(), kSpool, "", clock_);
  const auto later = [&] {
    clock_.advance(StatusFile::kEvery);
    file.due(clock_.monotonic());
    return read();
  };
  file.blocked("the file is in use", 10);
  EXPECT_EQ(later().full_since, 0);
  file.out_of_room("the disk is full (1 B left)", 20);
  EXPECT_EQ(later().full_since, 20);
  EXPECT_EQ(read().blocked_since, 10);
  file.out_of_room("the disk is full (2 B left)", 30);
  EXPECT_EQ(later().full_since, 20);
  file.blocked("the file is in use", 40);
  EXPECT_EQ(later().full_since, 0);
  file.out_of_room("the disk is full", 50);
  file.blocked("", 0);
  EXPECT_EQ(later().full_since, 0);
  EXPECT_EQ(read().blocked, "");
}

TEST_F(StatusFileTest, AWriteThatWasCutLeavesTheOneBefore) {
  {
    StatusFile file(path(), kSpool, "first", clock_);
    clock_.advance(base::kMinute);
  }
  const ProcessStatus ended = read();
  std::string bytes = dir_.read("spool.db-status");
  const std::size_t at = bytes.find(std::to_string(ended.ended));
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  dir_.write("spool.db-status", bytes);
  EXPECT_EQ(read().command, "first");
  EXPECT_EQ(read().ended, 0) << "what was written before";
  dir_.write("spool.db-status", "x");
  EXPECT_FALSE(read_process_status(path(), kSpool));
}

TEST_F(StatusFileTest, IsOfOneSpoolAlone) {
  const StatusFile file(path(), kSpool, "", clock_);
  EXPECT_FALSE(read_process_status(path(), kSpool + 1));
  EXPECT_FALSE(read_process_status(dir_ / "absent", kSpool));
}

TEST_F(StatusFileTest, TextsThatAreLongOrSpanLinesKeepTheirPlace) {
  StatusFile file(path(), kSpool, std::string(5000, 'x') + "ä", clock_);
  file.failed(std::string(2999, '!') + "\nsuccess 5", 1);
  file.blocked("a\nb", 2);
  clock_.advance(StatusFile::kEvery);
  file.due(clock_.monotonic());
  const ProcessStatus got = read();
  EXPECT_TRUE(got.command.ends_with("x…")) << got.command;
  EXPECT_EQ(got.success, 0);
  EXPECT_EQ(got.blocked, "a\\nb");
  EXPECT_EQ(got.blocked_since, 2);
}

TEST_F(StatusFileTest, NamesAndLinesThatNobodyKnowsAreLeftOut) {
  const ProcessStatus status = decode_status("later 5\nnothing\npid 12\nstarted x\nerror a b\n");
  EXPECT_EQ(status.pid, 12U);
  EXPECT_EQ(status.started, 0);
  EXPECT_EQ(status.error, "a b");
}

TEST_F(StatusFileTest, WithoutAPlaceForItNothingFails) {
  StatusFile file(dir_ / "absent/spool.db-status", kSpool, "", clock_);
  file.succeeded(1);
  EXPECT_EQ(file.due(clock_.monotonic() + base::kMinute), base::kNever);
}

}  // namespace
}  // namespace weir::spool
