// The records of one block that match, in the order of their time, kept in small frames until their turn comes. A frame can be
// packed (frame_packer.h), so that what waits long takes little memory.
#pragma once

#include "base/clock.h"
#include "record/record.h"
#include "scan/frame_memory.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::scan {

// What records of a frame have in common.
struct RunStream {
  record::LabelSetRef labels;
  std::string tenant;
};

// In the bytes, lines and what belongs to them stand at the beginning, the numbers of the records at the end, last record first:
// equal things side by side pack well and fast.
struct Frame {
  base::Timestamp first = 0;                          // time of its first record
  std::uint32_t records = 0, labels = 0, extras = 0;  // how many it has, of metadata over all sets
  std::uint32_t texts = 0;                            // bytes used at the beginning
  FrameBytes bytes;

  [[nodiscard]] std::size_t numbers() const;  // bytes used at the end
  [[nodiscard]] bool packed() const { return bytes.cells(); }
};

// A value; movable.
struct Run {
  std::vector<RunStream> streams;
  std::vector<Frame> frames;
  std::size_t stream_bytes = 0;  // of `streams`

  [[nodiscard]] bool empty() const { return frames.empty(); }
};

// Not thread safe; used again for run after run.
class RunWriter {
 public:
  // `memory` must outlive it and its runs.
  explicit RunWriter(FrameMemory& memory) : memory_(memory) {}

  // Copies the record, but not source, marker, `raw` and the escaped form of its line. In the order of time.
  void add(const record::Record& record);
  // What was added since the last call.
  [[nodiscard]] Run finish();

 private:
  std::uint32_t stream_of(const record::Record& record);
  std::uint32_t set_of(std::span<const record::Label> set) const;
  void make_room(std::size_t texts);
  void close_frame();

  FrameMemory& memory_;
  Run run_;
  Frame frame_;  // its bytes are filled
  std::uint32_t latest_stream_ = 0;
  std::vector<std::span<const record::Label>> sets_;  // of the frame: a number is an index + 1
};

// The records of one frame, one after the other: views into it and into the streams of its run. Used again.
class OpenFrame {
 public:
  // Takes the bytes of the frame; they are not packed. What is at `end` or later is left out.
  void open(Frame& frame, const std::vector<RunStream>& streams, base::Timestamp end);
  void cut(base::Timestamp end) { end_ = end; }
  // Gives the bytes back.
  void close() { bytes_.clear(); }

  [[nodiscard]] bool done() const { return left_ == 0 || time_ >= end_; }
  // Of the next record. Only when it is not done, as take().
  [[nodiscard]] base::Timestamp time() const { return time_; }
  // The views stay until the next open() or close().
  void take(record::Record& record);
  [[nodiscard]] std::size_t bytes() const;

 private:
  void peek();

  FrameBytes bytes_;
  const std::vector<RunStream>* streams_ = nullptr;
  const char* text_ = nullptr;    // of the next record
  const char* number_ = nullptr;  // of the next record
  std::uint32_t left_ = 0;        // records
  base::Timestamp time_ = 0;      // of the next record
  base::Timestamp end_ = 0;
  std::vector<record::Label> labels_;
  std::vector<record::Extra> extras_;
  std::vector<std::span<const record::Label>> sets_;
};

}  // namespace weir::scan
