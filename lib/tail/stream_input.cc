#include "tail/stream_input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

namespace weir::tail {
namespace {

using base::Result;

constexpr int kPipeSize = 1 << 20;

// The descriptor of this process that `path` names.
std::optional<int> descriptor_of(std::string_view path) {
  if (path == "/dev/stdin") return 0;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(folder)) continue;
    const std::string_view digits = path.substr(folder.size());
    int fd = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), fd);
    if (error == std::errc() && end == digits.data() + digits.size()) return fd;
  }
  return std::nullopt;
}

}  // namespace

bool is_stream(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return false;
  return S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode) || (S_ISSOCK(status.st_mode) && descriptor_of(path));
}

Result<std::unique_ptr<StreamInput>> StreamInput::open(const std::string& path, const ReadOptions& options,
                                                       base::Timestamp not_before, ReadStats& stats, const base::Clock& clock) {
  const auto descriptor = descriptor_of(path);
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  base::UniqueFd fd(descriptor ? ::fcntl(*descriptor, F_DUPFD_CLOEXEC, 0)
                               : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return base::io_error(errno, fmt::format("open {}", path));
  auto input = std::make_unique<StreamInput>(std::move(fd), path, options, not_before, stats, clock);
  if (!descriptor) input->filename_ = std::filesystem::absolute(path).lexically_normal().string();
  input->label_ = options.filename != FilenameMode::metadata;
  return input;
}

StreamInput::StreamInput(base::UniqueFd fd, std::string name, const ReadOptions& options, base::Timestamp not_before,
                         ReadStats& stats, const base::Clock& clock)
    : fd_(std::move(fd)),
      name_(std::move(name)),
      not_before_(not_before),
      patience_(options.patience),
      group_wait_(options.multiline.wait),
      stats_(&stats),
      clock_(&clock),
      decoder_(options.max_line, stats, &options.multiline),
      format_known_(options.format != Format::automatic),
      size_(LogReader::space_needed(options)),
      buffer_(std::make_unique_for_overwrite<char[]>(size_)) {
  ::fcntl(fd_.get(), F_SETPIPE_SZ, kPipeSize);
  decoder_.set_format(options.format, options.journal_fields);
}

// As much as there is; false at the end. A line must not wait for a later one.
Result<bool> StreamInput::read_available() {
  std::memmove(buffer_.get(), buffer_.get() + begin_, filled_ - begin_);
  filled_ -= begin_;
  begin_ = 0;
  while (filled_ < size_) {
    const ssize_t count = ::read(fd_.get(), buffer_.get() + filled_, size_ - filled_);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (count < 0) return base::io_error(errno, fmt::format("read {}", name_));
    if (count == 0) return false;
    filled_ += static_cast<std::size_t>(count);
    came_at_ = clock_->monotonic();
    pollfd more{fd_.get(), POLLIN, 0};
    if (::poll(&more, 1, 0) <= 0) return true;
  }
  return true;
}

Result<StreamInput::Outcome> StreamInput::read(bool readable, record::Batch& batch) {
  if (readable && !ended_) {
    auto more = read_available();
    if (!more) return std::move(more).error();
    ended_ = !*more;
  }
  if (offset_ == 0 && is_utf16(rest())) return base::cannot(base::Code::io, fmt::format("read {}", name_), kUtf16Cause);
  if (!format_known_ && (ended_ || rest().find('\n') != std::string_view::npos || rest().size() >= decoder_.enough()))
    decide_format();
  if (format_known_) take(decoder_.decode(rest(), stamp(batch), batch));
  if (batch.records.size() >= Decoder::kMaxRecords) return Outcome::full;
  if (!ended_) return Outcome::idle;
  decoder_.end_of_file(rest(), stamp(batch), batch);
  take(rest().size());
  decoder_.end_of_log(stamp(batch), batch);
  return Outcome::ended;
}

base::Monotonic StreamInput::due() const {
  if (came_at_ == base::kNever) return base::kNever;
  if (decoder_.has_groups()) return base::after(came_at_, std::min(group_wait_, patience_));
  return filled_ > begin_ || decoder_.has_open_line() ? base::after(came_at_, patience_) : base::kNever;
}

void StreamInput::give_out(record::Batch& batch) {
  if (decoder_.has_groups()) {
    decoder_.close_groups(stamp(batch), batch);
    if (clock_->monotonic() < due()) return;  // a line that is open has more time
  }
  came_at_ = base::kNever;
  const bool guessed = !format_known_;
  if (guessed) decide_format();
  const std::string_view said = decoder_.has_text(rest()) ? rest() : std::string_view();
  decoder_.give_out(said, stamp(batch), batch);
  take(said.size());
  if (guessed && decoder_.format() == Format::raw) format_known_ = false;
}

void StreamInput::take(std::size_t used) {
  begin_ += used;
  offset_ += used;
}

void StreamInput::decide_format() {
  decoder_.set_format(detect_format(rest()));
  format_known_ = true;
}

Stamp StreamInput::stamp(record::Batch& batch) {
  Stamp stamp;
  stamp.labeller = this;
  stamp.metadata = metadata(batch, 0);
  stamp.place.offset = offset_;
  stamp.now = clock_->wall();
  stamp.not_before = not_before_;
  return stamp;
}

// With room for `more` pairs at the end.
std::span<record::Label> StreamInput::metadata(record::Batch& batch, std::size_t more) const {
  const bool filename = !label_ && !filename_.empty();
  if (!filename && more == 0) return {};
  const std::span<record::Label> pairs = batch.allocate_labels(std::size_t{filename} + more);
  if (filename) pairs[0] = {"filename", batch.copy(filename_)};
  return pairs;
}

const record::LabelSet* StreamInput::labels(Stream stream, record::Batch& batch) {
  record::LabelSetRef& set = labels_[static_cast<std::size_t>(stream)];
  if (!set) {
    std::array<record::Label, 2> pairs;
    std::size_t count = 0;
    if (stream != Stream::none) pairs[count++] = {"stream", stream == Stream::standard_output ? "stdout" : "stderr"};
    if (label_ && !filename_.empty()) pairs[count++] = {"filename", filename_};
    set = record::LabelSet::intern({pairs.data(), count});
  }
  return batch.hold(set);
}

void StreamInput::hole(std::uint64_t from, std::uint64_t to, const record::Source&, record::Batch& batch) {
  if (from == 0) {
    ++stats_->leading_holes;
    return;
  }
  put_gap(batch, {name_, from, to, kHoleCause}, clock_->wall(), labels(Stream::none, batch), metadata(batch, 1), *stats_);
}

}  // namespace weir::tail
