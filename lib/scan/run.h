// The records of one block that match, in the order of their time, kept in small frames until their turn comes. A frame can be
// packed, so that what waits long takes little memory.
#pragma once

#include "base/clock.h"
#include "record/record.h"
#include "spool/compression.h"

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

struct Frame {
  base::Timestamp first = 0;                          // time of its first record
  std::uint32_t records = 0, labels = 0, extras = 0;  // how many it has, of metadata over all sets
  std::uint32_t size = 0;                             // unpacked bytes
  bool packed = false;
  std::string bytes;
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
  // Copies the record, but not source, marker, `raw` and the escaped form of its line. In the order of time.
  void add(const record::Record& record);
  // What was added since the last call.
  [[nodiscard]] Run finish();

 private:
  std::uint32_t stream_of(const record::Record& record);
  void put_set(std::span<const record::Label> set, std::uint32_t& number);
  void close_frame();

  Run run_;
  Frame frame_;
  std::uint32_t latest_stream_ = 0;
  std::vector<std::span<const record::Label>> sets_;  // of the frame: a number is an index + 1
};

// The records of one frame, one after the other: views into it and into the streams of its run. Used again.
class OpenFrame {
 public:
  // Takes the bytes out of the frame. What is at `end` or later is left out.
  void open(Frame& frame, const std::vector<RunStream>& streams, spool::Decompressor& decompressor, base::Timestamp end);
  void cut(base::Timestamp end) { end_ = end; }

  [[nodiscard]] bool done() const { return done_ || front_.timestamp >= end_; }
  // Only when it is not done. The views stay until the next open().
  [[nodiscard]] const record::Record& front() const { return front_; }
  void pop();
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::string bytes_;
  const std::vector<RunStream>* streams_ = nullptr;
  std::size_t at_ = 0;      // where the record behind the front begins
  std::uint32_t left_ = 0;  // records behind the front
  bool done_ = true;
  base::Timestamp end_ = 0;
  record::Record front_;
  std::vector<record::Label> labels_;
  std::vector<record::Extra> extras_;
  std::vector<std::span<const record::Label>> sets_;
};

}  // namespace weir::scan
