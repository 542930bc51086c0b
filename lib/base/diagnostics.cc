#include "base/diagnostics.h"

#include "base/secrets.h"
#include "base/visible.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>

namespace weir::base {
namespace {

constexpr Duration kInterval = 30 * kSecond;

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
    std::string line = take_progress_away();
    if (!text.empty()) line += prefix_ + escape_control(secrets_.redact(text));
    progress_shown_ = !text.empty();
    put(line);
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
  [[nodiscard]] std::string take_progress_away() const { return progress_shown_ ? "\r\x1b[K" : ""; }

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
  while (!text.empty()) {
    const std::size_t shown = visible_prefix(text);
    out += text.substr(0, shown);
    text.remove_prefix(shown);
    if (!text.empty()) text.remove_prefix(append_escape(out, text));
  }
  return out;
}

}  // namespace weir::base
