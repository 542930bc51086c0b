// Lines for the tests of rules.
#pragma once

#include "record/record.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::test {

struct Line {
  double at = 0;  // seconds
  std::string_view text;
  std::vector<record::Label> labels;
};

// Calls run.add() with each of them, in this order.
template <typename Run>
void feed(Run& run, const std::vector<Line>& lines) {
  record::Batch batch;
  for (const Line& line : lines) {
    batch.clear();
    record::Record record;
    record.timestamp = static_cast<base::Timestamp>(line.at * 1e9);
    record.labels = batch.hold(record::LabelSet::intern(line.labels));
    record.line = record::Text::bytes(batch.copy(line.text));
    run.add(record, batch);
  }
}

}  // namespace weir::test
