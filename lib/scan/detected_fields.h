// The fields that lines have beside the labels of their streams, found as Loki's detected_fields finds them: structured metadata,
// what the query extracts, and what `json`, or else `logfmt`, would extract from the line.
#pragma once

#include "logql/log_query.h"
#include "record/record.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::scan {

struct DetectedField {
  std::string name;
  std::string type;  // string, int, float, boolean, duration or bytes
  std::uint64_t cardinality = 0;
  std::vector<std::string> parsers = {};    // none for structured metadata
  std::vector<std::string> json_path = {};  // the keys that lead to it, where a line of JSON has it
};

// Not thread safe. Keeps the values of the records that it is given.
class DetectedFields {
 public:
  // At most `most` fields are found; 0: all.
  explicit DetectedFields(std::size_t most);

  // Records come in the order of time, as the query shows them.
  void add(record::Record& record, record::Batch& batch);

  // Sorted by name. The type is that of the oldest record of the last stream that has the field, which is what Loki's is.
  [[nodiscard]] std::vector<DetectedField> fields() const;
  // Sorted. Sizes are in the form that Loki gives them: "1.5KB".
  [[nodiscard]] std::vector<std::string> values(std::string_view name) const;

 private:
  struct Field {
    std::string type, type_of;  // and the stream that it is from
    std::set<std::string> values;
    std::set<std::string> parsers;
    std::vector<std::string> json_path;
  };
  Field* field(std::string_view name);
  void find_path(std::string_view name, std::string_view line);
  void note(std::string_view name, std::string_view value, std::string_view stream, const char* parser, bool parsed);

  std::size_t most_;
  logql::LogQuery json_, logfmt_;
  std::map<std::string, Field, std::less<>> fields_;
};

// How Go reads a value: "int", "float", "boolean", "duration", "bytes", else "string".
[[nodiscard]] std::string_view detected_type(std::string_view value);

}  // namespace weir::scan
