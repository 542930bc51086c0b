// Entries of a log query, grouped into the streams of Loki's answer (loki: pkg/util/marshal, pkg/logqlmodel).
//
// Without `categorize`, a stream is what has one set of labels, metadata and extracted labels together. With it, a stream is what
// has the same labels behind the query, and each entry has the rest with it.
#pragma once

#include "record/record.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::serve {

// Of an object that a query made: names and values, decoded.
using Pairs = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] Pairs pairs_of(std::string_view object);

// Not thread safe.
class StreamGroups {
 public:
  struct Options {
    bool categorize = false;
    bool backward = false;  // entries are shown newest first; they are added oldest first all the same
    bool legacy = false;    // in the form of /api/prom/query
  };
  explicit StreamGroups(const Options& options) : options_(options) {}

  // A record as the query shows it.
  void add(record::Record& record, record::Batch& batch);

  [[nodiscard]] std::uint64_t entries() const { return entries_; }
  // About as many as json() will have.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // Appends the array of streams, in the order of their labels, and forgets them.
  void take_json(std::string& out);

 private:
  struct Stream {
    std::string head;  // the object of labels
    std::string values;
    std::vector<std::size_t> ends;  // of each value
  };
  Stream& stream_of(const record::Record& record);

  Options options_;
  std::map<std::string, Stream> streams_;  // by the text of their labels
  struct Known {
    record::LabelSetRef labels;  // its address is a part of the key
    Stream* stream;
  };
  std::unordered_map<std::string, Known> known_;  // by what the labels are made of
  std::string key_;
  std::uint64_t entries_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace weir::serve
