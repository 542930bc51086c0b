#include "gotext/scratch.h"

#include <algorithm>
#include <cstring>

namespace weir::gotext {

char* Scratch::allocate(std::size_t size) {
  constexpr std::size_t kChunk = 16 << 10;
  while (current_ < chunks_.size()) {
    if (used_ + size <= chunks_[current_].size) {
      char* out = chunks_[current_].bytes.get() + used_;
      used_ += size;
      return out;
    }
    ++current_;
    used_ = 0;
  }
  const std::size_t capacity = std::max(kChunk, size);
  chunks_.push_back({std::make_unique_for_overwrite<char[]>(capacity), capacity});
  total_ += capacity;
  used_ = size;
  return chunks_.back().bytes.get();
}

std::string_view Scratch::copy(std::string_view text) {
  if (text.empty()) return {};
  char* out = allocate(text.size());
  std::memcpy(out, text.data(), text.size());
  return {out, text.size()};
}

// The last chunks, which an unusual record made necessary.
void Scratch::give_back() {
  while (total_ > kKept) {
    total_ -= chunks_.back().size;
    chunks_.pop_back();
  }
}

}  // namespace weir::gotext
