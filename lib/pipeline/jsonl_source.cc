#include "pipeline/jsonl_source.h"

#include "base/count.h"
#include "base/unique_fd.h"
#include "record/jsonl_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>

namespace weir::pipeline {
namespace {

using base::Code;
using metrics::Account;

constexpr auto kRecordsIn =
    metrics::counter("weir_input_read_records_total", "records", "Records that were read from JSON lines.", Account::in);
constexpr auto kBytesIn = metrics::counter("weir_input_read_bytes_total", "bytes",
                                           "Bytes of the lines of records that were read from JSON lines.", Account::in);
constexpr auto kRecordsOut = metrics::counter("weir_input_output_records_total", "records",
                                              "Records that were read from JSON lines and passed on.", Account::out);
constexpr auto kBytesOut =
    metrics::counter("weir_input_output_bytes_total", "bytes",
                     "Bytes of the lines of records that were read from JSON lines and passed on.", Account::out);
constexpr auto kInvalid = metrics::counter("weir_input_invalid_records_total", "records",
                                           "Records made from input lines that were not records.", Account::invalid);

constexpr int kPipeSize = 1 << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// The last line of what lies in the pipe `fd`, which stays there; "" when it holds none, nullopt when it cannot be seen.
std::optional<std::string> last_line_in(int fd) {
  int waiting = 0;
  if (::ioctl(fd, FIONREAD, &waiting) != 0) return std::nullopt;
  if (waiting == 0) return "";
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return std::nullopt;
  const base::UniqueFd read_end(ends[0]);
  const base::UniqueFd write_end(ends[1]);
  ::fcntl(write_end.get(), F_SETPIPE_SZ, ::fcntl(fd, F_GETPIPE_SZ));
  if (::tee(fd, write_end.get(), std::numeric_limits<int>::max(), SPLICE_F_NONBLOCK) != waiting) return std::nullopt;
  std::string text(static_cast<std::size_t>(waiting), '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t got = ::read(read_end.get(), text.data() + filled, text.size() - filled);
    if (got <= 0) return std::nullopt;
    filled += static_cast<std::size_t>(got);
  }
  if (text.back() != '\n') return "";
  text.pop_back();
  const std::size_t before = text.rfind('\n');
  return before == std::string::npos ? text : text.substr(before + 1);
}

class JsonlSource : public Source, private base::Feed {
 public:
  JsonlSource(const JsonlSourceOptions& options, const Context& context)
      : options_(options),
        context_(context),
        reader_(*context.clock),
        max_line_(record::JsonlReader::Limits().max_line),
        block_(context.metrics, context.driver) {
    struct stat status {};
    const bool known = ::fstat(options.fd, &status) == 0;
    regular_ = known && S_ISREG(status.st_mode);
    pipe_ = known && S_ISFIFO(status.st_mode);
    // Fewer, larger reads. A kernel that refuses leaves the pipe as it is.
    if (pipe_) ::fcntl(options.fd, F_SETPIPE_SZ, kPipeSize);
  }

  [[nodiscard]] std::string_view name() const override { return "input"; }
  [[nodiscard]] bool is_tracked() const override { return tracked_; }
  [[nodiscard]] Counters counters() const override { return counters_of(block_); }
  [[nodiscard]] std::string summary() const override {
    // A single one was named when it came.
    if (invalid_.value() < 2 || options_.strict) return {};
    return fmt::format("{} lines of the input were not records; they were passed on as text with metadata weir_error",
                       base::grouped(invalid_.value()));
  }

  Result<void> run(Outlet& out, base::Stop& stop) override {
    stop_ = &stop;
    while (true) {
      batch_.clear();
      auto ready = wait(out);
      if (!ready) return std::move(ready).error();
      if (*ready != Ready::input) return {};
      char* block = batch_.allocate(carry_.size() + options_.block);
      const ssize_t got = [&] {
        const metrics::Wait waits(regular_ ? context_.driver : nullptr, metrics::On::disk, metrics::kLongRead);
        return ::read(options_.fd, block + carry_.size(), options_.block);
      }();
      if (got < 0) {
        if (errno == EINTR || errno == EAGAIN) continue;
        return base::io_error(errno, "read the input");
      }
      if (grows_carry({block + carry_.size(), static_cast<std::size_t>(got)})) continue;
      if (!carry_.empty()) std::memcpy(block, carry_.data(), carry_.size());
      const std::string_view bytes(block, carry_.size() + static_cast<std::size_t>(got));
      auto flow = got == 0 ? end_of_file(bytes, out) : take(bytes, out);
      if (!flow) return std::move(flow).error();
      if (*flow == Flow::done || got == 0) return finish_input(*flow == Flow::done);
    }
  }

 private:
  // A long line that comes in small pieces is put together here: moving all of it for each piece would cost the square of its
  // length.
  bool grows_carry(std::string_view piece) {
    if (carry_.empty() || piece.empty() || in_long_line_ || carry_.size() + piece.size() > max_line_) return false;
    if (std::memchr(piece.data(), '\n', piece.size()) != nullptr) return false;
    carry_ += piece;
    return true;
  }

  enum class Ready : std::uint8_t {
    input,
    leave,  // asked to leave at once, or nobody reads what comes out
  };

  // Waits for input and nudges meanwhile.
  Result<Ready> wait(Outlet& out) {
    while (true) {
      if (stop_->level() == base::Stop::leave || (options_.leave_at_signal && stop_->stopped())) return Ready::leave;
      const Monotonic now = context_.clock->monotonic();
      const Monotonic deadline = stop_->deadline(now);
      if (now >= deadline) {
        return base::fail(Code::interrupted,
                          "cannot wait longer for the end of the input: the process in front of this one did not stop");
      }
      if (regular_) return Ready::input;
      auto due = out.nudge(now);
      if (!due) return std::move(due).error();
      // Once it was asked to stop, that descriptor stays readable; a second signal interrupts poll, or is seen a second later.
      const bool stopped = stop_->stopped();
      const Monotonic until = std::min({*due, deadline, stopped ? base::after(now, base::kSecond) : base::kNever});
      std::array<pollfd, 4> fds = {{{options_.fd, POLLIN, 0},
                                    {stopped ? -1 : stop_->fd(), POLLIN, 0},
                                    {watch_reader_ ? out.reader_fd() : -1, 0, 0},
                                    {out.wake_fd(), POLLIN, 0}}};
      const int count = [&] {
        const metrics::Wait waits(context_.driver, metrics::On::input);
        return ::poll(fds.data(), fds.size(), base::poll_timeout(now, until));
      }();
      if (count < 0 && errno != EINTR) return base::io_error(errno, "wait for input");
      if (count <= 0) continue;
      if (fds[2].revents != 0) {
        auto flow = out.reader_left();
        if (!flow) return std::move(flow).error();
        if (*flow == Flow::done) return Ready::leave;
        watch_reader_ = false;
      }
      if (fds[0].revents != 0) return Ready::input;
    }
  }

  Result<Flow> take(std::string_view bytes, Outlet& out) {
    if (in_long_line_) {
      const std::size_t size = std::min(bytes.find('\n'), bytes.size());
      reader_.keep_piece(bytes.substr(0, size), batch_);
      carry_.clear();
      if (size == bytes.size()) return emit(out);
      in_long_line_ = false;
      bytes.remove_prefix(size + 1);
    }
    const auto* last = static_cast<const char*>(::memrchr(bytes.data(), '\n', bytes.size()));
    const std::size_t whole = last == nullptr ? 0 : static_cast<std::size_t>(last - bytes.data()) + 1;
    if (whole == 0 && bytes.size() > max_line_) {
      // The reader cuts it into records that say so; what follows of the line is text as well, whatever it looks like.
      carry_.clear();
      in_long_line_ = true;
      return parse(bytes, out);
    }
    const std::string_view rest = bytes.substr(whole);
    auto flow = parse(bytes.substr(0, whole), out);
    carry_.assign(rest);
    return flow;
  }

  Result<Flow> end_of_file(std::string_view rest, Outlet& out) {
    carry_.clear();
    if (in_long_line_) {
      reader_.keep_piece(rest, batch_);
      return emit(out);
    }
    // A neighbour that died in the middle of a line will write the line again.
    if (tracked_ && !ended_) return Flow::more;
    return parse(rest, out);
  }

  // Lines of `bytes`, the last one perhaps without a newline.
  Result<Flow> parse(std::string_view bytes, Outlet& out) {
    while (!bytes.empty()) {
      const auto* newline = static_cast<const char*>(std::memchr(bytes.data(), '\n', bytes.size()));
      const std::size_t size = newline == nullptr ? bytes.size() : static_cast<std::size_t>(newline - bytes.data());
      std::string_view line = bytes.substr(0, size);
      if (line_number_++ == 0 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
      const std::size_t before = batch_.records.size();
      auto parsed = reader_.parse(line, batch_);
      if (!parsed) {
        if (reader_.stats().lines == 1) {
          return base::fail(Code::usage, "the first line of the input is not a record: {}", parsed.error().message)
              .with_hint("plain text? put `weir tail -` in front; output of jq? use jq -c; of weir query? use -o jsonl");
        }
        if (options_.strict) {
          batch_.records.resize(before);
          auto emitted = emit(out);  // what came before it stands
          if (!emitted) return emitted;
          return base::fail(Code::parse, "line {} of the input is not a record: {}", line_number_, parsed.error().message);
        }
        context_.diagnostics->warn(
            "input.invalid",
            fmt::format("line {} of the input is not a record: {}; it is passed on as text with metadata weir_error", line_number_,
                        parsed.error().message));
      }
      bytes.remove_prefix(newline == nullptr ? size : size + 1);
    }
    return emit(out);
  }

  Result<Flow> emit(Outlet& out) {
    Tally tally;
    for (const Record& record : batch_.records) {
      if (record.is_marker()) {
        tracked_ = tracked_ || record.marker->type == record::Marker::Type::begin;
        ended_ = record.marker->type == record::Marker::Type::end;
      } else {
        tally.add(record);
      }
    }
    invalid_.reach(reader_.stats().invalid);
    records_in_.add(tally.records);
    bytes_in_.add(tally.bytes);
    records_out_.add(tally.records);
    bytes_out_.add(tally.bytes);
    if (batch_.empty()) return Flow::more;
    if (!pipe_ || !tracked_ || ended_) return out.emit(batch_);
    stop_->watch(this);
    auto flow = out.emit(batch_);
    stop_->watch(nullptr);
    return flow;
  }

  // Asked while emit() is blocked, so that nothing else here changes meanwhile. What has died says nothing more: the answer stays.
  bool died() override {
    if (died_) return *died_;
    pollfd end = {options_.fd, 0, 0};
    if (::poll(&end, 1, 0) <= 0 || (end.revents & POLLHUP) == 0) return false;
    died_ = false;
    if (const auto last = last_line_in(options_.fd)) {
      Batch batch;
      record::JsonlReader reader(*context_.clock);
      const bool ended = !last->empty() && reader.parse(batch.copy(*last), batch) && batch.records.back().is_marker() &&
                         batch.records.back().marker->type == record::Marker::Type::end;
      died_ = !ended;
    }
    return *died_;
  }

  Result<void> finish_input(bool reader_gone) {
    if (reader_gone || !tracked_ || ended_) return {};
    stop_->feed_died(context_.clock->monotonic());
    return base::fail(Code::interrupted, "the input ended without its end marker: the process in front of this one died")
        .with_hint("nothing is lost: what it had not passed on is read again at the next start");
  }

  const JsonlSourceOptions options_;
  const Context context_;
  record::JsonlReader reader_;
  const std::size_t max_line_;
  Batch batch_;
  std::string carry_;  // the beginning of a line whose end has not come
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter records_out_ = block_.counter(kRecordsOut), bytes_out_ = block_.counter(kBytesOut);
  metrics::Counter invalid_ = block_.counter(kInvalid);
  base::Stop* stop_ = nullptr;
  std::optional<bool> died_;
  std::uint64_t line_number_ = 0;
  bool regular_ = false, pipe_ = false;
  bool watch_reader_ = true;  // out.reader_fd() is worth waiting for
  bool tracked_ = false;      // a begin marker came
  bool ended_ = false;
  bool in_long_line_ = false;  // the beginning of the line that is being read was cut off as too long
};

}  // namespace

std::unique_ptr<Source> make_jsonl_source(const JsonlSourceOptions& options, const Context& context) {
  return std::make_unique<JsonlSource>(options, context);
}

}  // namespace weir::pipeline
