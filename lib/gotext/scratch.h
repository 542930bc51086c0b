// Memory for texts that are made while one record is processed.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace weir::gotext {

// A text lives until clear(). Up to 1 MiB of memory is kept for the next record. Not thread safe.
class Scratch {
 public:
  char* allocate(std::size_t size);
  void shrink(char* allocation, std::size_t used) {
    used_ = static_cast<std::size_t>(allocation - chunks_[current_].bytes.get()) + used;
  }
  std::string_view copy(std::string_view text);
  void clear() {
    current_ = 0;
    used_ = 0;
    if (total_ > kKept) give_back();
  }

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };
  static constexpr std::size_t kKept = 1 << 20;
  void give_back();
  std::vector<Chunk> chunks_;
  std::size_t total_ = 0;
  std::size_t current_ = 0;
  std::size_t used_ = 0;
};

}  // namespace weir::gotext
