// The memory of frames (run.h): taken, given back and used again thousands of times in one scan.
//
// From the heap, packed frames would settle in the holes that plain ones leave, and the process would take half as much again as
// what it holds. So a plain frame is a piece of 64 KiB, a packed one a chain of cells, and 32 cells lie in one piece. Pieces that
// are given back are taken first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::scan {

// Thread safe: threads that search fill pieces, the one that merges gives them back. Memory goes back to the system with the
// object.
class FrameMemory {
 public:
  static constexpr std::size_t kPiece = 64 << 10;
  static constexpr std::size_t kCells = 32;                     // of a piece
  static constexpr std::size_t kCell = (kPiece - 64) / kCells;  // bytes

  FrameMemory() = default;
  ~FrameMemory();
  FrameMemory(const FrameMemory&) = delete;
  FrameMemory& operator=(const FrameMemory&) = delete;

  // Uninitialised; a piece is aligned for any type. Everything has to be given back before the object ends.
  [[nodiscard]] char* take_piece();
  void give_piece(char* piece);
  [[nodiscard]] char* take_cell();
  void give_cell(char* cell);

  // What the system was asked for, in bytes.
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Cells;  // at the beginning of a piece of cells
  char* piece();
  void link(Cells& cells);
  void unlink(Cells& cells);

  mutable std::mutex mutex_;
  std::vector<void*> regions_;
  std::vector<char*> free_;
  Cells* some_free_ = nullptr;  // a list of the pieces with cells that are free
};

// The bytes of one frame: a piece, a part of the heap where a piece would be mostly empty or too small, or cells. Movable.
class FrameBytes {
 public:
  FrameBytes() = default;
  ~FrameBytes() { clear(); }
  FrameBytes(FrameBytes&& other) noexcept { swap(other); }
  FrameBytes& operator=(FrameBytes&& other) noexcept {
    FrameBytes moved(std::move(other));
    swap(moved);
    return *this;
  }

  // `size` uninitialised bytes side by side. `memory` must outlive them.
  static FrameBytes plain(FrameMemory& memory, std::size_t size);
  // A copy of `bytes`, in cells.
  static FrameBytes in_cells(FrameMemory& memory, std::string_view bytes);

  // Null when it is in cells, or nothing.
  [[nodiscard]] char* data() const { return data_; }
  [[nodiscard]] bool cells() const { return cells_ != nullptr; }
  [[nodiscard]] std::size_t size() const { return size_; }
  // Of bytes in cells.
  void copy_to(char* to) const;
  // What it takes of the memory of the process.
  [[nodiscard]] std::size_t held() const { return held_; }
  void clear();

 private:
  void swap(FrameBytes& other) noexcept;

  FrameMemory* memory_ = nullptr;  // null: `data_` is of the heap
  char* data_ = nullptr;
  char* cells_ = nullptr;  // the first; each begins with the address of the next
  std::size_t size_ = 0, held_ = 0;
};

}  // namespace weir::scan
