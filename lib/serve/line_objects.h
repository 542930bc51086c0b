// Records as the objects of the page (view.h).
#pragma once

#include "record/record.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::serve {

// "ts", "line", "level", and "metadata" and "parsed" where there are any: members of an object, without its braces.
void append_line_members(std::string& out, record::Record& record, record::Batch& batch, std::string_view level);

// The numbers of label sets. Not thread safe.
class StreamNumbers {
 public:
  // The number of this set. The first time, its {"type":"stream",…} and a line end are appended to `out`.
  std::uint64_t of(const record::LabelSet& labels, std::string& out);

 private:
  struct Known {
    record::LabelSetRef labels;  // keeps the address
    std::uint64_t number;
  };
  std::unordered_map<const record::LabelSet*, Known> known_;
};

}  // namespace weir::serve
