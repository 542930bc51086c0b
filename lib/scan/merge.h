// The runs of overlapping blocks as one, in the order of time.
//
// What waits is packed when it takes much memory, that of latest time first, since it waits longest. When even that is too much,
// the latest part is put off: its blocks have to be read again.
#pragma once

#include "base/result.h"
#include "record/record.h"
#include "scan/frame_memory.h"
#include "scan/frame_packer.h"
#include "scan/limits.h"
#include "scan/matcher.h"
#include "scan/run.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

namespace weir::scan {

// Takes a batch of records; false: no more are wanted.
using Each = std::function<base::Result<bool>(record::Batch& batch)>;

// Not thread safe.
class Merge {
 public:
  // All of them must outlive it. `memory` is that of the runs. `matcher` made the records, and says where something may be put off.
  // `first`: so many records may be all that is wanted, and are handed on as soon as they are there; 0: more are.
  Merge(const Limits& limits, FrameMemory& memory, const Matcher& matcher, std::uint64_t first, const Each& each);
  ~Merge();

  // Of equal times, those of the lower spool come first, and in one spool those of the lower block. What was put off is left out.
  void add(Run run, std::size_t spool, std::uint64_t block);
  // Leaves out the first `count` records of this time.
  void skip(base::Timestamp time, std::uint64_t count);

  // Hands on what is before `end`. False: no more are wanted.
  base::Result<bool> give(base::Timestamp end);
  // Hands on also what waits for a batch to be full.
  base::Result<bool> flush();

  // Packs, and puts off, until the rest fits. What was put off is at the time that is returned, and later.
  std::optional<base::Timestamp> make_room();

 private:
  struct Input;
  struct Next {  // the first record of an input
    base::Timestamp time;
    std::size_t spool;
    std::uint64_t block;
    Input* input;
    friend bool operator<(const Next& a, const Next& b) {
      return std::tie(a.time, a.spool, a.block) < std::tie(b.time, b.spool, b.block);
    }
  };
  void open(Input& input);
  bool advance(Input& input, base::Timestamp& time);
  void settle();
  void take(OpenFrame& frame);
  void retire(std::unique_ptr<OpenFrame> frame);
  void pack(std::size_t allowed);
  base::Timestamp cut(std::size_t allowed);
  void end_inputs(base::Timestamp end);
  void leave(std::unique_ptr<Input> input);

  const std::size_t plain_, most_;  // bytes, as Limits says; it asks the system for the cores
  const Matcher& matcher_;
  const std::size_t at_once_;  // records of a batch
  const Each& each_;
  std::vector<std::unique_ptr<Input>> inputs_;                         // those of next_
  std::vector<Next> next_;                                             // a heap, the earliest on top
  base::Timestamp end_ = std::numeric_limits<base::Timestamp>::max();  // what is later was put off
  std::size_t allowed_ = 0;                                            // bytes; more when the records of one time alone need more

  record::Batch out_;
  // What the records of out_ are views into.
  std::vector<std::unique_ptr<OpenFrame>> retired_, spare_;
  std::vector<std::unique_ptr<Input>> retired_inputs_;
  std::size_t retired_bytes_ = 0;

  base::Timestamp skip_time_ = 0;
  std::uint64_t skip_ = 0;

  std::size_t bytes_ = 0;  // of inputs_
  FramePacker packer_;
};

}  // namespace weir::scan
