#include "metrics/registry.h"

#include <algorithm>
#include <optional>

namespace weir::metrics {

Block::Block(Registry* registry) : registry_(registry) {
  if (registry_ == nullptr) return;
  const std::lock_guard lock(registry_->mutex_);
  registry_->blocks_.push_back(this);
}

Block::~Block() {
  if (registry_ == nullptr) return;
  const std::lock_guard lock(registry_->mutex_);
  Registry::fold(*this, true, registry_->totals_);
  std::erase(registry_->blocks_, this);
}

Cell& Block::cell(const Metric& metric, std::string_view label_value) {
  std::optional<std::lock_guard<std::mutex>> lock;
  if (registry_ != nullptr) lock.emplace(registry_->mutex_);
  return cells_.emplace_back(metric, label_value);
}

Counter Family::at(std::string_view label_value) {
  const auto find = [this](std::string_view value) {
    return std::ranges::find(cells_, value, &std::pair<std::string_view, Cell*>::first);
  };
  auto found = find(label_value);
  if (found == cells_.end() && cells_.size() + 1 >= metric_->most) {
    label_value = kOther;
    found = find(label_value);
  }
  if (found != cells_.end()) return Counter(*found->second);
  Cell& cell = block_->cell(*metric_, label_value);
  cells_.emplace_back(cell.label_value, &cell);
  return Counter(cell);
}

void Registry::fold(const Block& block, bool gone, Samples& into) {
  block.each([&](const Metric& metric, std::string_view label_value, std::uint64_t value) {
    Sample& sample = into[Key{metric.name, std::string(label_value)}];
    if (sample.metric == nullptr) {
      sample.metric = &metric;
      sample.label_value = label_value;
    }
    if (!gone || metric.kind == Kind::counter) {
      sample.value += value;
    } else if (metric.account == Account::in_flight) {
      sample.left += value;
    }
  });
}

std::vector<Sample> Registry::read() const {
  const std::lock_guard lock(mutex_);
  Samples all = totals_;
  for (const Block* block : blocks_) fold(*block, false, all);
  std::vector<Sample> samples;
  samples.reserve(all.size());
  for (auto& [key, sample] : all) samples.push_back(std::move(sample));
  return samples;
}

}  // namespace weir::metrics
