#include "tail/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace weir::tail {

struct InputFile::Gzip {
  gzFile file = nullptr;
  std::uint64_t offset = 0;  // of the next byte that zlib gives
  std::string rest;          // given back: the bytes before `offset`
  ~Gzip() {
    if (file != nullptr) ::gzclose(file);
  }
};

InputFile::InputFile() = default;
InputFile::~InputFile() = default;

base::Result<std::unique_ptr<InputFile>> InputFile::open(const std::string& path) {
  std::unique_ptr<InputFile> input(new InputFile);
  input->path_ = path;
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  input->fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!input->fd_) return base::io_error(errno, fmt::format("open {}", path));
  struct stat status {};
  if (::fstat(input->fd_.get(), &status) != 0) return base::io_error(errno, fmt::format("read {}", path));
  if (S_ISDIR(status.st_mode)) return base::io_error(EISDIR, fmt::format("read {}", path));
  if (!S_ISREG(status.st_mode)) {
    return base::fail(base::Code::io, "cannot read {}: not a regular file", path)
        .with_hint(fmt::format("weir tail - < {}", path));
  }
  input->inode_ = status.st_ino;
  input->device_ = status.st_dev;
  std::array<unsigned char, 2> magic{};
  if (path.ends_with(".gz") && ::pread(input->fd_.get(), magic.data(), 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
    input->gzip_ = std::make_unique<Gzip>();
    const int copy = ::fcntl(input->fd_.get(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return base::io_error(errno, fmt::format("open {}", path));
    input->gzip_->file = ::gzdopen(copy, "rb");
    if (input->gzip_->file == nullptr) {
      ::close(copy);
      return base::fail(base::Code::io, "cannot open {}: no memory for zlib", path);
    }
    ::gzbuffer(input->gzip_->file, 64 << 10);
  }
  return input;
}

base::Result<std::size_t> InputFile::read(std::uint64_t offset, char* to, std::size_t size) {
  if (gzip_ == nullptr) {
    ssize_t got = 0;
    do got = ::pread(fd_.get(), to, size, static_cast<off_t>(offset));
    while (got < 0 && errno == EINTR);
    if (got < 0) return base::io_error(errno, fmt::format("read {}", path_));
    return static_cast<std::size_t>(got);
  }
  std::size_t copied = 0;
  if (offset < gzip_->offset && offset + gzip_->rest.size() >= gzip_->offset) {
    const std::string_view rest = std::string_view(gzip_->rest).substr(gzip_->rest.size() - (gzip_->offset - offset));
    copied = std::min(rest.size(), size);
    std::memcpy(to, rest.data(), copied);
    if (copied < rest.size()) return copied;
  } else if (offset != gzip_->offset) {
    gzip_->rest.clear();
    if (::gzseek(gzip_->file, static_cast<z_off_t>(offset), SEEK_SET) < 0) {
      return base::fail(base::Code::io, "cannot read {} at {}: not valid gzip data", path_, offset);
    }
    gzip_->offset = offset;
  }
  while (copied < size) {
    const auto want = static_cast<unsigned>(std::min<std::size_t>(size - copied, 1U << 30U));
    const int got = ::gzread(gzip_->file, to + copied, want);
    if (got < 0) {
      if (copied > 0) break;
      int code = 0;
      const char* cause = ::gzerror(gzip_->file, &code);
      return base::fail(base::Code::io, "cannot read {}: {}", path_, code == Z_ERRNO ? std::strerror(errno) : cause);
    }
    if (got == 0) break;
    copied += static_cast<std::size_t>(got);
    gzip_->offset += static_cast<std::uint64_t>(got);
  }
  gzip_->rest.clear();
  return copied;
}

void InputFile::give_back(std::uint64_t offset, std::string_view rest) {
  if (gzip_ == nullptr) return;
  if (offset + rest.size() == gzip_->offset) gzip_->rest.assign(rest);
}

std::uint64_t InputFile::next_data(std::uint64_t offset) const {
  if (gzip_ != nullptr) return offset;
  const off_t data = ::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_DATA);
  return data < 0 ? offset : static_cast<std::uint64_t>(data);
}

InputFile::Status InputFile::status() const {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return {};
  return {static_cast<std::uint64_t>(status.st_size), static_cast<std::uint64_t>(status.st_nlink),
          status.st_mtim.tv_sec * base::kSecond + status.st_mtim.tv_nsec};
}

base::Result<record::FileIdentity> InputFile::identify(std::uint32_t head_size, std::uint64_t check_end) {
  record::FileIdentity identity;
  identity.path = path_;
  identity.inode = inode_;
  identity.device = device_;
  std::array<char, record::kHeadBytes> bytes{};
  auto head = read(0, bytes.data(), std::min(head_size, record::kHeadBytes));
  if (!head) return std::move(head).error();
  identity.head_size = static_cast<std::uint32_t>(*head);
  identity.head_hash = record::fnv1a({bytes.data(), *head});
  if (check_end != 0) {
    const std::uint64_t begin = check_end - std::min<std::uint64_t>(check_end, record::kCheckBytes);
    auto check = read(begin, bytes.data(), check_end - begin);
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

}  // namespace weir::tail
