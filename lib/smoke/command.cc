#include "smoke/command.h"

#include "base/thread.h"
#include "base/unique_fd.h"
#include "base/wake.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

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

// Passes on what comes out of a pipe, in a thread of its own, and keeps the last lines.
class Command::Output {
 public:
  static Result<std::unique_ptr<Output>> create() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return base::io_error(errno, "make a pipe for the command of --via");
    std::unique_ptr<Output> output(new Output(base::UniqueFd(ends[0]), base::UniqueFd(ends[1])));
    if (auto opened = output->finish_.open(); !opened) return std::move(opened).error();
    auto thread = base::start_thread("read what the command of --via writes", [self = output.get()] { self->work(); });
    if (!thread) return std::move(thread).error();
    output->thread_ = std::move(*thread);
    return output;
  }
  ~Output() { finish(); }
  Output(const Output&) = delete;  // its thread points to it
  Output& operator=(const Output&) = delete;

  [[nodiscard]] int writing_end() const { return writing_.get(); }
  void close_writing_end() { writing_ = {}; }

  // Takes what is in the pipe, and waits for no more: a process that left the group may hold the pipe open.
  void finish() {
    if (!thread_.joinable()) return;
    writing_ = {};
    finish_.ring();
    thread_.join();
    if (!line_.empty()) keep();
  }
  // After finish().
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  Output(base::UniqueFd reading, base::UniqueFd writing) : reading_(std::move(reading)), writing_(std::move(writing)) {}

  void work() {
    std::array<char, 4096> got;
    constexpr ssize_t kInThePipe = 64 << 10;
    for (ssize_t left = kInThePipe; left > 0;) {
      std::array<pollfd, 2> waits = {{{reading_.get(), POLLIN, 0}, {finish_.fd(), POLLIN, 0}}};
      if (::poll(waits.data(), waits.size(), -1) < 0 && errno == EINTR) continue;
      if (waits[0].revents == 0) return;
      const ssize_t size = ::read(reading_.get(), got.data(), got.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return;
      if (waits[1].revents != 0) left -= size;
      const std::string_view text(got.data(), static_cast<std::size_t>(size));
      pass_on(text);
      for (const char c : text) {
        if (c == '\n') {
          keep();
        } else if (line_.size() < kKeptBytes) {
          line_ += c;
        }
      }
    }
  }

  // Nobody may read our standard error any more: the command goes on as it would without a reader.
  static void pass_on(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  void keep() {
    if (lines_.size() == kKeptLines) lines_.erase(lines_.begin());
    lines_.push_back(std::move(line_));
    line_.clear();
  }

  base::UniqueFd reading_, writing_;
  base::Wake finish_;
  std::string line_;
  std::vector<std::string> lines_;
  std::thread thread_;
};

Command::Command(pid_t pid, std::unique_ptr<Output> output) : pid_(pid), output_(std::move(output)) {}

Command::Command(Command&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), output_(std::move(other.output_)), status_(other.status_) {}

const std::vector<std::string>& Command::last_lines() const { return output_->lines(); }

Result<Command> Command::start(const std::string& text, const std::vector<std::pair<std::string, std::string>>& environment) {
  auto output = Output::create();
  if (!output) return std::move(output).error();
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
  for (const int target : {STDOUT_FILENO, STDERR_FILENO})
    ::posix_spawn_file_actions_adddup2(&files, (*output)->writing_end(), target);
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
  (*output)->close_writing_end();
  return Command(pid, std::move(*output));
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
  output_->finish();
}

}  // namespace weir::smoke
