// The command of `--via`: a shell with a process group of its own. What it writes goes to this process's standard error, and the
// last lines of that are kept for the report.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::smoke {

// Not thread safe. The destructor kills what still runs.
class Command {
 public:
  // Runs `sh -c TEXT`, with standard input from /dev/null; what it writes on standard output and standard error goes to this
  // process's standard error. `environment` is added to this process's own. Code::io when the system has no room for a process, a
  // pipe or a thread.
  static base::Result<Command> start(const std::string& text, const std::vector<std::pair<std::string, std::string>>& environment);
  Command(Command&& other) noexcept;
  Command& operator=(Command&&) = delete;
  ~Command();

  // How it ended, once it has: "exit code 127", "signal 9".
  struct End {
    bool ok = false;
    int exit_code = -1;  // -1: a signal
    std::string words;
  };
  [[nodiscard]] std::optional<End> ended();

  // SIGTERM to the whole group, and SIGKILL after `patience`. Returns when the shell is gone.
  void stop(base::Duration patience, base::Clock& clock);

  static constexpr std::size_t kKeptLines = 10, kKeptBytes = 400;  // of each line
  // The last lines that it wrote, without their newlines; a longer one is cut. For after stop().
  [[nodiscard]] const std::vector<std::string>& last_lines() const;

 private:
  class Output;
  Command(pid_t pid, std::unique_ptr<Output> output);
  pid_t pid_ = -1;
  std::unique_ptr<Output> output_;
  std::optional<int> status_;
};

}  // namespace weir::smoke
