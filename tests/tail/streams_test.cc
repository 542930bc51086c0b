#include "tail/streams.h"

#include "support/collect.h"
#include "support/temp_dir.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace weir::tail {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ReadStreams : public testing::Test {
 protected:
  ReadStreams() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    from.reset(ends[0]);
    to.reset(ends[1]);
  }
  void write(std::string_view text) const {
    ASSERT_EQ(::write(to.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  base::Result<void> open(std::vector<std::string> names) {
    inputs = std::move(names);
    return streams.open(inputs, from.get());
  }
  base::Result<bool> serve(bool ending = false) {
    std::vector<pollfd> polled;
    streams.add_to(polled);
    EXPECT_GE(::poll(polled.data(), polled.size(), 0), 0);
    return streams.serve(polled, ending, batch, [&]() -> base::Result<bool> {
      for (const record::Record& record : batch.records) lines.emplace_back(record.line.data);
      batch.clear();
      return wanted;
    });
  }

  test::TempDir dir;
  test::FakeClock clock;
  test::RememberingDiagnostics diagnostics;
  ReadOptions options;
  ReadStats stats;
  TroubleReport troubles{options, stats, diagnostics};
  Streams streams{options, std::numeric_limits<base::Timestamp>::min(), stats, troubles, clock};
  base::UniqueFd from, to;
  std::vector<std::string> inputs, lines;
  record::Batch batch;
  bool wanted = true;
};

TEST_F(ReadStreams, OfTheInputsOnlyStreamsAreTaken) {
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  dir.write("a.log", "1\n");
  ASSERT_TRUE(open({dir / "a.log", "-", dir / "fifo", dir / "absent"}));
  EXPECT_EQ(streams.size(), 2U);
  EXPECT_THAT(inputs, ElementsAre(dir / "a.log", dir / "absent"));
  EXPECT_EQ(streams.first_name(), "the input");
}

TEST_F(ReadStreams, LinesComeAsTheyAreWrittenUntilTheEnd) {
  ASSERT_TRUE(open({"-"}));
  write("one\ntwo\nthr");
  EXPECT_TRUE(*serve());
  EXPECT_THAT(lines, ElementsAre("one", "two"));
  EXPECT_TRUE(*serve());  // nothing came
  write("ee\n");
  to.reset();
  while (!streams.empty()) ASSERT_TRUE(serve());
  EXPECT_THAT(lines, ElementsAre("one", "two", "three"));
}

TEST_F(ReadStreams, WhatIsOpenComesOutWhenItIsDue) {
  ASSERT_TRUE(open({"-"}));
  EXPECT_EQ(streams.due(), base::kNever);
  write("one\ntw");
  EXPECT_TRUE(*serve());
  EXPECT_EQ(streams.due(), clock.monotonic() + options.patience);
  clock.advance(options.patience);
  EXPECT_TRUE(*serve());
  EXPECT_THAT(lines, ElementsAre("one", "tw"));
}

TEST_F(ReadStreams, WhatIsLeftComesOutWhenReadingEnds) {
  ASSERT_TRUE(open({"-"}));
  write("one\ntw");
  EXPECT_TRUE(*serve());
  streams.end();
  EXPECT_TRUE(*serve(true));
  EXPECT_THAT(lines, ElementsAre("one", "tw"));
  EXPECT_TRUE(streams.empty());
}

TEST_F(ReadStreams, NobodyWantsMore) {
  ASSERT_TRUE(open({"-"}));
  write("one\n");
  wanted = false;
  auto served = serve();
  ASSERT_TRUE(served);
  EXPECT_FALSE(*served);
}

TEST_F(ReadStreams, TroubleOfStandardInputIsAnErrorOfOthersAReport) {
  const std::string text("\xff\xfeh\0i\0\n\0", 8);
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  ASSERT_TRUE(open({dir / "fifo"}));
  {
    const base::UniqueFd fd(::open((dir / "fifo").c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  EXPECT_TRUE(*serve());
  EXPECT_TRUE(streams.empty());
  EXPECT_EQ(troubles.opened_unreadable(), 1U);
  ASSERT_TRUE(open({"-"}));
  write(text);
  const auto served = serve();
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().cause(), kUtf16Cause);
  EXPECT_THAT(lines, IsEmpty());
}

}  // namespace
}  // namespace weir::tail
