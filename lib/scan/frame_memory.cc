#include "scan/frame_memory.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace weir::scan {
namespace {

constexpr std::size_t kRegion = 1 << 20;  // asked of the system at once
constexpr std::align_val_t kAlignment{FrameMemory::kPiece};
constexpr std::size_t kInCell = FrameMemory::kCell - sizeof(char*);  // beside the address of the next

char* next_of(const char* cell) {
  char* next = nullptr;
  std::memcpy(&next, cell, sizeof next);
  return next;
}
void set_next(char* cell, char* next) { std::memcpy(cell, &next, sizeof next); }

}  // namespace

struct FrameMemory::Cells {
  static constexpr std::uint32_t kAll = ~std::uint32_t{0};
  static constexpr std::size_t kHead = kPiece - kCells * kCell;

  static Cells& of(char* cell) {
    return *reinterpret_cast<Cells*>(reinterpret_cast<std::uintptr_t>(cell) & ~std::uintptr_t{kPiece - 1});
  }
  [[nodiscard]] char* piece() { return reinterpret_cast<char*>(this); }

  std::uint32_t free = kAll;  // a bit for each
  Cells *before = nullptr, *after = nullptr;
};

FrameMemory::~FrameMemory() {
  for (void* region : regions_) ::operator delete(region, kAlignment);
}

char* FrameMemory::piece() {
  if (free_.empty()) {
    regions_.push_back(::operator new(kRegion, kAlignment));
    free_.reserve(regions_.size() * (kRegion / kPiece));
    for (std::size_t at = kRegion; at > 0; at -= kPiece) free_.push_back(static_cast<char*>(regions_.back()) + at - kPiece);
  }
  char* const piece = free_.back();
  free_.pop_back();
  return piece;
}

char* FrameMemory::take_piece() {
  const std::lock_guard lock(mutex_);
  return piece();
}

void FrameMemory::give_piece(char* piece) {
  const std::lock_guard lock(mutex_);
  free_.push_back(piece);
}

void FrameMemory::link(Cells& cells) {
  cells.before = nullptr;
  cells.after = some_free_;
  if (some_free_ != nullptr) some_free_->before = &cells;
  some_free_ = &cells;
}

void FrameMemory::unlink(Cells& cells) {
  (cells.before != nullptr ? cells.before->after : some_free_) = cells.after;
  if (cells.after != nullptr) cells.after->before = cells.before;
}

char* FrameMemory::take_cell() {
  static_assert(sizeof(Cells) <= Cells::kHead && kCells == 32);
  const std::lock_guard lock(mutex_);
  if (some_free_ == nullptr) link(*new (piece()) Cells());
  Cells& cells = *some_free_;
  const auto index = static_cast<std::size_t>(std::countr_zero(cells.free));
  cells.free &= cells.free - 1;
  if (cells.free == 0) unlink(cells);
  return cells.piece() + Cells::kHead + index * kCell;
}

void FrameMemory::give_cell(char* cell) {
  const std::lock_guard lock(mutex_);
  Cells& cells = Cells::of(cell);
  if (cells.free == 0) link(cells);
  cells.free |= 1U << (static_cast<std::size_t>(cell - cells.piece()) - Cells::kHead) / kCell;
  if (cells.free != Cells::kAll) return;
  unlink(cells);
  free_.push_back(cells.piece());
}

std::size_t FrameMemory::bytes() const {
  const std::lock_guard lock(mutex_);
  return regions_.size() * kRegion;
}

FrameBytes FrameBytes::plain(FrameMemory& memory, std::size_t size) {
  FrameBytes bytes;
  bytes.size_ = size;
  if (size > FrameMemory::kPiece / 4 * 3 && size <= FrameMemory::kPiece) {
    bytes.memory_ = &memory;
    bytes.data_ = memory.take_piece();
    bytes.held_ = FrameMemory::kPiece;
  } else {
    bytes.data_ = static_cast<char*>(::operator new(size));
    bytes.held_ = size;
  }
  return bytes;
}

FrameBytes FrameBytes::in_cells(FrameMemory& memory, std::string_view from) {
  FrameBytes bytes;
  bytes.memory_ = &memory;
  bytes.size_ = from.size();
  // From the end, since each has the address of the next.
  for (std::size_t end = from.size(); end > 0 || bytes.cells_ == nullptr;) {
    const std::size_t begin = end == 0 ? 0 : (end - 1) / kInCell * kInCell;
    char* const cell = memory.take_cell();
    set_next(cell, bytes.cells_);
    if (end > begin) std::memcpy(cell + sizeof(char*), from.data() + begin, end - begin);
    bytes.cells_ = cell;
    bytes.held_ += FrameMemory::kCell;
    end = begin;
  }
  return bytes;
}

void FrameBytes::copy_to(char* to) const {
  const char* cell = cells_;
  for (std::size_t left = size_; left > 0; cell = next_of(cell)) {
    const std::size_t here = std::min(left, kInCell);
    std::memcpy(to, cell + sizeof(char*), here);
    to += here;
    left -= here;
  }
}

void FrameBytes::clear() {
  if (data_ != nullptr && memory_ != nullptr) memory_->give_piece(data_);
  if (data_ != nullptr && memory_ == nullptr) ::operator delete(data_);
  for (char* cell = cells_; cell != nullptr;) memory_->give_cell(std::exchange(cell, next_of(cell)));
  memory_ = nullptr;
  data_ = cells_ = nullptr;
  size_ = held_ = 0;
}

void FrameBytes::swap(FrameBytes& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(data_, other.data_);
  std::swap(cells_, other.cells_);
  std::swap(size_, other.size_);
  std::swap(held_, other.held_);
}

}  // namespace weir::scan
