// How many values a label may have: `enrich --max-values pod=1000`. A label with many values makes many streams, which cost Loki
// memory and chunks; one that grows without end (a user's id, a path) makes it refuse streams.
//
//   a value that has a place     stays a label
//   a new value, a place is free    takes it, and keeps it until no record has come with it for two days
//   a new value, no place is free   becomes metadata of the label's name, counted; said once for each label
//
// The values are kept in a file, so that a restart finds the same places taken: otherwise a value could lose its place to another
// one, and its stream would go on under other labels. The file is
//
//   weir-values 1
//   488931 pod web-7d9f%2D1
//
// a line for each value: the hour of its last record (since 1970), the label, the value in percent-encoding. New values are
// appended before the records that have them go on; once an hour, and at the end, the whole is written anew and renamed into
// place. A line that is cut off (a kill, a full disk) is left out, which a message says. A loss of power may cost the values of the
// last hour. A file of another release is renamed to FILE-unreadable, reported, and begun anew; one that does not begin as ours do
// is somebody else's: an error, and it is left as it is. Links are followed (base/own_file.h). A file belongs to one stage (flock).
//
// Values take places in the order of the records, so this is one of the few things that depend on arrival (law of pipe = fused).
// Asked once for a label set, not for a record. Not thread safe.
#pragma once

#include "base/unique_fd.h"
#include "metrics/registry.h"
#include "pipeline/stage.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::stages {

struct ValueBudgetSpec {
  struct Limit {
    std::string label;
    std::uint32_t most = 0;
  };
  std::vector<Limit> limits;
  std::string file;  // "": in memory only
};

inline constexpr std::uint32_t kMostValues = 10'000;  // of one label

// Code::usage: a number that is out of bounds, a label twice, a file without a limit. Names of labels are left to enrich.
[[nodiscard]] base::Result<void> check(const ValueBudgetSpec& spec);

class ValueBudget {
 public:
  // Errors: io (the file cannot be read or written), busy (another stage has it), config (it is somebody else's).
  static base::Result<std::unique_ptr<ValueBudget>> open(const ValueBudgetSpec& spec, const pipeline::Context& context);

  // The index of the limit of this label, -1 for none.
  [[nodiscard]] int limit_of(std::string_view label) const;

  // A value that has a place. Valid until begin() returns true.
  struct Place {
    std::int64_t hour = 0;  // of its last record
  };
  // The place of this value, taken now if one is free; null when there is none.
  Place* find_place(int limit, std::string_view value);

  // Before the first record of a batch. True: places became free, so what was decided before must be asked again.
  [[nodiscard]] bool begin();
  // A record of this batch has the value.
  void use(Place& place) { place.hour = place.hour < hour_ ? hour_ : place.hour; }
  // So many records got metadata in place of this label.
  void demoted(int limit, std::uint64_t records) { limits_[static_cast<std::size_t>(limit)].demoted += records; }
  // After the last record of a batch, before it goes on: stores new values, counts.
  void end();
  // The last call: stores everything.
  void close();

  [[nodiscard]] const metrics::Block& block() const { return block_; }

 private:
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Limit {
    std::string label;
    std::size_t most = 0;
    std::unordered_map<std::string, Place, KeyHash, std::equal_to<>> places;
    std::uint64_t demoted = 0;  // by the batch at hand
    bool reported = false;
  };

  ValueBudget(const ValueBudgetSpec& spec, const pipeline::Context& context);
  [[nodiscard]] std::int64_t now_hour() const;
  base::Result<void> load();
  void read(std::string_view text);
  bool expire();
  [[nodiscard]] std::string text() const;
  base::Result<void> replace();
  base::Result<void> lock();
  void append();
  void complain(const base::Error& error);

  const std::string file_;
  const pipeline::Context context_;
  std::vector<Limit> limits_;
  std::int64_t hour_ = 0;
  std::string fresh_;    // lines that are not in the file yet
  base::UniqueFd open_;  // the file, locked; where new values are appended
  bool stored_ = true;   // the file has every value
  bool complained_ = false;
  metrics::Block block_;
  metrics::Family demoted_;
};

}  // namespace weir::stages
