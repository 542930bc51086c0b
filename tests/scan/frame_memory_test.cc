#include "scan/frame_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace weir::scan {
namespace {

std::string text_of(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::string bytes_of(const FrameBytes& bytes) {
  std::string text(bytes.size(), ' ');
  if (bytes.cells()) bytes.copy_to(text.data());
  if (bytes.data() != nullptr) text.assign(bytes.data(), bytes.size());
  return text;
}

TEST(FrameMemory, BytesComeBackFromCells) {
  FrameMemory memory;
  constexpr std::size_t kInCell = FrameMemory::kCell - sizeof(char*);
  for (const std::size_t size : {0UL, 1UL, kInCell - 1, kInCell, kInCell + 1, 2 * kInCell, 2 * kInCell + 1, 60'000UL, 200'000UL}) {
    const std::string text = text_of(size, 1);
    auto bytes = FrameBytes::in_cells(memory, text);
    EXPECT_TRUE(bytes.cells());
    EXPECT_EQ(bytes.data(), nullptr);
    EXPECT_EQ(bytes_of(bytes), text) << size;
    EXPECT_GE(bytes.held(), size);
    EXPECT_LE(bytes.held(), size + size / 100 + FrameMemory::kCell);
  }
}

TEST(FrameMemory, APieceIsTakenOnlyWhereItIsMostlyFull) {
  FrameMemory memory;
  const auto held = [&](std::size_t size) { return FrameBytes::plain(memory, size).held(); };
  EXPECT_EQ(held(100), 100U);
  EXPECT_EQ(held(FrameMemory::kPiece / 2), FrameMemory::kPiece / 2);
  EXPECT_EQ(memory.bytes(), 0U);
  EXPECT_EQ(held(FrameMemory::kPiece - 100), FrameMemory::kPiece);
  EXPECT_EQ(held(FrameMemory::kPiece), FrameMemory::kPiece);
  EXPECT_EQ(held(FrameMemory::kPiece + 1), FrameMemory::kPiece + 1);
}

// However pieces and cells are taken and given back: nothing is lost, and the system is asked for no more than what was needed at
// once.
TEST(FrameMemory, IsUsedAgain) {
  FrameMemory memory;
  std::mt19937 random(5);
  std::vector<std::pair<FrameBytes, std::string>> held;
  std::size_t now = 0, most = 0;
  for (int turn = 0; turn < 20'000; ++turn) {
    // Mostly pieces, then mostly cells.
    const bool cells = random() % 10 < (turn / 4000 % 2 == 0 ? 1U : 9U);
    if (held.size() < 200 && random() % 2 == 0) {
      const std::string text = text_of(cells ? random() % 20'000 : FrameMemory::kPiece, random());
      auto bytes = cells ? FrameBytes::in_cells(memory, text) : FrameBytes::plain(memory, text.size());
      if (!cells) std::memcpy(bytes.data(), text.data(), text.size());
      now += bytes.held();
      held.emplace_back(std::move(bytes), text);
    } else if (!held.empty()) {
      auto& one = held[random() % held.size()];
      ASSERT_EQ(bytes_of(one.first), one.second);
      now -= one.first.held();
      std::swap(one, held.back());
      held.pop_back();
    }
    most = std::max(most, now);
  }
  EXPECT_LT(memory.bytes(), most + most / 4 + (2U << 20U));
  held.clear();
  // All cells are in pieces again.
  const std::size_t all = memory.bytes() / FrameMemory::kPiece;
  std::vector<FrameBytes> pieces;
  for (std::size_t i = 0; i < all; ++i) pieces.push_back(FrameBytes::plain(memory, FrameMemory::kPiece));
  EXPECT_EQ(memory.bytes(), all * FrameMemory::kPiece);
}

TEST(FrameMemory, ThreadsShareIt) {
  FrameMemory memory;
  std::vector<std::thread> threads;
  std::vector<int> wrong(3);
  for (unsigned t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned turn = 0; turn < 300; ++turn) {
        const std::string text = text_of(50'000 + turn, turn * 3 + t);
        auto cells = FrameBytes::in_cells(memory, text);
        auto piece = FrameBytes::plain(memory, text.size());
        cells.copy_to(piece.data());
        if (bytes_of(piece) != text) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(3));
}

TEST(FrameMemory, BytesMove) {
  FrameMemory memory;
  auto first = FrameBytes::in_cells(memory, "abc");
  auto second = FrameBytes::plain(memory, 3);
  std::memcpy(second.data(), "xyz", 3);
  first = std::move(second);
  EXPECT_EQ(bytes_of(first), "xyz");
  FrameBytes third(std::move(first));
  EXPECT_EQ(bytes_of(third), "xyz");
  third.clear();
  EXPECT_EQ(third.size() + third.held(), 0U);
}

}  // namespace
}  // namespace weir::scan
