// `| logfmt` and `| logfmt a="key"`.
#pragma once

#include "base/result.h"
#include "gotext/scratch.h"
#include "logql/ast.h"
#include "logql/scope.h"
#include "names/logfmt_scanner.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

// The pairs of a line, decoded.
class LogfmtReader {
 public:
  explicit LogfmtReader(std::string_view line) : in_(line) {}

  // The next pair; false at the end or at a broken pair, which error() then describes. Going on after that reads what follows
  // the broken pair.
  bool next(std::string_view& key, std::string_view& value, gotext::Scratch& scratch);

  [[nodiscard]] bool broken() const { return in_.why != nullptr; }
  [[nodiscard]] std::string error() const;  // "logfmt syntax error at pos 6 : unexpected '"'"

 private:
  names::LogfmtScanner in_;
};

class LogfmtParser : public Stage {
 public:
  LogfmtParser(bool strict, bool keep_empty) : strict_(strict), keep_empty_(keep_empty) {}
  [[nodiscard]] bool process(Scope& scope) const override;

 private:
  bool strict_;
  bool keep_empty_;
};

class LogfmtExtractor : public Stage {
 public:
  static base::Result<LogfmtExtractor> compile(const LogfmtExpr& expr);
  [[nodiscard]] bool process(Scope& scope) const override;

  // The keys of lines that it looks for.
  [[nodiscard]] std::vector<std::string> keys() const;

 private:
  struct Field {
    std::string name;
    std::string key;
  };
  std::vector<Field> fields_;
  bool strict_ = false;
};

}  // namespace weir::logql
