#include "base/diagnostics.h"

#include <unistd.h>


#include <cerrno>
#include <map>
#include <mutex>

namespace weir::base {
namespace {

constexpr Duration kInterval = 30 * kSecond;

// Length of the valid UTF-8 sequence at text[at], 0 when there is none. RFC 3629.
std::size_t sequence(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(at);
  if (lead < 0x80) return 1;
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(at + 1);
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
    return 0;
  }
  return size;
}

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
    if (!text.empty()) line += prefix_ + escape_control(text);
    progress_shown_ = !text.empty();
    put(line);
  }

 private:
  struct Throttle {
    Monotonic next = 0;
    std::uint64_t held_back = 0;
  };

  void write(std::string_view text) {
    std::string lines = take_progress_away();
    progress_shown_ = false;
    // A newline in the text is a line of its own with the prefix, so that a grep for the prefix finds all of it.
    while (true) {
      const std::size_t end = text.find('\n');
      lines += prefix_;
      lines += escape_control(text.substr(0, end));
      lines += '\n';
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
    }
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
  std::mutex mutex_;
  std::map<std::string, Throttle, std::less<>> seen_;
};

}  // namespace

void Diagnostics::report(const Error& error) {
  if (error.hint.empty()) {
    say(error.message);
  } else {
    say(error.message + "\n" + error.hint);
  }
}

std::unique_ptr<Diagnostics> Diagnostics::standard_error(std::string command, Clock& clock) {
  return std::make_unique<StandardError>(command, clock);
}

std::string escape_control(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const std::size_t size = sequence(text, at);
    // U+0080 to U+009F are control characters too, and some terminals obey them.
    const bool c1 = size == 2 && byte == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0;
    if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte == '\r') {
      out += "\\r";
    } else if (byte < 0x20 || byte == 0x7f || size == 0) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (c1) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[at + 1]));
    } else {
      out.append(text, at, size);
    }
    at += size == 0 ? 1 : size;
  }
  return out;
}

}  // namespace weir::base
