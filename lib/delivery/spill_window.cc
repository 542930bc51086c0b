#include "delivery/spill_window.h"

#include "spool/positions_codec.h"
#include "spool/recent_places.h"

#include <algorithm>
#include <utility>

namespace weir::delivery {
namespace {

// How often the file is read; the note of recent acknowledgements is read each time.
constexpr base::Duration kReadFile = base::kSecond;

}  // namespace

SpillWindow::SpillWindow(const SpillLimits& limits, std::string consumer, std::unique_ptr<spool::Reader> spool)
    : limits_(limits), consumer_(std::move(consumer)), spool_(std::move(spool)) {}

void SpillWindow::add(SpilledBlock block) {
  if (blocks_.empty()) progress_ = block.taken;
  bytes_ += block.bytes;
  blocks_.push_back(std::move(block));
}

void SpillWindow::release_oldest() {
  SpilledBlock& block = blocks_.front();
  bytes_ -= block.bytes;
  // No other thread reads these records, so their memory serves the next block.
  if (block.records != nullptr && block.records.use_count() == 1 && spare_.empty()) spare_.push_back(std::move(*block.records));
  blocks_.pop_front();
}

base::Result<void> SpillWindow::read_acknowledgements(base::Monotonic now) {
  if (blocks_.empty()) return {};
  if (now >= read_file_at_) {
    auto names = spool_->consumers();
    if (!names) return std::move(names).error();
    others_ = std::ranges::any_of(*names, [&](const std::string& name) { return name != consumer_; });
    auto places = spool_->acknowledged(consumer_);
    if (!places) return std::move(places).error();
    if (*places) committed_ = std::move(**places);
    read_file_at_ = base::after(now, kReadFile);
  }
  // Computed again each time: a stream that begins to wait makes the set smaller, one that stops waiting makes it larger.
  acknowledged_ = committed_;
  if (const auto recently = spool::read_recent_places(spool_->path(), spool_->spool(), consumer_))
    acknowledged_.add_all(recently->places);
  while (!blocks_.empty()) {
    const SpilledBlock& block = blocks_.front();
    const bool passed = block.records == nullptr || (!others_ && acknowledged_.contains({block.number, 0}, {block.number + 1, 0}));
    if (!passed) break;
    if (!block.positions.empty()) {
      if (settled_.empty()) settle_at_ = base::after(now, limits_.settle);
      settled_.push_back({block.number, block.positions});
      if (block.records != nullptr) acknowledged_to_ = settled_.size();
    }
    release_oldest();
    progress_ = now;
  }
  return {};
}

const SpilledBlock* SpillWindow::overdue(base::Monotonic now) const {
  return !blocks_.empty() && now >= base::after(blocks_.front().taken, limits_.age) ? &blocks_.front() : nullptr;
}

const SpilledBlock* SpillWindow::stuck(base::Monotonic now) const {
  return !blocks_.empty() && now >= base::after(progress_, limits_.patience) ? &blocks_.front() : nullptr;
}

// Settled positions, under the number of the last of them.
spool::Handed SpillWindow::joined(std::size_t from, std::size_t to) const {
  std::vector<std::string_view> deltas;
  deltas.reserve(to - from);
  for (std::size_t i = from; i < to; ++i) deltas.push_back(settled_[i].positions);
  return {settled_[to - 1].block, spool::join_deltas(deltas)};
}

std::vector<spool::Handed> SpillWindow::settled() const {
  if (settled_.empty()) return {};
  return {joined(0, settled_.size())};
}

std::vector<spool::Handed> SpillWindow::with_oldest() const {
  std::vector<spool::Handed> all = settled();
  if (!blocks_.empty()) all.push_back({blocks_.front().number, blocks_.front().positions});
  return all;
}

void SpillWindow::stored_oldest() {
  stored_settled();
  release_oldest();
}

std::vector<spool::Handed> SpillWindow::unstored() const {
  std::vector<spool::Handed> all;
  if (acknowledged_to_ > 0) all.push_back(joined(0, acknowledged_to_));
  if (acknowledged_to_ < settled_.size()) all.push_back(joined(acknowledged_to_, settled_.size()));
  for (const SpilledBlock& block : blocks_) all.push_back({block.number, block.positions});
  return all;
}

base::Monotonic SpillWindow::due() const {
  const base::Monotonic age = blocks_.empty() ? base::kNever : base::after(blocks_.front().taken, limits_.age);
  return std::min(age, settled_.empty() ? base::kNever : settle_at_);
}

record::Batch SpillWindow::spare() {
  if (spare_.empty()) return {};
  record::Batch batch = std::move(spare_.back());
  spare_.pop_back();
  return batch;
}

}  // namespace weir::delivery
