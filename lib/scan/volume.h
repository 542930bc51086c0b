// Bytes of streams, summed up by labels as Loki's index/volume does it.
#pragma once

#include "base/clock.h"
#include "record/label_set.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::scan {

struct Volume {
  record::LabelSetRef labels;  // by sets of labels
  std::string name;            // by the names of labels
  std::uint64_t bytes = 0;
  std::map<base::Timestamp, std::uint64_t> cells;  // bytes by the time that add() was told
};

// Not thread safe.
class VolumeSum {
 public:
  struct Options {
    std::vector<std::string> by = {};     // labels: streams that lack one of them do not count. None: those of the selector
    std::set<std::string> selector = {};  // by labels: those that the query's selector names; none: all of a stream
    bool by_name = false;                 // how much the streams have that have a label of each name
  };
  explicit VolumeSum(Options options);

  void add(const record::LabelSet& labels, std::uint64_t bytes, base::Timestamp cell = 0);

  // The largest ones first, equal ones in the order of labels; at most `most`, 0: all.
  [[nodiscard]] std::vector<Volume> largest(std::size_t most) const;

 private:
  struct Place {
    record::LabelSetRef labels;   // keeps the address
    std::vector<Volume*> counts;  // what the stream adds to
  };
  const Place& place_of(const record::LabelSet& labels);

  Options options_;
  std::set<std::string> names_;  // the labels to keep; none: all
  std::map<std::string, Volume> volumes_;
  std::unordered_map<const record::LabelSet*, Place> places_;
};

// The labels that the selector of a log query asks for; none where the query does not parse.
[[nodiscard]] std::set<std::string> selector_names(const std::string& query);

}  // namespace weir::scan
