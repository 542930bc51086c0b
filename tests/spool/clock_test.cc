// Ages count the time that passes, whatever the wall clock is set to.
#include "spool/administration.h"
#include "spool/clock_steps.h"
#include "spool/inspection.h"
#include "spool_fixture.h"
#include "sqlite/database.h"

#include <filesystem>

namespace weir::spool {
namespace {

using Lines = std::vector<std::string>;
constexpr base::Duration kYear = 365 * 24 * base::kHour;

class ClockTest : public SpoolTest {
 protected:
  WriterOptions day() const {
    WriterOptions times = options();
    times.retain = 24 * base::kHour;
    times.hold = 24 * base::kHour;
    return times;
  }
  void fresh() {
    for (const auto& file : std::filesystem::directory_iterator(dir_.path())) std::filesystem::remove(file.path());
  }
  // Delivered, held and the newest, which stays anyway.
  void fill_spool(Writer& writer) {
    consumer();
    append(writer, {{"delivered"}});
    append(writer, {{"held", true}});
    append(writer, {{"newest"}});
    const auto main = consumer();
    acknowledge_before(*main, 3, 0);
    main->reject(3, 0, {.status = 400, .reason = "bad", .url = {}, .tenant = {}, .record = "{}"});
    ASSERT_TRUE(main->commit());
  }
  std::size_t left(Writer& writer) {
    Appended evicted;
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(writer.maintain(evicted));
    return contents().size() + read_status(path())->rejected;
  }
  // The machine was started anew: its clocks have nothing to do with each other.
  void reboot() {
    auto database = sqlite::Database::open(path(), sqlite::Access::write, 0);
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("UPDATE meta SET value = 1 WHERE name = 'clock_boot'"));
  }
};

TEST_F(ClockTest, AClockThatIsSetAgesNothing) {
  for (const base::Duration by : {kYear, -kYear, base::kHour, -base::kHour}) {
    SCOPED_TRACE(by);
    fresh();
    const auto writer = open(day());
    fill_spool(*writer);
    clock_.set(by);
    EXPECT_EQ(left(*writer), 4U);
    const Report report = writer->take_report();
    ASSERT_EQ(report.sentences.size(), 1U);
    EXPECT_NE(report.sentences[0].find(by > 0 ? "set forward" : "set back"), std::string::npos) << report.sentences[0];
    clock_.set(-by);
    EXPECT_EQ(left(*writer), 4U);
    // The time that passes counts as ever.
    clock_.set(by);
    clock_.advance(25 * base::kHour);
    EXPECT_EQ(left(*writer), 2U);
    EXPECT_EQ(contents(), Lines{"newest:rejected"});
  }
}

TEST_F(ClockTest, NorWhenItIsSetWhileNobodyWrites) {
  for (const bool reboots : {false, true}) {
    for (const base::Duration by : {kYear, -kYear}) {
      SCOPED_TRACE(by);
      fresh();
      {
        const auto writer = open(day());
        fill_spool(*writer);
      }
      clock_.set(by);
      if (reboots) reboot();
      const auto writer = open(day());
      EXPECT_EQ(left(*writer), 4U);
      clock_.advance(25 * base::kHour);
      EXPECT_EQ(left(*writer), 2U);
    }
  }
}

TEST_F(ClockTest, TimeWithoutAWriterCountsInOneRunOfTheMachineAndAnHourOfItOverARestart) {
  for (const bool reboots : {false, true}) {
    fresh();
    {
      const auto writer = open(day());
      fill_spool(*writer);
    }
    clock_.advance(25 * base::kHour);
    if (reboots) reboot();
    const auto writer = open(day());
    EXPECT_EQ(left(*writer), reboots ? 4U : 2U);
    clock_.advance(24 * base::kHour);
    EXPECT_EQ(left(*writer), 2U);
  }
}

TEST_F(ClockTest, AStepIsKnownToTheNextWriter) {
  {
    const auto writer = open(day());
    fill_spool(*writer);
    clock_.set(kYear);
    append(*writer, {{"after"}});
  }
  reboot();
  const auto writer = open(day());
  EXPECT_EQ(left(*writer), 5U);
  clock_.advance(6 * 24 * base::kHour);
  EXPECT_EQ(read_status(path())->rejected, 1U);
  clock_.advance(2 * 24 * base::kHour);
  left(*writer);
  EXPECT_EQ(read_status(path())->rejected, 0U);
  EXPECT_EQ(read_status(path())->evicted_rejected, 1U);
}

TEST(ClockSteps, CorrectWhatWasStoredBefore) {
  test::FakeClock clock;
  ClockSteps steps;
  EXPECT_EQ(steps.begin(clock, 7, clock.wall() - base::kMinute, std::nullopt), 0);
  clock.advance(base::kHour);
  EXPECT_EQ(steps.update(clock, 8), 0);
  clock.set(kYear);
  EXPECT_EQ(steps.update(clock, 8), kYear);
  clock.set(4 * base::kSecond);
  EXPECT_EQ(steps.update(clock, 9), 0);
  clock.set(-kYear);
  EXPECT_EQ(steps.update(clock, 9), -kYear);
  EXPECT_EQ(steps.corrected(8, 1000), 1000);
  EXPECT_EQ(steps.corrected(9, 1000 + kYear), 1000);
  EXPECT_EQ(steps.corrected(10, 1000), 1000);
  EXPECT_EQ(steps.pending().size(), 2U);
}

}  // namespace
}  // namespace weir::spool
