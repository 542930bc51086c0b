#include "tail/input_file.h"

#include "base/last_words.h"
#include "base/path.h"
#include "tail/unreadable.h"

#include <dirent.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace weir::tail {
namespace {

using base::folder_of;
using base::join_path;

constexpr std::uint64_t kPage = 4096;
// What the places of lines that are cut short by a gap need within it.
constexpr std::uint64_t kLeastStep = 4;

// Opening is felt at the other end of a FIFO, and by devices, so that the type is looked at before.
base::Result<void> check_type(const struct stat& status, const std::string& path) {
  if (S_ISDIR(status.st_mode)) return base::io_error(EISDIR, fmt::format("read {}", path));
  if (S_ISREG(status.st_mode)) return {};
  return base::cannot(base::Code::io, fmt::format("read {}", path), kNotRegular).with_hint(fmt::format("weir tail - < {}", path));
}

// O_NONBLOCK: opening a pipe must not wait for its writer.
constexpr int kRead = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

// Where links are not followed everywhere, the file is opened as a mere place first, which has no effect on a device and reads
// nothing; the kernel names what that is, and exactly that is then opened for reading.
base::Result<base::UniqueFd> open_allowed(const std::string& path, const LogRoots* roots) {
  struct stat status {};
  if (roots == nullptr || roots->takes_all() || roots->names(path)) {
    if (::stat(path.c_str(), &status) != 0) return base::io_error(errno, fmt::format("open {}", path));
    if (auto ok = check_type(status, path); !ok) return std::move(ok).error();
    base::UniqueFd fd(::open(path.c_str(), kRead));
    if (!fd) return base::io_error(errno, fmt::format("open {}", path));
    return fd;
  }
  base::UniqueFd place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!place) return base::io_error(errno, fmt::format("open {}", path));
  std::array<char, PATH_MAX> buffer{};
  const std::string link = fmt::format("/proc/self/fd/{}", place.get());
  const ssize_t size = ::readlink(link.c_str(), buffer.data(), buffer.size());
  if (size < 0)
    return base::io_error(errno, fmt::format("open {}", path))
        .with_hint("mount /proc: weir finds the targets of symbolic links there");
  std::string_view real(buffer.data(), static_cast<std::size_t>(size));
  constexpr std::string_view kDeleted = " (deleted)";
  if (::fstat(place.get(), &status) != 0) return base::io_error(errno, fmt::format("open {}", path));
  if (status.st_nlink == 0 && real.ends_with(kDeleted)) real.remove_suffix(kDeleted.size());
  if (real != path && !roots->allows_file(real)) {
    return base::cannot(base::Code::forbidden, fmt::format("open {}", path), kLeadsOutOfRoots)
        .with_hint(std::string(kLeadsOutHint));
  }
  if (auto ok = check_type(status, path); !ok) return std::move(ok).error();
  const base::UniqueFd fd(::open(link.c_str(), kRead));
  // In its place, so that descriptors in use have the lowest numbers: that shows how many are left.
  if (!fd || ::dup3(fd.get(), place.get(), O_CLOEXEC) < 0) return base::io_error(errno, fmt::format("open {}", path));
  return place;
}

}  // namespace

// Inflates member after member of a gzipped file. Everything up to a damaged spot comes out.
struct InputFile::Gzip {
  z_stream stream{};
  std::unique_ptr<unsigned char[]> in = std::make_unique_for_overwrite<unsigned char[]>(kInput);
  std::uint64_t in_offset = 0;  // in the file, of what is read next
  std::uint64_t offset = 0;     // in the text, of the next byte that comes out
  std::string rest;             // given back: the bytes before `offset`
  bool holds_text = false;      // zlib may have taken input whose text had no room
  bool ended = false;
  std::string trouble;  // why nothing more comes out, "" for no trouble

  ~Gzip() { ::inflateEnd(&stream); }
  bool begin() { return ::inflateInit2(&stream, MAX_WBITS + kGzipOnly) == Z_OK; }
  void restart() {
    ::inflateReset(&stream);
    stream.avail_in = 0;
    in_offset = offset = 0;
    rest.clear();
    holds_text = ended = false;
    trouble.clear();
  }

  std::size_t inflate(int fd, char* to, std::size_t size) {
    std::size_t copied = 0;
    while (copied < size && !ended && trouble.empty()) {
      if (stream.avail_in == 0 && !holds_text && !fill(fd)) break;
      const auto want = static_cast<unsigned>(std::min<std::size_t>(size - copied, 1U << 30U));
      stream.next_out = reinterpret_cast<unsigned char*>(to + copied);
      stream.avail_out = want;
      const int result = ::inflate(&stream, Z_NO_FLUSH);
      if (result == Z_MEM_ERROR) base::end_out_of_memory();  // no damage of the file
      copied += want - stream.avail_out;
      holds_text = stream.avail_out == 0;
      if (result == Z_STREAM_END)
        next_member(fd);
      else if (result != Z_OK && result != Z_BUF_ERROR)
        trouble = stream.msg != nullptr ? stream.msg : "the compressed data is damaged";
    }
    offset += copied;
    return copied;
  }

 private:
  static constexpr std::size_t kInput = 64 << 10;
  static constexpr int kGzipOnly = 16;
  static constexpr const char* kCutShort = "unexpected end of file";

  // False at the end of the file.
  bool fill(int fd) {
    ssize_t got = 0;
    do got = ::pread(fd, in.get(), kInput, static_cast<off_t>(in_offset));
    while (got < 0 && errno == EINTR);
    if (got < 0) trouble = std::strerror(errno);
    if (got == 0) trouble = kCutShort;
    if (got <= 0) return false;
    in_offset += static_cast<std::uint64_t>(got);
    stream.next_in = in.get();
    stream.avail_in = static_cast<unsigned>(got);
    return true;
  }

  // What follows the last member, if anything does, is padding.
  void next_member(int fd) {
    constexpr unsigned char kMagic = 0x1f;
    if (stream.avail_in == 0 && !fill(fd)) {
      ended = trouble == kCutShort;
      if (ended) trouble.clear();
    } else if (*stream.next_in != kMagic) {
      ended = true;
    } else {
      ::inflateReset(&stream);
    }
  }
};

InputFile::InputFile() = default;
InputFile::~InputFile() = default;

base::Result<std::unique_ptr<InputFile>> InputFile::open(const std::string& path, const LogRoots* roots) {
  auto opened = open_allowed(path, roots);
  if (!opened) return std::move(opened).error();
  return make(std::move(opened).value(), path, roots);
}

base::Result<std::unique_ptr<InputFile>> InputFile::adopt(const OpenFile& file, const LogRoots* roots) {
  base::UniqueFd fd(::fcntl(file.fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!fd) return base::io_error(errno, fmt::format("open {} again", file.path));
  return make(std::move(fd), file.path, roots);
}

base::Result<std::unique_ptr<InputFile>> InputFile::make(base::UniqueFd fd, const std::string& path, const LogRoots* roots) {
  std::unique_ptr<InputFile> input(new InputFile);
  input->path_ = path;
  input->roots_ = roots;
  input->fd_ = std::move(fd);
  struct stat status {};
  if (::fstat(input->fd_.get(), &status) != 0) return base::io_error(errno, fmt::format("read {}", path));
  if (auto ok = check_type(status, path); !ok) return std::move(ok).error();
  input->inode_ = status.st_ino;
  input->device_ = status.st_dev;
  input->note_size(static_cast<std::uint64_t>(status.st_size));
  std::array<unsigned char, 2> magic{};
  if (path.ends_with(".gz") && ::pread(input->fd_.get(), magic.data(), 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
    input->gzipped_ = true;
    input->gzip_ = std::make_unique<Gzip>();
    if (!input->gzip_->begin()) return base::cannot(base::Code::io, fmt::format("open {}", path), "no memory for zlib");
  }
  return input;
}

base::Result<std::size_t> InputFile::read(std::uint64_t offset, char* to, std::size_t size) {
  const std::lock_guard lock(mutex_);
  return read_locked(offset, to, size);
}

base::Result<std::size_t> InputFile::read_locked(std::uint64_t offset, char* to, std::size_t size) {
  if (parked() && !open_again()) return base::io_error(EMFILE, fmt::format("open {}", path_));
  if (!fd_) return base::cannot(base::Code::io, fmt::format("read {}", path_), "it was given up");
  if (gzipped_) return read_gzip(offset, to, size);
  ssize_t got = 0;
  do got = ::pread(fd_.get(), to, size, static_cast<off_t>(offset));
  while (got < 0 && errno == EINTR);
  if (got < 0) return base::io_error(errno, fmt::format("read {}", path_));
  return static_cast<std::size_t>(got);
}

base::Result<std::size_t> InputFile::read_gzip(std::uint64_t offset, char* to, std::size_t size) {
  Gzip& gzip = *gzip_;
  std::size_t copied = 0;
  if (offset < gzip.offset && offset + gzip.rest.size() >= gzip.offset) {
    const std::string_view rest = std::string_view(gzip.rest).substr(gzip.rest.size() - (gzip.offset - offset));
    copied = std::min(rest.size(), size);
    std::memcpy(to, rest.data(), copied);
    if (copied < rest.size()) return copied;
  } else if (offset != gzip.offset) {
    if (offset < gzip.offset) gzip.restart();
    std::array<char, 16 << 10> skipped;
    while (gzip.offset < offset &&
           gzip.inflate(fd_.get(), skipped.data(), std::min<std::uint64_t>(skipped.size(), offset - gzip.offset)) > 0) {
    }
  }
  if (gzip.offset == offset + copied) copied += gzip.inflate(fd_.get(), to + copied, size - copied);
  gzip.rest.clear();
  // Trouble is reported when everything before it has come out.
  if (copied == 0 && !gzip.trouble.empty()) return base::cannot(base::Code::io, fmt::format("read {}", path_), gzip.trouble);
  return copied;
}

void InputFile::give_back(std::uint64_t offset, std::string_view rest) {
  if (!gzipped_) return;
  const std::lock_guard lock(mutex_);
  if (gzip_ != nullptr && offset + rest.size() == gzip_->offset) gzip_->rest.assign(rest);
}

std::uint64_t InputFile::next_data(std::uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  if (gzipped_ || !fd_) return offset;
  const off_t data = ::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_DATA);
  return data < 0 ? offset : static_cast<std::uint64_t>(data);
}

std::optional<std::uint64_t> InputFile::next_readable(std::uint64_t offset) {
  const std::lock_guard lock(mutex_);
  if (gzipped_ || !fd_) return std::nullopt;
  const std::uint64_t size = status_locked().size;
  for (std::uint64_t step = kPage; offset + step < size; step *= 2) {
    const std::uint64_t at = (offset + step) / kPage * kPage;
    char byte = 0;
    if (at >= offset + kLeastStep && ::pread(fd_.get(), &byte, 1, static_cast<off_t>(at)) == 1) return at;
  }
  return std::nullopt;
}

InputFile::Status InputFile::status() {
  const std::lock_guard lock(mutex_);
  return status_locked();
}

InputFile::Status InputFile::status_locked() {
  struct stat status {};
  if (parked() && ::stat(path_.c_str(), &status) == 0 && status.st_ino == inode_ && status.st_dev == device_) {
    return {static_cast<std::uint64_t>(status.st_size), static_cast<std::uint64_t>(status.st_nlink),
            status.st_mtim.tv_sec * base::kSecond + status.st_mtim.tv_nsec};
  }
  if (parked() && !open_again()) return {noted_size(), 1, 0};  // it has another name, or none
  if (!fd_) return given_up_ != nullptr ? given_up_->last : Status();
  if (::fstat(fd_.get(), &status) != 0) return {};
  return {static_cast<std::uint64_t>(status.st_size), static_cast<std::uint64_t>(status.st_nlink),
          status.st_mtim.tv_sec * base::kSecond + status.st_mtim.tv_nsec};
}

base::Result<record::FileIdentity> InputFile::identify(std::uint32_t head_size, std::uint64_t check_end) {
  record::FileIdentity identity;
  identity.path = path_;
  identity.inode = inode_;
  identity.device = device_;
  const std::lock_guard lock(mutex_);
  if (parked()) open_again();
  if (!fd_) {
    const std::string_view head =
        given_up_ != nullptr ? std::string_view(given_up_->head).substr(0, head_size) : std::string_view();
    identity.head_size = static_cast<std::uint32_t>(head.size());
    identity.head_hash = record::fnv1a(head);
    return identity;
  }
  std::array<char, record::kHeadBytes> bytes{};
  auto head = read_locked(0, bytes.data(), std::min(head_size, record::kHeadBytes));
  if (!head) return std::move(head).error();
  identity.head_size = static_cast<std::uint32_t>(*head);
  identity.head_hash = record::fnv1a({bytes.data(), *head});
  if (check_end != 0) {
    const std::uint64_t begin = check_end - std::min<std::uint64_t>(check_end, record::kCheckBytes);
    auto check = read_locked(begin, bytes.data(), check_end - begin);
    if (!check) return std::move(check).error();
    if (*check == check_end - begin) {
      identity.check_end = check_end;
      identity.check_hash = record::fnv1a({bytes.data(), *check});
    }
  }
  return identity;
}

base::Result<bool> InputFile::is(const record::FileIdentity& stored, bool by_content) {
  if (by_content ? stored.head_size == 0 : (gzipped() || stored.inode != inode_)) return false;
  auto found = identify(stored.head_size, stored.check_end);
  if (!found) return std::move(found).error();
  if (found->head_size != stored.head_size || found->head_hash != stored.head_hash) return false;
  return stored.check_end == 0 || found->check_end == 0 || found->check_hash == stored.check_hash;
}

base::Timestamp InputFile::born() {
  const std::lock_guard lock(mutex_);
  struct statx status {};
  if (!fd_ || ::statx(fd_.get(), "", AT_EMPTY_PATH, STATX_BTIME, &status) != 0 || (status.stx_mask & STATX_BTIME) == 0) return 0;
  return status.stx_btime.tv_sec * base::kSecond + status.stx_btime.tv_nsec;
}

bool InputFile::park(bool also_rotated) {
  const std::lock_guard lock(mutex_);
  struct stat status {};
  if (!fd_ || ::fstat(fd_.get(), &status) != 0 || status.st_nlink == 0) return false;
  if (!also_rotated && rotated_.load(std::memory_order_relaxed) && static_cast<std::uint64_t>(status.st_size) > place())
    return false;
  note_size(static_cast<std::uint64_t>(status.st_size));
  fd_.reset();
  parked_.store(true, std::memory_order_release);
  return true;
}

void InputFile::set_rotated() {
  rotated_.store(true, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  if (parked()) open_again();
}

// The parked file, under whatever name it has. Where it has none any more, or cannot be opened, it is given up with what is known
// of it. False when there is no descriptor for it.
bool InputFile::open_again() {
  const auto take = [&](const std::string& path) {
    errno = 0;
    auto opened = open_allowed(path, roots_);
    if (!opened) return errno == 0 ? EACCES : errno;
    struct stat status {};
    if (::fstat(opened->get(), &status) != 0 || status.st_ino != inode_ || status.st_dev != device_) return ENOENT;
    fd_ = std::move(opened).value();
    return 0;
  };
  int trouble = take(path_);
  if (trouble != 0 && trouble != EMFILE && trouble != ENFILE) {
    const std::string folder(folder_of(path_));
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(folder.c_str()), ::closedir);
    if (entries == nullptr) trouble = errno;
    while (const dirent* entry = trouble != 0 && entries != nullptr ? ::readdir(entries.get()) : nullptr) {
      if (entry->d_ino == inode_) trouble = take(join_path(folder, entry->d_name));
    }
  }
  if (trouble == EMFILE || trouble == ENFILE) return false;
  parked_.store(false, std::memory_order_release);
  if (trouble == 0) return true;
  auto closed = std::make_unique<Closed>();
  closed->last = {noted_size(), 0, 0};
  closed->report.cause = "too few descriptors kept it from being open (ulimit -n)";
  if (!gzipped_) closed->report.size = noted_size();
  given_up_ = std::move(closed);
  gzip_.reset();
  closed_.store(true, std::memory_order_release);
  return true;
}

// Of a gzipped file.
std::optional<std::uint32_t> InputFile::size_in_trailer() {
  if (!fd_) return std::nullopt;
  std::array<unsigned char, 4> trailer{};
  const std::uint64_t end = status_locked().size;
  if (end < trailer.size() || ::pread(fd_.get(), trailer.data(), trailer.size(), static_cast<off_t>(end - trailer.size())) != 4)
    return std::nullopt;
  std::uint32_t size = 0;  // little-endian, RFC 1952
  for (std::size_t i = trailer.size(); i-- > 0;) size = size << 8U | trailer[i];
  return size;
}

bool InputFile::holds_text_of(std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  return gzipped_ && size_in_trailer() == static_cast<std::uint32_t>(size);
}

std::uint64_t InputFile::text_size() {
  const std::lock_guard lock(mutex_);
  return gzipped_ ? size_in_trailer().value_or(0) : status_locked().size;
}

void InputFile::note_size(std::uint64_t size) {
  std::uint64_t known = noted_size();
  while (known < size && !noted_size_.compare_exchange_weak(known, size, std::memory_order_relaxed)) {
  }
}

InputFile::Holding InputFile::holding() {
  const std::lock_guard lock(mutex_);
  if (!fd_) return {};  // it was given up, or is parked
  const Status now = status_locked();
  if (read_.load(std::memory_order_relaxed)) return {now.links == 0, 0, now.modified, now.size};
  const std::uint64_t unread = gzipped_ ? now.size : now.size - std::min(now.size, place());
  return {now.links == 0, unread, now.modified};
}

void InputFile::give_up(std::string cause, std::shared_ptr<InputFile> copy) {
  const std::lock_guard lock(mutex_);
  if (!fd_) return;  // it was given up before, or is parked and keeps nothing
  auto closed = std::make_unique<Closed>();
  closed->last = status_locked();
  closed->report.cause = std::move(cause);
  closed->report.size = gzipped_ ? text_size_ : closed->last.size;
  closed->head.resize(record::kHeadBytes);
  const auto got = read_locked(0, closed->head.data(), closed->head.size());
  closed->head.resize(got ? *got : 0);
  if (copy != nullptr && copy->gzipped_) {
    const std::lock_guard of_copy(copy->mutex_);
    copy->text_size_ = closed->report.size;
    copy->set_place(place());
  }
  closed->report.copy = std::move(copy);
  given_up_ = std::move(closed);
  gzip_.reset();
  fd_.reset();
  closed_.store(true, std::memory_order_release);
}

base::UniqueFd InputFile::release() {
  const std::lock_guard lock(mutex_);
  return std::move(fd_);
}

std::optional<InputFile::GivenUp> InputFile::given_up() const {
  if (!closed_.load(std::memory_order_acquire)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  return given_up_->report;
}

}  // namespace weir::tail
