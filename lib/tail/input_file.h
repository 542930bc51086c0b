// One opened file of a log: plain or gzipped, read by offset (of the decompressed bytes), with what identifies it.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "record/positions.h"
#include "tail/handover.h"
#include "tail/log_roots.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace weir::tail {

// Read by one thread at a time, that of the reader it was handed to. Any thread may ask for its state, say what size it saw, and
// give it up: a reader that waits for somebody downstream must not keep the blocks of a deleted file on the disk for ever.
class InputFile {
 public:
  // Plain files are followed by descriptor, so the name may change or go. A name that ends in ".gz" whose content is gzip is
  // decompressed; pipes and other special files are refused, and so is what a symbolic link leads to where `roots` (null: nothing
  // is refused; else it outlives the file) does not allow it: the opened file itself is asked, so that nobody can exchange it in
  // between.
  static base::Result<std::unique_ptr<InputFile>> open(const std::string& path, const LogRoots* roots = nullptr);
  // A file that somebody else has open (handover.h), by a descriptor of its own. `file` has one. `roots`: for what is looked for
  // beside it.
  static base::Result<std::unique_ptr<InputFile>> adopt(const OpenFile& file, const LogRoots* roots = nullptr);
  ~InputFile();
  InputFile(const InputFile&) = delete;  // owns a descriptor
  InputFile& operator=(const InputFile&) = delete;

  // Up to `size` bytes from `offset` on; 0 at the end. Fewer than `size` is not always the end: what stands behind them may be
  // unreadable, which the next call reports. Going backwards in a gzipped file decompresses it again from the start, except for
  // what give_back() returned. A file that was given up cannot be read.
  base::Result<std::size_t> read(std::uint64_t offset, char* to, std::size_t size);
  // Says that the next read() begins at `offset` and that `rest` stands there.
  void give_back(std::uint64_t offset, std::string_view rest);

  // The first byte at or behind `offset` that was ever written: a writer that goes on at its old place in a file that was truncated
  // leaves a hole, which reads as zeros.
  [[nodiscard]] std::uint64_t next_data(std::uint64_t offset) const;
  // A place behind `offset` from which on the file can be read again, when it cannot be at `offset`: looked for in steps that
  // double. Nothing when there is none, and for gzipped files.
  [[nodiscard]] std::optional<std::uint64_t> next_readable(std::uint64_t offset);

  // Of the file as it is now, or was when it was given up; for a gzipped one the compressed size.
  struct Status {
    std::uint64_t size = 0;
    std::uint64_t links = 0;
    base::Timestamp modified = 0;
  };
  [[nodiscard]] Status status();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const LogRoots* roots() const { return roots_; }
  [[nodiscard]] bool gzipped() const { return gzipped_; }
  [[nodiscard]] std::uint64_t inode() const { return inode_; }
  // When it was created: distinguishes it from another file that has its inode afterwards. 0 where the file system does not know,
  // or when it is closed.
  [[nodiscard]] base::Timestamp born();
  [[nodiscard]] std::uint64_t device() const { return device_; }

  // Identity by the first `head_size` bytes (fewer when the file is shorter) and, where `check_end` is not 0, those before it.
  base::Result<record::FileIdentity> identify(std::uint32_t head_size, std::uint64_t check_end);
  // Whether this is the file that `stored` describes: by inode, head and check, or (`by_content`, for copies and gzipped files)
  // by head and check alone. A file shorter than the stored head is another; one shorter than the check is compared by head.
  base::Result<bool> is(const record::FileIdentity& stored, bool by_content);
  // Whether the end of a gzipped file says that its text has `size` bytes. It tells that modulo 4 GiB and of its last member alone,
  // so this is a test, no measure.
  [[nodiscard]] bool holds_text_of(std::uint64_t size);
  // The bytes of its text: the size of a plain file; of a gzipped one what its end says, as above. 0 where it cannot be asked.
  [[nodiscard]] std::uint64_t text_size();

  // How far the reader is: everything before was taken.
  void set_place(std::uint64_t offset) { place_->store(offset, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t place() const { return place_->load(std::memory_order_relaxed); }
  // The same, for who wants to know when the file is closed.
  [[nodiscard]] std::shared_ptr<const std::atomic<std::uint64_t>> place_kept() const { return place_; }
  // The largest size that was seen since the file was opened, or since forget_size(): when the file is truncated, the evidence of
  // what it held.
  void note_size(std::uint64_t size);
  [[nodiscard]] std::uint64_t noted_size() const { return noted_size_.load(std::memory_order_relaxed); }
  void forget_size() { noted_size_.store(0, std::memory_order_relaxed); }

  // Gives the descriptor back while the file has a name. Whoever reads it opens it again: by its path, or by its inode among what
  // stands beside it. One that is gone by then counts as given up; without a descriptor to be had it stays parked. False when it
  // has none to give back, or needs it: it has no name, or was rotated before it was read, unless `also_rotated`.
  bool park(bool also_rotated = false);
  [[nodiscard]] bool parked() const { return parked_.load(std::memory_order_acquire); }
  // It was rotated: until it is read it keeps its descriptor, since it may be deleted soon. Opens it again if it was parked.
  void set_rotated();

  // What the disk keeps for the reader alone. Nothing of a file that is parked.
  struct Holding {
    bool deleted = false;      // it has no name any more
    std::uint64_t unread = 0;  // bytes behind the reader's place; of a gzipped file all its bytes
    base::Timestamp modified = 0;
    std::uint64_t read = 0;  // all its bytes, behind set_read(); then nothing of it is unread
  };
  [[nodiscard]] Holding holding();
  // It was read to its end, and is kept for who may have to read it again (read_files.h).
  void set_read() { read_.store(true, std::memory_order_relaxed); }

  // Closes the file, which frees a deleted one's blocks at once. Its size and the identity of its head stay known. `copy`, which
  // may be null, holds the same text: the reader goes on in it. Does nothing when it was given up before.
  void give_up(std::string cause, std::shared_ptr<InputFile> copy);
  struct GivenUp {
    std::string cause;
    // Of the text; nothing for a gzipped file, unless it was the copy of one whose size was known.
    std::optional<std::uint64_t> size;
    std::shared_ptr<InputFile> copy;
  };
  [[nodiscard]] std::optional<GivenUp> given_up() const;

  // Takes its descriptor, for somebody else who goes on reading: afterwards nothing can be read of it. None when it is parked or
  // was given up.
  [[nodiscard]] base::UniqueFd release();

  // True once: for who keeps a list of files, and for who looks for a copy.
  bool enlist() { return !enlisted_.exchange(true); }
  bool first_search() { return !searched_.exchange(true); }

 private:
  struct Gzip;
  InputFile();
  static base::Result<std::unique_ptr<InputFile>> make(base::UniqueFd fd, const std::string& path, const LogRoots* roots);
  [[nodiscard]] Status status_locked();
  [[nodiscard]] std::optional<std::uint32_t> size_in_trailer();
  bool open_again();
  base::Result<std::size_t> read_locked(std::uint64_t offset, char* to, std::size_t size);
  base::Result<std::size_t> read_gzip(std::uint64_t offset, char* to, std::size_t size);

  std::string path_;
  std::uint64_t inode_ = 0, device_ = 0;
  bool gzipped_ = false;
  const LogRoots* roots_ = nullptr;
  const std::shared_ptr<std::atomic<std::uint64_t>> place_ = std::make_shared<std::atomic<std::uint64_t>>(0);
  std::atomic<std::uint64_t> noted_size_ = 0;
  std::atomic<bool> closed_ = false, parked_ = false, rotated_ = false, read_ = false, enlisted_ = false, searched_ = false;

  mutable std::mutex mutex_;  // of what follows
  base::UniqueFd fd_;
  std::unique_ptr<Gzip> gzip_;
  struct Closed {  // what is left once it was given up
    std::string head;
    Status last;
    GivenUp report;
  };
  std::unique_ptr<Closed> given_up_;
  std::optional<std::uint64_t> text_size_;  // of a gzipped file, when it is known
};

}  // namespace weir::tail
