// Where the numbers are: each stage, or each thread of one, owns a Block of cells; the Registry of the process reads all blocks,
// from any thread, and keeps the totals of those that are gone.
//
// A cell is a relaxed atomic that one thread at a time writes (it may be handed to another under a lock): load and store, no
// read-modify-write. Cells are added to once a batch, never once a record. A reader on another thread sees each cell whole, but may
// see a batch half entered. So a Driver (driver.h) copies the cells that are in the balance (metric.h) between two batches, and a
// reader gets these copies; of a block without a driver it gets the cells.
//
// Without a registry a block is a few hundred bytes that only its stage reads, and takes no lock.
#pragma once

#include "base/clock.h"
#include "metrics/metric.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::metrics {

class Block;
class Driver;

struct Cell {
  Cell(const Metric& metric_, std::string_view label_value_) : metric(&metric_), label_value(label_value_) {}
  const Metric* metric;
  std::string label_value;
  std::atomic<std::uint64_t> value{0};
  std::uint64_t shown = 0;  // the driver's copy; guarded by the registry's mutex
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

// Counts values by size. For the writing thread.
class Histogram {
 public:
  // For what is counted elsewhere: so many in each bucket by now, the last of which has no bound, and the sum of all values.
  void reach(std::span<const std::uint64_t> counts, std::uint64_t sum) {
    for (std::size_t i = 0; i < counts.size() && i + 1 < buckets_.size(); ++i)
      buckets_[i]->value.store(counts[i], std::memory_order_relaxed);
    buckets_.back()->value.store(sum, std::memory_order_relaxed);
  }
  void add(std::uint64_t value) {
    std::size_t bucket = 0;
    while (bucket < metric_->bounds.size() && value > metric_->bounds[bucket]) ++bucket;
    count(*buckets_[bucket], 1);
    count(*buckets_.back(), value);
  }

 private:
  friend class Block;
  explicit Histogram(const Metric& metric) : metric_(&metric) {}
  static void count(Cell& cell, std::uint64_t more) {
    cell.value.store(cell.value.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  const Metric* metric_;
  std::vector<Cell*> buckets_;  // one for each bound, one without a bound, and the sum of all values
};

// Gauges whose labels come and go, such as those of the logs that are furthest behind. The rows are replaced as a whole.
class Table {
 public:
  struct Row {
    std::vector<std::string> label_values;  // as many as the metric has labels
    std::uint64_t value = 0;
  };
  Table(Block& block, const Metric& metric) : block_(&block), metric_(&metric) {}
  // Shows at most metric.most of them, the first. Takes the registry's lock: not once a batch, but when a driver collects.
  void replace(std::vector<Row> rows);

 private:
  Block* block_;
  const Metric* metric_;
};

// What stands in the way of being ready: /-/ready answers 503 for some of it.
enum class Trouble : std::uint8_t {
  delivery,   // nothing can be delivered: Loki does not answer, or refuses everything
  room,       // the spool is over 80 % full
  positions,  // no position can be stored
};

struct Sample {
  const Metric* metric = nullptr;
  std::string label_value;  // of a table: the values of its labels, with kBetweenLabels between them; of a histogram: the bucket's
                            // bound as a number, "+Inf" or "sum"
  std::uint64_t value = 0;  // of all blocks; of a counter also of those that are gone
  std::uint64_t left =
      0;  // of a gauge of Account::in_flight: what was in flight in blocks when they went. It belongs in the books as well
};

inline constexpr char kBetweenLabels = '\x1f';

// Of the process, or of a chain in tests. Outlives what is counted in it.
class Registry {
 public:
  // Everything, by name and label value. From any thread. Does not wait: ask() before it for fresh copies.
  [[nodiscard]] std::vector<Sample> read() const;

  // Asks all drivers for a fresh copy and rings them. Waits until each has answered or has ended, or for `patience`. False: some
  // did not answer, because they are blocked; read() gives their last copies. From any thread but a driver's.
  bool ask(base::Duration patience);

  // How the drivers are, in the order in which they were made. From any thread.
  struct DriverState {
    std::string name;  // "chain", "drain"
    enum : std::uint8_t { waiting, working, ended } state = working;
    std::string_view waits_for;  // of a waiting one: "input", "disk", …
    base::Duration since = 0;    // how long it waits, or when it last moved
    base::Duration copied = 0;   // the age of its copy
  };
  [[nodiscard]] std::vector<DriverState> drivers() const;

  // What is raised now, with one sentence each.
  [[nodiscard]] std::vector<std::pair<Trouble, std::string>> troubles() const;

 private:
  friend class Block;
  friend class Driver;
  friend class Family;
  friend class Table;
  friend class TroubleFlag;
  struct Key {
    std::string_view name;
    std::string label_value;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  using Samples = std::map<Key, Sample>;
  static void fold(const Block& block, bool gone, Samples& into);

  mutable std::mutex mutex_;  // guards all that follows, the cells' lists and copies; never taken to add to a cell
  std::condition_variable answered_;
  std::atomic<std::uint64_t> asked_{0};  // times that fresh copies were asked for
  std::vector<Block*> blocks_;
  std::vector<Driver*> drivers_;
  std::vector<class TroubleFlag*> troubles_;
  Samples totals_;
};

// One thing that a stage may have in its way. `registry` may be null. From one thread at a time.
class TroubleFlag {
 public:
  TroubleFlag(Registry* registry, Trouble trouble);
  ~TroubleFlag();
  TroubleFlag(const TroubleFlag&) = delete;
  TroubleFlag& operator=(const TroubleFlag&) = delete;

  // `why`: one sentence for people, without a full stop. Raised again with the same words it does nothing.
  void raise(std::string_view why);
  void clear();

 private:
  friend class Registry;
  Registry* const registry_;
  const Trouble trouble_;
  std::string why_;  // "": not raised. The owner writes it with the registry's lock held
};

// Cells with one writing thread. Declared by its stage, before the handles to it. The registry (may be null) outlives it.
class Block {
 public:
  // `driver`: of the thread that writes it; null: readers get the cells themselves. `writers`: where several threads write it under
  // a lock, that lock, which the driver takes when it copies; who holds it declares no cell. Both outlive the block.
  explicit Block(Registry* registry, Driver* driver = nullptr, std::mutex* writers = nullptr);
  // Its values go to the registry's totals.
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // Each metric once. They are declared when the block is made, and 0 until something is counted.
  Counter counter(const Metric& metric) { return Counter(cell(metric, {})); }
  Gauge gauge(const Metric& metric) { return Gauge(cell(metric, {})); }
  Family family(const Metric& metric) { return {*this, metric}; }
  Table table(const Metric& metric) { return {*this, metric}; }
  Histogram histogram(const Metric& metric);

  // Calls visit(const Metric&, std::string_view label_value, std::uint64_t value) for each cell. On the writing thread, or when it
  // is gone.
  template <typename Visit>
  void each(Visit&& visit) const {
    for (const Cell& cell : cells_)
      visit(*cell.metric, std::string_view(cell.label_value), cell.value.load(std::memory_order_relaxed));
  }

 private:
  friend class Driver;
  friend class Family;
  friend class Registry;
  friend class Table;
  Cell& cell(const Metric& metric, std::string_view label_value);
  void copy();  // with the registry's lock held

  Registry* const registry_;
  Driver* const driver_;
  std::mutex* const writers_;
  bool is_copied_ = false;                                                                // the cells' copies count
  std::deque<Cell> cells_;                                                                // does not move what it holds
  std::map<std::string_view, std::pair<const Metric*, std::vector<Table::Row>>> tables_;  // by name
};

}  // namespace weir::metrics
