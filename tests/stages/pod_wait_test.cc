#include "stages/pod_wait.h"

#include "support/collect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using testing::ElementsAre;

std::string tracked(int log, int end, std::string_view line) {
  return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}","source":"f.{}.1.o.{}"}})", line, log, end);
}
std::string plain(std::string_view line) { return fmt::format(R"({{"timestamp":"2024-05-01T10:00:00Z","line":"{}"}})", line); }

std::vector<std::string> lines_of(const record::Batch& batch) {
  std::vector<std::string> lines;
  for (const record::Record& record : batch.records)
    lines.emplace_back(record.is_marker() ? std::string("marker") : std::string(record.line.data));
  return lines;
}

class Wait : public testing::Test {
 protected:
  void add(const std::string& json, std::string_view pod, base::Monotonic until = 100) {
    const auto batch = test::batch_of({json});
    wait.add(batch.records.front(), pod, {std::string(pod), {}, {}, until});
  }
  void add_more(const std::string& json) {
    const auto batch = test::batch_of({json});
    wait.add(batch.records.front());
  }
  bool take(std::string_view uid) {
    return wait.take(out, [&](const PodWait::Waiting& one) { return one.uid == uid; });
  }
  bool log_waits(const std::string& json) { return wait.log_waits(test::batch_of({json}).records.front().source); }

  PodWait wait;
  record::Batch out;
};

TEST_F(Wait, OneLogGoesOnInItsOrderWhileTheOtherWaits) {
  add(tracked(1, 10, "a1"), "pod-a");
  add(tracked(2, 10, "b1"), "pod-b");
  add_more(tracked(1, 20, "a2"));
  add_more(R"({"source":"f.1.1.o.30"})");
  add_more(tracked(2, 20, "b2"));
  EXPECT_EQ(wait.records(), 4U);
  ASSERT_TRUE(take("pod-a"));
  EXPECT_THAT(lines_of(out), ElementsAre("a1", "a2", "marker"));
  EXPECT_FALSE(log_waits(tracked(1, 40, "")));
  EXPECT_TRUE(log_waits(tracked(2, 40, "")));
  EXPECT_FALSE(take("pod-a"));
  out.clear();
  ASSERT_TRUE(take("pod-b"));
  EXPECT_THAT(lines_of(out), ElementsAre("b1", "b2"));
  EXPECT_TRUE(wait.empty());
  EXPECT_EQ(wait.records(), 0U);
  EXPECT_EQ(wait.bytes(), 0U);
}

TEST_F(Wait, UntrackedLogsWaitByTheirPod) {
  add(plain("a1"), "pod-a");
  add(plain("b1"), "pod-b");
  add(plain("a2"), "pod-a");
  EXPECT_TRUE(wait.pod_waits("pod-a"));
  EXPECT_FALSE(wait.pod_waits("pod-c"));
  ASSERT_TRUE(take("pod-a"));
  EXPECT_THAT(lines_of(out), ElementsAre("a1", "a2"));
  EXPECT_FALSE(wait.pod_waits("pod-a"));
  EXPECT_TRUE(wait.pod_waits("pod-b"));
}

TEST_F(Wait, TheFirstTimeOfALogCounts) {
  EXPECT_EQ(wait.due(), base::kNever);
  add(tracked(1, 10, "a1"), "pod-a", 50);
  add(tracked(1, 20, "a2"), "pod-a", 90);
  add(tracked(2, 10, "b1"), "pod-b", 70);
  EXPECT_EQ(wait.due(), 50);
  ASSERT_TRUE(take("pod-a"));
  EXPECT_EQ(wait.due(), 70);
}

TEST_F(Wait, MemoryIsUsedAgainWhileOneLogGoesOnWaiting) {
  add(tracked(1, 10, "first"), "pod-a");
  const std::string line(10'000, 'x');
  for (int i = 0; i < 2'000; ++i) {  // 20 MB pass through it
    add(tracked(2, i + 1, line), "pod-b");
    ASSERT_LT(wait.bytes(), 100'000U);
    ASSERT_TRUE(take("pod-b"));
    out.clear();
  }
  add_more(tracked(1, 20, "second"));
  ASSERT_TRUE(take("pod-a"));
  EXPECT_THAT(lines_of(out), ElementsAre("first", "second"));
}

}  // namespace
}  // namespace weir::stages
