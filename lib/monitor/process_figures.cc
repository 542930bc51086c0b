#include "monitor/process_figures.h"

#include "base/unique_fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <memory>
#include <optional>
#include <string_view>

namespace weir::monitor {
namespace {

using metrics::Account;
using metrics::Kind;
using metrics::Metric;

constexpr Metric kCpu = {Kind::counter, Account::none, "process_cpu_seconds_total", "seconds",
                         "CPU time of this process, in user mode and in the kernel."};
constexpr Metric kMaxFds = {Kind::gauge, Account::none, "process_max_fds", "fds", "File descriptors that this process may open."};
constexpr Metric kOpenFds = {Kind::gauge, Account::none, "process_open_fds", "fds", "File descriptors that this process has open."};
constexpr Metric kResident = {Kind::gauge, Account::none, "process_resident_memory_bytes", "bytes",
                              "Memory of this process that is in RAM."};
constexpr Metric kStarted = {Kind::gauge, Account::none, "process_start_time_seconds", "seconds",
                             "Time when this process started, since 1970."};

constexpr std::size_t kStartTime = 22, kResidentPages = 24;  // fields of /proc/self/stat, counted from 1

// A field of /proc/self/stat behind the name of the program, which may hold anything.
std::optional<std::uint64_t> stat_field(std::size_t number) {
  const base::UniqueFd file(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
  std::array<char, 2048> text{};
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (size <= 0) return std::nullopt;
  std::string_view rest(text.data(), static_cast<std::size_t>(size));
  const std::size_t name_end = rest.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= rest.size()) return std::nullopt;
  rest.remove_prefix(name_end + 2);
  for (std::size_t at = 3; at < number; ++at) {
    const std::size_t blank = rest.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(blank + 1);
  }
  std::uint64_t value = 0;
  if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> count_of_fds() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), ::closedir);
  if (!folder) return std::nullopt;
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(folder.get())) count += entry->d_name[0] != '.' ? 1 : 0;
  return count - 1;  // without that of the folder
}

std::uint64_t nanoseconds(const timespec& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * static_cast<std::uint64_t>(base::kSecond) +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

ProcessFigures::ProcessFigures(const base::Clock& clock) {
  const auto ticks = stat_field(kStartTime);
  const auto per_second = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  timespec since_boot{};
  if (!ticks || ::clock_gettime(CLOCK_BOOTTIME, &since_boot) != 0) return;
  const auto age = nanoseconds(since_boot) - *ticks * (static_cast<std::uint64_t>(base::kSecond) / per_second);
  started_ = clock.wall() - static_cast<base::Duration>(age);
}

std::vector<metrics::Sample> ProcessFigures::read() const {
  std::vector<metrics::Sample> all;
  const auto add = [&all](const Metric& metric, std::optional<std::uint64_t> value) {
    if (value) all.push_back({.metric = &metric, .value = *value});
  };
  timespec used{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) add(kCpu, nanoseconds(used));
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    add(kMaxFds, limit.rlim_cur == RLIM_INFINITY ? metrics::kInfinite : std::uint64_t{limit.rlim_cur});
  add(kOpenFds, count_of_fds());
  if (const auto pages = stat_field(kResidentPages)) add(kResident, *pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  if (started_ > 0) add(kStarted, static_cast<std::uint64_t>(started_));
  return all;
}

}  // namespace weir::monitor
