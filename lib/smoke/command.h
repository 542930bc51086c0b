// The command of `--via`: a shell with a process group of its own.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::smoke {

// Not thread safe. The destructor kills what still runs.
class Command {
 public:
  // Runs `sh -c TEXT`, with standard input from /dev/null and standard output to this process's standard error. `environment` is
  // added to this process's own. Code::io when the system has no room for a process.
  static base::Result<Command> start(const std::string& text, const std::vector<std::pair<std::string, std::string>>& environment);
  Command(Command&& other) noexcept : pid_(std::exchange(other.pid_, -1)), status_(other.status_) {}
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

 private:
  explicit Command(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
  std::optional<int> status_;
};

}  // namespace weir::smoke
