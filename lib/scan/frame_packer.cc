#include "scan/frame_packer.h"

#include <cstdlib>
#include <cstring>
#include <utility>

namespace weir::scan {

void FramePacker::pack(Frame& frame) {
  constexpr std::size_t kWorthPacking = 2 * FrameMemory::kCell;
  if (frame.bytes.held() < kWorthPacking) return;
  const std::size_t numbers = frame.numbers(), used = frame.texts + numbers;
  std::memmove(frame.bytes.data() + frame.texts, frame.bytes.data() + frame.bytes.size() - numbers, numbers);
  // Lower levels of zstd take half the time, but leave so much more that more has to be packed.
  if (!compressor_) compressor_.emplace(spool::Effort::fast);
  packed_.clear();
  compressor_->append(packed_, {frame.bytes.data(), used});
  auto cells = FrameBytes::in_cells(memory_, packed_);
  if (cells.held() <= frame.bytes.held() / 8 * 7) {
    frame.bytes = std::move(cells);
  } else {
    std::memmove(frame.bytes.data() + frame.bytes.size() - numbers, frame.bytes.data() + frame.texts, numbers);
  }
}

void FramePacker::unpack(Frame& frame) {
  if (!frame.packed()) return;
  const std::size_t size = frame.texts + frame.numbers();
  auto plain = FrameBytes::plain(memory_, size);
  packed_.resize(frame.bytes.size());
  frame.bytes.copy_to(packed_.data());
  if (!decompressor_.read(packed_, plain.data(), size)) std::abort();  // packed by this process, and never damaged
  frame.bytes = std::move(plain);
}

}  // namespace weir::scan
