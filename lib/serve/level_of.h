// The level that the page shows for a record.
#pragma once

#include "logql/log_query.h"
#include "record/record.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::serve {

// One of Loki's words, or what its metadata or labels say instead; "unknown" when nothing tells it. A view into the entry, or one
// that stays for ever.
[[nodiscard]] std::string_view level_of(const logql::LogQuery::Entry& entry);

// The same of records that a query made. Not thread safe. Remembers what the labels of streams tell.
class Levels {
 public:
  // A view into the record, or one that stays as long as this object.
  [[nodiscard]] std::string_view of(record::Record& record, record::Batch& batch);

 private:
  struct Known {
    record::LabelSetRef labels;  // keeps the address
    std::string_view level;
  };
  std::unordered_map<const record::LabelSet*, Known> known_;
};

// The levels as sets of one label, "level", for sums by it. Not thread safe.
class LevelSets {
 public:
  [[nodiscard]] const record::LabelSetRef& of(record::Record& record, record::Batch& batch);

 private:
  Levels levels_;
  std::map<std::string, record::LabelSetRef, std::less<>> sets_;
};

}  // namespace weir::serve
