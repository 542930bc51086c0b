// Where the numbers are: each stage, or each thread of one, owns a Block of cells; the Registry of the process reads all blocks,
// from any thread, and keeps the totals of those that are gone.
//
// A cell is a relaxed atomic that one thread at a time writes (it may be handed to another under a lock): load and store, no
// read-modify-write. Cells are added to once a batch, never once a record. A reader on another thread sees each cell whole, but may
// see a batch half entered: books that balance are read while the writing thread rests between two batches.
//
// Without a registry a block is a few hundred bytes that only its stage reads, and takes no lock.
#pragma once

#include "metrics/metric.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::metrics {

class Block;

struct Cell {
  Cell(const Metric& metric_, std::string_view label_value_) : metric(&metric_), label_value(label_value_) {}
  const Metric* metric;
  std::string label_value;
  std::atomic<std::uint64_t> value{0};
};

// Handles to a cell, valid as long as its block. For the thread that writes; value() from any.
class Counter {
 public:
  explicit Counter(Cell& cell) : cell_(&cell) {}
  void add(std::uint64_t count) { cell_->value.store(value() + count, std::memory_order_relaxed); }
  // For what is counted elsewhere: so many by now.
  void reach(std::uint64_t count) { cell_->value.store(count, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return cell_->value.load(std::memory_order_relaxed); }

 private:
  Cell* cell_;
};

class Gauge {
 public:
  explicit Gauge(Cell& cell) : cell_(&cell) {}
  void set(std::uint64_t value) { cell_->value.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return cell_->value.load(std::memory_order_relaxed); }

 private:
  Cell* cell_;
};

// A counter for each value of a label. Bounded: what comes when there are metric.most values is counted under "other".
class Family {
 public:
  static constexpr std::string_view kOther = "other";

  Family(Block& block, const Metric& metric) : block_(&block), metric_(&metric) {}
  // The counter of this value, made when it is asked for first. For the writing thread.
  Counter at(std::string_view label_value);

 private:
  Block* block_;
  const Metric* metric_;
  std::vector<std::pair<std::string_view, Cell*>> cells_;
};

struct Sample {
  const Metric* metric = nullptr;
  std::string label_value;
  std::uint64_t value = 0;  // of all blocks; of a counter also of those that are gone
  std::uint64_t left =
      0;  // of a gauge of Account::in_flight: what was in flight in blocks when they went. It belongs in the books as well
};

class Registry {
 public:
  // Everything, by name and label value. From any thread.
  [[nodiscard]] std::vector<Sample> read() const;

 private:
  friend class Block;
  struct Key {
    std::string_view name;
    std::string label_value;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  using Samples = std::map<Key, Sample>;
  static void fold(const Block& block, bool gone, Samples& into);

  mutable std::mutex mutex_;  // guards the list, the cells' lists and the totals; never taken to add to a cell
  std::vector<Block*> blocks_;
  Samples totals_;
};

// Cells with one writing thread. Declared by its stage, before the handles to it. The registry (may be null) outlives it.
class Block {
 public:
  explicit Block(Registry* registry);
  // Its values go to the registry's totals.
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // Each metric once. They are declared when the block is made, and 0 until something is counted.
  Counter counter(const Metric& metric) { return Counter(cell(metric, {})); }
  Gauge gauge(const Metric& metric) { return Gauge(cell(metric, {})); }
  Family family(const Metric& metric) { return {*this, metric}; }

  // Calls visit(const Metric&, std::string_view label_value, std::uint64_t value) for each cell. On the writing thread, or when it
  // is gone.
  template <typename Visit>
  void each(Visit&& visit) const {
    for (const Cell& cell : cells_)
      visit(*cell.metric, std::string_view(cell.label_value), cell.value.load(std::memory_order_relaxed));
  }

 private:
  friend class Family;
  friend class Registry;
  Cell& cell(const Metric& metric, std::string_view label_value);

  Registry* const registry_;
  std::deque<Cell> cells_;  // does not move what it holds
};

}  // namespace weir::metrics
