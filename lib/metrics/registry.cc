#include "metrics/registry.h"

#include "metrics/driver.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace weir::metrics {

Block::Block(Registry* registry, Driver* driver, std::mutex* writers)
    : registry_(registry), driver_(registry == nullptr ? nullptr : driver), writers_(writers) {
  if (registry_ == nullptr) return;
  const std::lock_guard lock(registry_->mutex_);
  // What is counted of the batch at hand before the first copy does not balance.
  is_copied_ = driver_ != nullptr && driver_->runs_;
  registry_->blocks_.push_back(this);
}

Block::~Block() {
  if (registry_ == nullptr) return;
  const std::lock_guard lock(registry_->mutex_);
  is_copied_ = false;
  Registry::fold(*this, true, registry_->totals_);
  std::erase(registry_->blocks_, this);
}

Cell& Block::cell(const Metric& metric, std::string_view label_value) {
  std::optional<std::lock_guard<std::mutex>> lock;
  if (registry_ != nullptr) lock.emplace(registry_->mutex_);
  return cells_.emplace_back(metric, label_value);
}

Histogram Block::histogram(const Metric& metric) {
  Histogram histogram(metric);
  for (const std::uint64_t bound : metric.bounds) histogram.buckets_.push_back(&cell(metric, std::to_string(bound)));
  histogram.buckets_.push_back(&cell(metric, "+Inf"));
  histogram.buckets_.push_back(&cell(metric, "sum"));
  return histogram;
}

void Block::copy() {
  std::optional<std::lock_guard<std::mutex>> lock;
  if (writers_ != nullptr) lock.emplace(*writers_);
  for (Cell& cell : cells_) cell.shown = cell.value.load(std::memory_order_relaxed);
  is_copied_ = true;
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

void Table::replace(std::vector<Row> rows) {
  if (rows.size() > metric_->most) rows.resize(metric_->most);
  std::optional<std::lock_guard<std::mutex>> lock;
  if (block_->registry_ != nullptr) lock.emplace(block_->registry_->mutex_);
  block_->tables_[metric_->name] = {metric_, std::move(rows)};
}

TroubleFlag::TroubleFlag(Registry* registry, Trouble trouble) : registry_(registry), trouble_(trouble) {
  if (registry_ == nullptr) return;
  const std::lock_guard lock(registry_->mutex_);
  registry_->troubles_.push_back(this);
}

TroubleFlag::~TroubleFlag() {
  if (registry_ == nullptr) return;
  const std::lock_guard lock(registry_->mutex_);
  std::erase(registry_->troubles_, this);
}

void TroubleFlag::raise(std::string_view why) {
  if (registry_ == nullptr || why_ == why) return;  // nobody else writes it
  const std::lock_guard lock(registry_->mutex_);
  why_ = why;
}

void TroubleFlag::clear() {
  if (registry_ == nullptr || why_.empty()) return;
  const std::lock_guard lock(registry_->mutex_);
  why_.clear();
}

void Registry::fold(const Block& block, bool gone, Samples& into) {
  const auto enter = [&](const Metric& metric, std::string_view label_value, std::uint64_t value) {
    // Shown as 0, "seconds until the spool is full" of a stage that is gone would be an alarm.
    if (gone && metric.kind == Kind::gauge && metric.account != Account::in_flight) return;
    Sample& sample = into[Key{metric.name, std::string(label_value)}];
    if (sample.metric == nullptr) {
      sample = {.metric = &metric, .label_value = std::string(label_value), .value = metric.join == Join::smallest ? kInfinite : 0};
    }
    if (gone && metric.kind == Kind::gauge) {
      sample.left += value;
    } else if (metric.join == Join::sum) {
      sample.value += value;
    } else {
      sample.value = metric.join == Join::largest ? std::max(sample.value, value) : std::min(sample.value, value);
    }
  };
  for (const Cell& cell : block.cells_) {
    const bool copied = block.is_copied_ && in_balance(cell.metric->account);
    enter(*cell.metric, cell.label_value, copied ? cell.shown : cell.value.load(std::memory_order_relaxed));
  }
  if (gone) return;
  for (const auto& [name, table] : block.tables_) {
    for (const Table::Row& row : table.second) {
      std::string label_value;
      for (const std::string& value : row.label_values) {
        if (&value != row.label_values.data()) label_value += kBetweenLabels;
        label_value += value;
      }
      enter(*table.first, label_value, row.value);
    }
  }
}

std::vector<Sample> Registry::read() const {
  const std::lock_guard lock(mutex_);
  Samples all = totals_;
  for (const Block* block : blocks_) fold(*block, false, all);
  for (const Driver* driver : drivers_) driver->fold(all);
  std::vector<Sample> samples;
  samples.reserve(all.size());
  for (auto& [key, sample] : all) samples.push_back(std::move(sample));
  return samples;
}

bool Registry::ask(base::Duration patience) {
  std::unique_lock lock(mutex_);
  const std::uint64_t wanted = asked_.load(std::memory_order_relaxed) + 1;
  asked_.store(wanted, std::memory_order_release);
  for (const Driver* driver : drivers_) driver->ring();
  return answered_.wait_for(lock, std::chrono::nanoseconds(patience), [&] {
    return std::ranges::all_of(drivers_, [&](const Driver* driver) { return driver->has_answered(wanted); });
  });
}

std::vector<Registry::DriverState> Registry::drivers() const {
  const std::lock_guard lock(mutex_);
  std::vector<DriverState> states;
  for (const Driver* driver : drivers_) states.push_back(driver->state());
  return states;
}

std::vector<std::pair<Trouble, std::string>> Registry::troubles() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<Trouble, std::string>> raised;
  for (const TroubleFlag* flag : troubles_)
    if (!flag->why_.empty()) raised.emplace_back(flag->trouble_, flag->why_);
  return raised;
}

}  // namespace weir::metrics
