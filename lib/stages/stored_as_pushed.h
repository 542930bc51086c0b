// What a stored record is once it is in Loki.
#pragma once

#include "record/record.h"

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::stages {

// Not thread safe. Keeps the label sets that it has seen.
class StoredAsPushed {
 public:
  // Changes the record, which is in `batch`: the labels are those that push sends, with service_name where it is missing; the
  // metadata has Loki's names, what push adds and detected_level, sorted by name and without empty values; what is not UTF-8 in the
  // line is U+FFFD. All by Loki's defaults.
  void apply(record::Record& record, record::Batch& batch);
  // The labels alone.
  [[nodiscard]] const record::LabelSetRef& labels(const record::LabelSet& set);

 private:
  struct Stream {
    record::LabelSetRef of, labels;
    std::vector<std::pair<std::string, std::string>> notes;  // metadata that push adds
  };
  const Stream& stream(const record::LabelSet& set);
  static void repair_metadata(record::Record& record, record::Batch& batch);

  std::unordered_map<const record::LabelSet*, Stream> streams_;
};

}  // namespace weir::stages
