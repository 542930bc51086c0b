// A slot: XXH64 of what follows with the spool's identity as seed, sequence, boot (16 bytes), size of the content (words), content.
#include "spool/recent_file.h"

#include "base/private_file.h"
#include "spool/checksum.h"
#include "spool/wire.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

namespace weir::spool {
namespace {

constexpr std::size_t kBoot = 16;
constexpr std::size_t kHeader = 8 + 8 + kBoot + 8;
constexpr off_t kSlot = 1 << 20;
constexpr off_t kAhead = 16 << 10;  // of each slot, so that a disk that fills up later is no obstacle

std::string read_boot() {
  const base::UniqueFd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text{};
  const ssize_t size = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
  std::string digits(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  std::erase_if(digits, [](char c) { return c == '-' || c == '\n'; });
  if (digits.size() != 2 * kBoot) return {};
  std::string id;
  const auto value = [](char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; };
  for (std::size_t i = 0; i < digits.size(); i += 2) id.push_back(static_cast<char>(value(digits[i]) * 16 + value(digits[i + 1])));
  return id;
}

// The boot id of the kernel, "" when it is unknown.
const std::string& boot() {
  static const std::string id = read_boot();
  return id;
}

struct Slot {
  std::uint64_t sequence = 0;
  std::string content;
};

std::optional<Slot> read_slot(int fd, int number, std::uint64_t spool) {
  const off_t at = number * kSlot;
  std::string header(kHeader, '\0');
  if (::pread(fd, header.data(), kHeader, at) != static_cast<ssize_t>(kHeader)) return std::nullopt;
  wire::Cursor cursor(header);
  const std::uint64_t checksum = cursor.word();
  Slot slot{cursor.word(), {}};
  const std::string_view written_in = cursor.take(kBoot);
  const std::uint64_t size = cursor.word();
  if (size > RecentFile::kMost) return std::nullopt;
  std::string whole = header.substr(8);
  whole.resize(whole.size() + size);
  if (::pread(fd, whole.data() + kHeader - 8, size, at + static_cast<off_t>(kHeader)) != static_cast<ssize_t>(size))
    return std::nullopt;
  if (xxh64(whole, spool) != checksum || written_in != boot()) return std::nullopt;
  slot.content = whole.substr(kHeader - 8);
  return slot;
}

std::optional<Slot> newest(int fd, std::uint64_t spool) {
  if (boot().empty()) return std::nullopt;
  auto first = read_slot(fd, 0, spool);
  auto second = read_slot(fd, 1, spool);
  if (first && second) return first->sequence > second->sequence ? first : second;
  return first ? first : second;
}

}  // namespace

bool RecentFile::open() {
  opened_ = true;
  if (boot().empty() || path_.empty()) return false;
  fd_ = base::open_private(path_);
  if (!fd_) return false;
  if (const auto last = newest(fd_.get(), spool_)) sequence_ = last->sequence;
  for (const off_t at : {off_t{0}, kSlot}) static_cast<void>(::fallocate(fd_.get(), 0, at, kAhead));
  return true;
}

bool RecentFile::write(std::string_view content) {
  if (content.size() > kMost || !(opened_ ? bool(fd_) : open())) return false;
  const std::uint64_t sequence = sequence_ + 1;
  slot_.clear();
  wire::put_word(slot_, 0);
  wire::put_word(slot_, sequence);
  slot_ += boot();
  wire::put_word(slot_, content.size());
  slot_ += content;
  std::string checksum;
  wire::put_word(checksum, xxh64(std::string_view(slot_).substr(8), spool_));
  slot_.replace(0, 8, checksum);
  const off_t at = static_cast<off_t>(sequence % 2) * kSlot;
  ssize_t done = 0;
  do done = ::pwrite(fd_.get(), slot_.data(), slot_.size(), at);
  while (done < 0 && errno == EINTR);
  if (done != static_cast<ssize_t>(slot_.size())) return false;
  sequence_ = sequence;
  return true;
}

std::string RecentFile::read(const std::string& path, std::uint64_t spool) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return {};
  auto last = newest(fd.get(), spool);
  return last ? std::move(last->content) : std::string();
}

std::uint64_t this_boot() { return boot().empty() ? 0 : xxh64(boot(), 0); }

std::string writer_recent_path(const std::string& spool) { return spool + "-recent"; }
std::string consumer_recent_path(const std::string& spool, std::string_view name) { return spool + "-recent-" + std::string(name); }

}  // namespace weir::spool
