// Text from a pipe, a device or standard input: read once, to its end, without positions.
//
// Never waits: whoever owns it polls fd(). Not thread safe.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "record/label_set.h"
#include "record/record.h"
#include "tail/decoder.h"
#include "tail/log_reader.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace weir::tail {

// Whether what is at `path` can only be read as a stream: a FIFO, a character device, what a shell puts in place of <(…), or an
// open descriptor (/dev/stdin, /dev/fd/N) of a socket. To be asked for what the user named, never for what was found: a pod may
// plant a FIFO.
[[nodiscard]] bool is_stream(const std::string& path);

class StreamInput final : private Labeller {
 public:
  // `options`, `stats` and `clock` outlive it. Of a FIFO that nobody writes to yet, the end is not there before somebody did.
  static base::Result<std::unique_ptr<StreamInput>> open(const std::string& path, const ReadOptions& options,
                                                         base::Timestamp not_before, ReadStats& stats, const base::Clock& clock);
  // `name` is for messages.
  StreamInput(base::UniqueFd fd, std::string name, const ReadOptions& options, base::Timestamp not_before, ReadStats& stats,
              const base::Clock& clock);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const std::string& name() const { return name_; }

  enum class Outcome : std::uint8_t {
    idle,  // all that came was decoded
    full,  // the batch is: emit it and call again, with `readable` false
    ended,
  };
  // Decodes what came and, where `readable`, what can be read now. The records are views into the stream's memory: to be emitted
  // before the next call. An error is final.
  base::Result<Outcome> read(bool readable, record::Batch& batch);
  // Nothing more is to be read: the next read() gives what is left.
  void end() { ended_ = true; }

  // When give_out() is to be called, unless something comes before: it gives out what is open of a line that is not going on, and
  // lines that belong together and to which nothing was added.
  [[nodiscard]] base::Monotonic due() const;
  void give_out(record::Batch& batch);

 private:
  const record::LabelSet* labels(Stream stream, record::Batch& batch) override;
  void hole(std::uint64_t from, std::uint64_t to, const record::Source& source, record::Batch& batch) override;
  base::Result<bool> read_available();
  [[nodiscard]] std::string_view rest() const { return {buffer_.get() + begin_, filled_ - begin_}; }
  void take(std::size_t used);
  Stamp stamp(record::Batch& batch);
  std::span<record::Label> metadata(record::Batch& batch, std::size_t more) const;
  void decide_format();

  base::UniqueFd fd_;
  std::string name_;
  std::string filename_;  // as a label or as metadata; "" for none
  bool label_ = true;
  const base::Timestamp not_before_;
  const base::Duration patience_, group_wait_;
  ReadStats* stats_;
  const base::Clock* clock_;
  Decoder decoder_;
  bool format_known_;
  const std::size_t size_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0, filled_ = 0;  // what was not decoded yet
  std::uint64_t offset_ = 0;            // in the stream, of begin_
  bool ended_ = false;
  base::Monotonic came_at_ = base::kNever;  // something, and was not given out yet
  std::array<record::LabelSetRef, 3> labels_;
};

}  // namespace weir::tail
