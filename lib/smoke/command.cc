#include "smoke/command.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace weir::smoke {

using base::Result;

namespace {

// The environment of the child: ours, with changes.
std::vector<std::string> merged(const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> all;
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string_view text = *one;
    bool replaced = false;
    for (const auto& [name, value] : changes)
      replaced = replaced || (text.size() > name.size() && text.starts_with(name) && text[name.size()] == '=');
    if (!replaced) all.emplace_back(text);
  }
  for (const auto& [name, value] : changes) all.push_back(fmt::format("{}={}", name, value));
  return all;
}

}  // namespace

Result<Command> Command::start(const std::string& text, const std::vector<std::pair<std::string, std::string>>& environment) {
  const std::vector<std::string> words = {"sh", "-c", text};
  const std::vector<std::string> variables = merged(environment);
  std::vector<char*> argv, envp;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));  // posix_spawn does not change them
  for (const std::string& variable : variables) envp.push_back(const_cast<char*>(variable.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  // The signals that this process ignores work in the command.
  sigset_t defaults, none;
  ::sigemptyset(&defaults);
  for (const int number : {SIGPIPE, SIGXFSZ}) ::sigaddset(&defaults, number);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, "/bin/sh", &files, &attributes, argv.data(), envp.data());
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return base::io_error(error, "start a shell for the command of --via");
  return Command(pid);
}

Command::~Command() {
  if (pid_ < 0) return;
  ::kill(-pid_, SIGKILL);
  if (!status_) {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
}

std::optional<Command::End> Command::ended() {
  if (!status_) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    status_ = status;
  }
  if (WIFEXITED(*status_)) {
    const int code = WEXITSTATUS(*status_);
    return End{code == 0, code, fmt::format("exit code {}", code)};
  }
  return End{false, -1, fmt::format("signal {}", WTERMSIG(*status_))};
}

void Command::stop(base::Duration patience, base::Clock& clock) {
  if (pid_ < 0) return;
  ::kill(-pid_, SIGTERM);
  const base::Monotonic deadline = base::after(clock.monotonic(), patience);
  // The shell may be gone before those that it started: the group is awaited, not the shell.
  const auto running = [this] { return static_cast<void>(ended()), ::kill(-pid_, 0) == 0; };
  while (running() && clock.monotonic() < deadline) ::poll(nullptr, 0, 20);
  if (running()) ::kill(-pid_, SIGKILL);
  while (!status_) {
    int status = 0;
    if (::waitpid(pid_, &status, 0) == pid_) status_ = status;
    if (errno == ECHILD) break;
  }
  pid_ = -1;
}

}  // namespace weir::smoke
