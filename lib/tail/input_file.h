// One opened file of a log: plain or gzipped, read by offset (of the decompressed bytes), with what identifies it.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "record/positions.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir::tail {

// Not thread safe; may be handed from the thread that opened it to another.
class InputFile {
 public:
  // Plain files are followed by descriptor, so the name may change or go. A name that ends in ".gz" whose content is gzip is
  // decompressed; pipes and other special files are refused.
  static base::Result<std::unique_ptr<InputFile>> open(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;  // owns a descriptor
  InputFile& operator=(const InputFile&) = delete;

  // Up to `size` bytes from `offset` on; 0 at the end. Going backwards in a gzipped file decompresses it again from the start,
  // except for what give_back() returned.
  base::Result<std::size_t> read(std::uint64_t offset, char* to, std::size_t size);
  // Says that the next read() begins at `offset` and that `rest` stands there.
  void give_back(std::uint64_t offset, std::string_view rest);

  // The first byte at or behind `offset` that was ever written: a writer that goes on at its old place in a file that was truncated
  // leaves a hole, which reads as zeros.
  [[nodiscard]] std::uint64_t next_data(std::uint64_t offset) const;

  // Of the file as it is now; for a gzipped one the compressed size.
  struct Status {
    std::uint64_t size = 0;
    std::uint64_t links = 0;
    base::Timestamp modified = 0;
  };
  [[nodiscard]] Status status() const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool gzipped() const { return gzip_ != nullptr; }
  [[nodiscard]] std::uint64_t inode() const { return inode_; }
  [[nodiscard]] std::uint64_t device() const { return device_; }

  // Identity by the first `head_size` bytes (fewer when the file is shorter) and, where `check_end` is not 0, those before it.
  base::Result<record::FileIdentity> identify(std::uint32_t head_size, std::uint64_t check_end);
  // Whether this is the file that `stored` describes: by inode, head and check, or (`by_content`, for copies and gzipped files)
  // by head and check alone. A file shorter than the stored head is another; one shorter than the check is compared by head.
  base::Result<bool> is(const record::FileIdentity& stored, bool by_content);

 private:
  struct Gzip;
  InputFile();
  std::string path_;
  base::UniqueFd fd_;
  std::uint64_t inode_ = 0, device_ = 0;
  std::unique_ptr<Gzip> gzip_;
};

}  // namespace weir::tail
