// Packs the frames that wait long, and unpacks them when their turn comes.
#pragma once

#include "scan/frame_memory.h"
#include "scan/run.h"
#include "spool/compression.h"

#include <optional>
#include <string>

namespace weir::scan {

// Not thread safe.
class FramePacker {
 public:
  // `memory` must outlive it and the frames.
  explicit FramePacker(FrameMemory& memory) : memory_(memory) {}

  // The frame is plain, and stays so when packed it would hardly take less.
  void pack(Frame& frame);
  // Makes it plain, whatever it was.
  void unpack(Frame& frame);

 private:
  FrameMemory& memory_;
  std::optional<spool::Compressor> compressor_;
  spool::Decompressor decompressor_;
  std::string packed_;
};

}  // namespace weir::scan
