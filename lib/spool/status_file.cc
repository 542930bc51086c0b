// A slot: XXH64 of what follows with the spool's identity as seed, sequence, size of the content (words), content. The content is
// lines of a name, a space and a value, in which control characters are escaped.
#include "spool/status_file.h"

#include "base/diagnostics.h"
#include "base/private_file.h"
#include "spool/checksum.h"
#include "spool/wire.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

namespace weir::spool {
namespace {

constexpr std::size_t kHeader = 3 * 8;
constexpr off_t kSlot = 4096;
constexpr std::size_t kMost = kSlot - kHeader;
constexpr std::size_t kLongestText = 1000;  // bytes; three of them fit

using Number = std::int64_t ProcessStatus::*;
using Text = std::string ProcessStatus::*;
constexpr std::pair<std::string_view, Number> kNumbers[] = {
    {"started", &ProcessStatus::started},      {"ended", &ProcessStatus::ended},
    {"written", &ProcessStatus::written},      {"success", &ProcessStatus::success},
    {"error_at", &ProcessStatus::error_at},    {"blocked_since", &ProcessStatus::blocked_since},
    {"full_since", &ProcessStatus::full_since}};
constexpr std::pair<std::string_view, Text> kTexts[] = {
    {"command", &ProcessStatus::command}, {"error", &ProcessStatus::error}, {"blocked", &ProcessStatus::blocked}};

std::string cut(std::string_view text) {
  std::string shown = base::escape_control(text);
  if (shown.size() <= kLongestText) return shown;
  constexpr std::string_view kMore = "…";
  std::size_t size = kLongestText - kMore.size();
  while (size > 0 && (static_cast<unsigned char>(shown[size]) & 0xc0U) == 0x80) --size;  // never within a character
  shown.resize(size);
  return shown.append(kMore);
}

template <typename Integer>
void read_number(std::string_view text, Integer& number) {
  Integer value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc()) number = value;
}

struct Slot {
  std::uint64_t sequence = 0;
  std::string content;
};

std::optional<Slot> read_slot(int fd, off_t at, std::uint64_t spool) {
  std::array<char, kSlot> bytes{};
  const ssize_t got = ::pread(fd, bytes.data(), bytes.size(), at);
  if (got < static_cast<ssize_t>(kHeader)) return std::nullopt;
  wire::Cursor cursor({bytes.data(), static_cast<std::size_t>(got)});
  const std::uint64_t checksum = cursor.word();
  Slot slot{cursor.word(), {}};
  const std::uint64_t size = cursor.word();
  if (size > static_cast<std::size_t>(got) - kHeader) return std::nullopt;
  slot.content = cursor.take(size);
  if (xxh64({bytes.data() + 8, kHeader - 8 + size}, spool) != checksum) return std::nullopt;
  return slot;
}

std::optional<Slot> newest(int fd, std::uint64_t spool) {
  auto first = read_slot(fd, 0, spool);
  auto second = read_slot(fd, kSlot, spool);
  if (first && second) return first->sequence > second->sequence ? first : second;
  return first ? first : second;
}

}  // namespace

std::string encode_status(const ProcessStatus& status) {
  std::string text = fmt::format("pid {}\n", status.pid);
  for (const auto& [name, member] : kNumbers) text += fmt::format("{} {}\n", name, status.*member);
  for (const auto& [name, member] : kTexts) text += fmt::format("{} {}\n", name, cut(status.*member));
  return text;
}

ProcessStatus decode_status(std::string_view text) {
  ProcessStatus status;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, space), value = line.substr(space + 1);
    if (key == "pid") read_number(value, status.pid);
    for (const auto& [name, member] : kNumbers)
      if (name == key) read_number(value, status.*member);
    for (const auto& [name, member] : kTexts)
      if (name == key) status.*member = value;
  }
  return status;
}

std::string writer_status_path(const std::string& spool) { return spool + "-status"; }
std::string consumer_status_path(const std::string& spool, std::string_view name) {
  return fmt::format("{}-status-{}", spool, name);
}

std::optional<ProcessStatus> read_process_status(const std::string& path, std::uint64_t spool) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return std::nullopt;
  const auto slot = newest(fd.get(), spool);
  return slot ? std::optional(decode_status(slot->content)) : std::nullopt;
}

StatusFile::StatusFile(std::string path, std::uint64_t spool, std::string command, const base::Clock& clock)
    : clock_(clock), spool_(spool), fd_(base::open_private(path)) {
  status_.pid = static_cast<std::uint64_t>(::getpid());
  status_.command = std::move(command);
  status_.started = clock.wall();
  if (!fd_) return;
  // So that a disk that fills up later is no obstacle.
  static_cast<void>(::fallocate(fd_.get(), 0, 0, 2 * kSlot));
  if (const auto last = newest(fd_.get(), spool_)) sequence_ = last->sequence;
  write();
  next_ = base::after(clock_.monotonic(), kEvery);
}

StatusFile::~StatusFile() {
  const std::lock_guard lock(mutex_);
  status_.ended = clock_.wall();
  write();
}

void StatusFile::succeeded(base::Timestamp at) {
  const std::lock_guard lock(mutex_);
  changed_ = changed_ || at != status_.success;
  status_.success = at;
}

void StatusFile::failed(std::string_view error, base::Timestamp at) {
  const std::lock_guard lock(mutex_);
  if (at == status_.error_at) return;
  changed_ = true;
  status_.error = error;
  status_.error_at = at;
}

void StatusFile::blocked(std::string_view why, base::Timestamp since) {
  const std::lock_guard lock(mutex_);
  block(why, since, false);
}

void StatusFile::out_of_room(std::string_view why, base::Timestamp since) {
  const std::lock_guard lock(mutex_);
  block(why, since, true);
}

void StatusFile::block(std::string_view why, base::Timestamp since, bool full) {
  const bool was_full = status_.full_since != 0;
  if (why == status_.blocked && full == was_full) return;
  changed_ = true;
  // Another reason for the same wait does not begin it anew.
  if (status_.blocked.empty() || why.empty()) status_.blocked_since = why.empty() ? 0 : since;
  status_.blocked = why;
  if (full != was_full) status_.full_since = full ? since : 0;
}

base::Monotonic StatusFile::due(base::Monotonic now) {
  const std::lock_guard lock(mutex_);
  if (!changed_ || !fd_) return base::kNever;
  if (now < next_) return next_;
  next_ = base::after(now, kEvery);
  write();
  return base::kNever;
}

void StatusFile::write() {
  changed_ = false;
  if (!fd_) return;
  status_.written = clock_.wall();
  const std::string content = encode_status(status_).substr(0, kMost);
  std::string slot;
  wire::put_word(slot, 0);
  wire::put_word(slot, sequence_ + 1);
  wire::put_word(slot, content.size());
  slot += content;
  std::string checksum;
  wire::put_word(checksum, xxh64(std::string_view(slot).substr(8), spool_));
  slot.replace(0, 8, checksum);
  ssize_t done = 0;
  do done = ::pwrite(fd_.get(), slot.data(), slot.size(), static_cast<off_t>((sequence_ + 1) % 2) * kSlot);
  while (done < 0 && errno == EINTR);
  if (done == static_cast<ssize_t>(slot.size())) ++sequence_;
}

}  // namespace weir::spool
