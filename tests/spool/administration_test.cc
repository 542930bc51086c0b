#include "spool/administration.h"

#include "spool/inspection.h"
#include "spool/reserve.h"
#include "spool_fixture.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <thread>

namespace weir::spool {
namespace {

using base::Code;
class AdministrationTest : public SpoolTest {
 protected:
  std::uint64_t size() const {
    std::uint64_t size = 0;
    for (const char* suffix : {"", "-wal"}) {
      std::error_code error;
      const auto bytes = std::filesystem::file_size(path() + suffix, error);
      if (!error) size += bytes;
    }
    return size;
  }
};

TEST_F(AdministrationTest, AForgottenConsumerHoldsNothingBack) {
  const auto writer = open();
  append(*writer, {{"a"}});
  append(*writer, {{"b"}});
  consumer("gone");
  {
    const auto main = consumer();
    acknowledge_before(*main, 3, 0);
    ASSERT_TRUE(main->commit());
  }
  EXPECT_EQ(contents(), (std::vector<std::string>{"a:undelivered", "b:undelivered"}));
  ASSERT_TRUE(forget_consumer(path(), "gone", clock_));
  EXPECT_EQ(contents(), (std::vector<std::string>{"a:delivered", "b:delivered"}));
}

TEST_F(AdministrationTest, AConsumerAtWorkIsNotForgotten) {
  const auto writer = open();
  append(*writer, {{"a"}});
  const auto main = consumer();
  const auto refused = forget_consumer(path(), "main", clock_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::busy);
}

TEST_F(AdministrationTest, AnUnknownNameIsAnErrorThatListsTheNames) {
  const auto writer = open();
  append(*writer, {{"a"}});
  consumer("main");
  consumer("archive");
  const auto refused = forget_consumer(path(), "mian", clock_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::usage);
  EXPECT_EQ(refused.error().hint, "its consumers: 'archive', 'main'");
  EXPECT_EQ(forget_consumer(dir_ / "none.db", "main", clock_).error().code, Code::io);
}

// A spool most of which is unused.
void empty_out(Writer& writer, test::FakeClock& clock) {
  clock.advance(48 * base::kHour);
  Appended evicted;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(writer.maintain(evicted));
}

TEST_F(AdministrationTest, CompactGivesSpaceBackByItself) {
  {
    const auto writer = open();
    for (unsigned i = 0; i < 20; ++i) append(*writer, {{noise(500'000, i)}});
    empty_out(*writer, clock_);
  }
  const auto done = compact(path(), 0, base::Clock::system());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_FALSE(done->by_writer);
  EXPECT_GT(done->before, 9U << 20);
  EXPECT_LT(done->after, 1U << 20);
  EXPECT_EQ(done->after, size());
  EXPECT_EQ(contents().size(), 1U);
}

TEST_F(AdministrationTest, CompactAsksTheWriter) {
  WriterOptions patient = options();
  patient.wait = base::kMinute;  // the one that asks writes, too
  const auto writer = open(patient);
  for (unsigned i = 0; i < 20; ++i) append(*writer, {{noise(500'000, i)}});
  empty_out(*writer, clock_);
  std::optional<base::Result<Compacted>> done;
  std::thread asks([&] { done = compact(path(), base::kMinute, base::Clock::system()); });
  Appended evicted;
  const base::Monotonic deadline = base::after(base::Clock::system().monotonic(), base::kMinute);
  while (size() > 2U << 20 && base::Clock::system().monotonic() < deadline) {
    const auto maintained = writer->maintain(evicted);
    EXPECT_TRUE(maintained) << maintained.error().message;
    if (!maintained) break;
  }
  asks.join();
  ASSERT_TRUE(*done) << done->error().message;
  EXPECT_TRUE((*done)->by_writer);
  EXPECT_EQ(contents().size(), 1U);
}

TEST_F(AdministrationTest, CompactTellsHowFarItIsAndMayBeEnded) {
  {
    const auto writer = open();
    for (unsigned i = 0; i < 20; ++i) append(*writer, {{noise(500'000, i)}});
    empty_out(*writer, clock_);
  }
  const std::uint64_t before = size();
  std::vector<std::pair<std::uint64_t, std::uint64_t>> told;
  const auto watch = [&](std::uint64_t bytes, std::uint64_t all) {
    told.emplace_back(bytes, all);
    return told.size() != 2;
  };
  const auto ended = compact(path(), 0, base::Clock::system(), watch);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::interrupted);
  EXPECT_TRUE(check_spool(path())->problems.empty());
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].first, 0U);
  EXPECT_GT(told[1].first, 0U);
  EXPECT_EQ(told[1].second, told[0].second);
  EXPECT_LE(told[1].second, before);
  const auto done = compact(path(), 0, base::Clock::system(), watch);
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_GT(told.size(), 2U);
  EXPECT_EQ(told[2].first, 0U);
  EXPECT_EQ(told[2].second, told[1].second - told[1].first);
  EXPECT_EQ(contents().size(), 1U);
}

TEST_F(AdministrationTest, CheckTellsHowFarItIsAndMayBeEnded) {
  {
    const auto writer = open();
    for (unsigned i = 0; i < 20; ++i) append(*writer, {{noise(500'000, i)}});
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> told;
  const auto checked = check_spool(path(), 0, [&](std::uint64_t bytes, std::uint64_t all) {
    told.emplace_back(bytes, all);
    return true;
  });
  ASSERT_TRUE(checked);
  EXPECT_TRUE(checked->problems.empty());
  ASSERT_GT(told.size(), 20U);  // of the file, and of each block
  for (std::size_t i = 1; i < told.size(); ++i) {
    EXPECT_EQ(told[i].second, told[0].second);
    EXPECT_LE(told[i - 1].first, told[i].first);
  }
  EXPECT_GT(told.back().first, told.back().second * 9 / 10);
  EXPECT_LT(told.front().first, told.front().second / 3);
  for (const std::size_t wanted : {std::size_t{1}, told.size() - 2}) {  // within the file, and within the blocks
    std::size_t calls = 0;
    const auto ended = check_spool(path(), 0, [&](std::uint64_t, std::uint64_t) { return ++calls < wanted; });
    ASSERT_FALSE(ended) << wanted;
    EXPECT_EQ(ended.error().code, Code::interrupted);
  }
}

TEST_F(AdministrationTest, CompactSaysWhenTheWriterDoesNotCome) {
  const auto writer = open();
  append(*writer, {{"a"}});
  const auto done = compact(path(), 0, base::Clock::system());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::busy);
}

TEST_F(AdministrationTest, TheReserveIsAsLargeAsTheLogAndGoesWithTheLastUse) {
  {
    const auto writer = open();
    EXPECT_GE(Reserve::size(path()), 1U << 20);
    for (unsigned i = 0; i < 8; ++i) append(*writer, {{noise(500'000, i)}});
    EXPECT_GE(Reserve::size(path()), 4U << 20);
    EXPECT_EQ(read_status(path(), 0)->reserve_bytes, Reserve::size(path()));
  }
  EXPECT_EQ(Reserve::size(path()), 0U);
}

// What goes through is ten times the limit; the file, its log and all stay within 1.2 times.
class SpaceTest : public AdministrationTest {
 protected:
  static constexpr std::uint64_t kLimit = 12 << 20;

  void push_through(Writer& writer, const std::function<void(unsigned)>& between) {
    std::uint64_t most = 0, bytes = 0;
    std::vector<std::string> bodies;
    for (unsigned i = 0; i < 8; ++i) bodies.push_back(noise(400'000, i));
    for (unsigned i = 0; bytes < 10 * kLimit; ++i) {
      clock_.advance(base::kSecond);
      append(writer, {{bodies[i % 8]}});
      bytes += 400'000;
      if (i % 5 == 0) {
        Appended evicted;
        ASSERT_TRUE(writer.maintain(evicted));
      }
      between(i);
      most = std::max(most, size());
    }
    EXPECT_LE(most, kLimit * 12 / 10);
    EXPECT_GT(most, kLimit / 2);
  }
};

TEST_F(SpaceTest, ARingReusesItsSpace) {
  WriterOptions small = options();
  small.max_size = kLimit;
  push_through(*open(small), [](unsigned) {});
}

TEST_F(SpaceTest, SoDoesOneWithASlowConsumer) {
  WriterOptions small = options();
  small.max_size = kLimit;
  const auto writer = open(small);
  const auto main = consumer();
  push_through(*writer, [&](unsigned i) {
    if (i % 10 != 9) return;
    acknowledge_before(*main, i, 0);
    ASSERT_TRUE(main->commit());
  });
}

TEST_F(SpaceTest, SoDoesOneThatDropsTheOldest) {
  WriterOptions small = options();
  small.max_size = kLimit;
  small.on_full = OnFull::drop_oldest;
  const auto writer = open(small);
  consumer();
  push_through(*writer, [](unsigned) {});
  EXPECT_GT(read_status(path(), 0)->evicted_undelivered, 200U);
}

TEST_F(SpaceTest, AReaderBetweenTwoCallsHoldsNothingBack) {
  WriterOptions small = options();
  small.max_size = kLimit;
  const auto writer = open(small);
  append(*writer, {{"first"}});
  const auto paused = reader();
  record::Batch batch;
  ASSERT_TRUE(paused->load(1, {}, batch));
  push_through(*writer, [](unsigned) {});
}

}  // namespace
}  // namespace weir::spool
