#include "base/diagnostics.h"

#include "base/secrets.h"
#include "base/visible.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>

namespace weir::base {
namespace {

constexpr Duration kInterval = 30 * kSecond;
constexpr Duration kQuiet = 2 * kSecond;
constexpr std::size_t kColumns = 80;  // of a terminal that does not say

class StandardError : public Diagnostics {
 public:
  StandardError(const std::string& command, Clock& clock)
      : prefix_(command.empty() ? "weir: " : "weir " + command + ": "), clock_(clock), terminal_(::isatty(STDERR_FILENO) == 1) {}

  void say(std::string_view text) override {
    const std::lock_guard lock(mutex_);
    write(text);
  }

  void warn(std::string_view key, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    const Monotonic now = clock_.monotonic();
    auto [entry, first] = seen_.try_emplace(std::string(key));
    Throttle& throttle = entry->second;
    if (!first && now < throttle.next) {
      ++throttle.held_back;
      return;
    }
    if (throttle.held_back > 0) {
      write(fmt::format("{} ({} more like this since)", text, throttle.held_back));
    } else {
      write(text);
    }
    throttle = {after(now, kInterval), 0};
  }

  void progress(std::string_view text) override {
    if (!terminal_) return;
    const std::lock_guard lock(mutex_);
    if (text.empty()) return end_progress();
    if (clock_.monotonic() < quiet_until_ || in_background() || !take_turn()) return;
    std::string line = take_progress_away();
    line += cut_to_width(prefix_ + escape_control(secrets_.redact(text)));
    progress_shown_ = true;
    put(line);
  }

  [[nodiscard]] bool shows_progress() const override { return terminal_; }

  void make_way() override {
    if (!terminal_) return;
    const std::lock_guard lock(mutex_);
    quiet_until_ = after(clock_.monotonic(), kQuiet);
    put(take_progress_away());
    progress_shown_ = false;
  }

  [[nodiscard]] Secrets* secrets() override { return &secrets_; }

 private:
  struct Throttle {
    Monotonic next = 0;
    std::uint64_t held_back = 0;
  };

  void write(std::string_view text) {
    std::string lines = take_progress_away();
    progress_shown_ = false;
    lines += prefix_;
    // Redacted before anything is escaped, which would keep a secret from being recognised.
    lines += escape_control(secrets_.redact(text));
    lines += '\n';
    put(lines);
  }

  // To the beginning of the line, and clear it to its end.
  [[nodiscard]] std::string take_progress_away() const { return progress_shown_ || another_shows() ? "\r\x1b[K" : ""; }

  void end_progress() {
    put(progress_shown_ ? take_progress_away() : "");
    progress_shown_ = false;
    if (turn_) set_turn(F_UNLCK);
    turn_ = false;
  }

  // The processes of a shell pipe share a terminal: one of them shows its progress there, the one that holds a lock on it. The lock
  // ends with the process. Where the system has no such lock, everybody has a turn.
  bool take_turn() {
    if (!turn_) turn_ = set_turn(F_WRLCK) == 0 || (errno != EACCES && errno != EAGAIN);
    return turn_;
  }
  static int set_turn(int type) {
    struct flock whole = whole_file(type);
    return ::fcntl(STDERR_FILENO, F_SETLK, &whole);
  }
  [[nodiscard]] bool another_shows() const {
    if (!terminal_ || turn_) return false;
    struct flock whole = whole_file(F_WRLCK);
    return ::fcntl(STDERR_FILENO, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
  }
  static struct flock whole_file(int type) {
    struct flock whole {};
    whole.l_type = static_cast<short>(type);
    whole.l_whence = SEEK_SET;
    return whole;
  }

  // The terminal then belongs to the shell or to another program. -1: it is no terminal of this session.
  static bool in_background() {
    const pid_t foreground = ::tcgetpgrp(STDERR_FILENO);
    return foreground >= 0 && foreground != ::getpgrp();
  }

  // A line that wraps could not be taken away.
  static std::string cut_to_width(std::string line) {
    winsize size{};
    const std::size_t columns = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kColumns;
    if (line.size() < columns) return line;
    std::size_t end = columns - 1;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;  // no part of a character
    line.resize(end);
    return line;
  }

  static void put(std::string_view rest) {
    while (!rest.empty()) {
      const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // nobody to tell
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  const std::string prefix_;
  Clock& clock_;
  const bool terminal_;
  bool progress_shown_ = false;
  bool turn_ = false;          // this process has the terminal for its progress
  Monotonic quiet_until_ = 0;  // because records are shown
  Secrets secrets_;
  std::mutex mutex_;
  std::map<std::string, Throttle, std::less<>> seen_;
};

}  // namespace

void Diagnostics::report(const Error& error) {
  say(error.message);
  std::string_view hint = error.hint;
  while (!hint.empty()) {
    const std::size_t end = std::min(hint.find('\n'), hint.size());
    say(hint.substr(0, end));
    hint.remove_prefix(std::min(end + 1, hint.size()));
  }
}

std::unique_ptr<Diagnostics> Diagnostics::standard_error(std::string command, Clock& clock) {
  return std::make_unique<StandardError>(command, clock);
}

std::string escape_control(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  append_visible(out, text);
  return out;
}

}  // namespace weir::base
