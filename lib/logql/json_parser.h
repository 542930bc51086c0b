// `| json`, `| json a="x.y"` and `| unpack`.
#pragma once

#include "base/result.h"
#include "logql/ast.h"
#include "logql/json_paths.h"
#include "logql/scope.h"

#include <string>
#include <utility>
#include <vector>

namespace weir::logql {

// All fields of the object, nested names joined with `_`; arrays and nulls are left out.
class JsonParser : public Stage {
 public:
  [[nodiscard]] bool process(Scope& scope) const override;
};

// Only the fields named by expressions; what is missing is set to "".
class JsonExtractor : public Stage {
 public:
  static base::Result<JsonExtractor> compile(const std::vector<Extraction>& extractions);
  [[nodiscard]] bool process(Scope& scope) const override;

 private:
  explicit JsonExtractor(JsonPaths paths) : paths_(std::move(paths)) {}
  JsonPaths paths_;
  std::vector<std::string> names_;
};

// Undoes Promtail's pack stage: `_entry` becomes the line, the other strings labels.
class Unpack : public Stage {
 public:
  [[nodiscard]] bool process(Scope& scope) const override;

 private:
  mutable std::vector<record::Label> labels_;  // of the record at hand
};

}  // namespace weir::logql
