#include "monitor/process_figures.h"

#include "base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <map>
#include <string>

namespace weir::monitor {
namespace {

std::map<std::string, std::uint64_t> figures(const ProcessFigures& process) {
  std::map<std::string, std::uint64_t> all;
  for (const auto& sample : process.read()) all.emplace(sample.metric->name, sample.value);
  return all;
}

TEST(ProcessFigures, AreThoseOfThisProcess) {
  auto& clock = base::Clock::system();
  const ProcessFigures process(clock);
  const auto before = figures(process);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(before.at("process_max_fds"), limit.rlim_cur == RLIM_INFINITY ? metrics::kInfinite : limit.rlim_cur);
  EXPECT_GT(before.at("process_resident_memory_bytes"), 1U << 20);
  EXPECT_LT(before.at("process_resident_memory_bytes"), 1U << 30);
  const auto now = static_cast<std::uint64_t>(clock.wall());
  EXPECT_LE(before.at("process_start_time_seconds"), now);
  EXPECT_GT(before.at("process_start_time_seconds"), now - static_cast<std::uint64_t>(base::kHour));

  const base::UniqueFd one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  volatile std::uint64_t work = 0;
  for (int i = 0; i < 1'000'000; ++i) work = work + 1;
  const auto after = figures(process);
  EXPECT_EQ(after.at("process_open_fds"), before.at("process_open_fds") + 1);
  EXPECT_GT(after.at("process_cpu_seconds_total"), before.at("process_cpu_seconds_total"));
  EXPECT_EQ(after.at("process_start_time_seconds"), before.at("process_start_time_seconds"));
}

TEST(ProcessFigures, StandInTheOrderOfTheirNames) {
  std::string last;
  for (const auto& sample : ProcessFigures(base::Clock::system()).read()) {
    EXPECT_LT(last, sample.metric->name);
    last = sample.metric->name;
  }
  EXPECT_EQ(last, "process_start_time_seconds");
}

}  // namespace
}  // namespace weir::monitor
