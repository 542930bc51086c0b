// A Watcher over a folder of its own, and what it told.
#pragma once

#include "support/collect.h"
#include "support/temp_dir.h"
#include "tail/watcher.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::tail {

// Real files, real inotify. What the watcher told is gathered here until a condition holds.
class Watch : public testing::Test {
 protected:
  struct Log {
    int generations = 0;
    bool missing = false;
    bool initial = false;
    int changes = 0;
    std::uint64_t offset = 0;  // of the latest file
    std::size_t moved = 0;     // files under other names
    std::uint64_t lost = 0;
  };

  void start(const std::vector<std::string>& arguments, Selection selection = {}, WatchOptions options = {}) {
    std::vector<Pattern> patterns;
    for (const std::string& argument : arguments) {
      for (Pattern& pattern : patterns_of(argument.starts_with('/') ? argument : dir / argument))
        patterns.push_back(std::move(pattern));
    }
    auto started =
        Watcher::start(std::move(patterns), std::move(selection), times, base::Clock::system(), *held, std::move(options));
    ASSERT_TRUE(started) << started.error().message;
    watcher = std::move(*started);
    wait([&] { return complete; });
  }
  void wait(const std::function<bool()>& holds) {
    const base::Monotonic deadline = base::Clock::system().monotonic() + 20 * base::kSecond;
    while (!holds()) {
      const base::Monotonic now = base::Clock::system().monotonic();
      ASSERT_LT(now, deadline) << "the condition never held";
      pollfd ready{watcher->fd(), POLLIN, 0};
      ::poll(&ready, 1, base::poll_timeout(now, std::min(deadline, now + 10 * base::kMillisecond)));
      take();
    }
  }
  void take() {
    Changes changes = watcher->take();
    for (Changes::Event& event : changes.events) {
      numbers[std::filesystem::path(event.key).lexically_relative(dir.path()).string()] = event.log;
      Log& log = logs[event.log];
      log.lost += event.lost;
      if (event.lost > 0) continue;
      log.missing = event.file == nullptr;
      if (log.missing) continue;
      log.initial = event.initial;
      log.offset = event.offset;
      log.moved += event.moved.size();
      ++log.generations;
      files.push_back(std::move(event.file));
    }
    for (const std::uint32_t number : changes.changed) ++logs[number].changes;
    for (const std::string& path : changes.awaited) awaited.push_back(path);
    for (const auto& [cause, what] : changes.unreadable.causes) unreadable.push_back(what.first);
    complete = complete || changes.complete;
  }
  Log log(const std::string& name) { return numbers.contains(name) ? logs[numbers[name]] : Log(); }
  int generations(const std::string& name) { return log(name).generations; }

  test::TempDir dir;
  WatchTimes times{.gather = 20 * base::kMillisecond,
                   .spacing = 20 * base::kMillisecond,
                   .rescan = base::kHour,
                   .hold = 20 * base::kMillisecond};
  test::RememberingDiagnostics diagnostics;
  std::unique_ptr<HeldFiles> held = std::make_unique<HeldFiles>(std::uint64_t{1} << 30, diagnostics);
  std::unique_ptr<Watcher> watcher;
  std::map<std::uint32_t, Log> logs;
  std::map<std::string, std::uint32_t> numbers;
  std::vector<std::shared_ptr<InputFile>> files;
  std::vector<std::string> awaited, unreadable;
  bool complete = false;
};

}  // namespace weir::tail
