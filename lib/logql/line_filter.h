// |= != |~ !~ |> !> on lines.
#pragma once

#include "base/result.h"
#include "logql/ast.h"
#include "logql/needles.h"
#include "logql/scope.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

// Immutable.
class LineFilter : public Stage {
 public:
  enum class Verdict { no, yes, unknown };

  [[nodiscard]] bool process(Scope& scope) const override { return passes(scope.line()); }
  [[nodiscard]] virtual bool passes(std::string_view line) const = 0;

  // What can be said from the inside of a JSON string without decoding it. `has_unicode_escapes`: it holds \u, behind which
  // any byte may hide.
  [[nodiscard]] virtual Verdict escaped(std::string_view text, bool has_unicode_escapes) const;

  // Of each of these groups, every line that passes contains at least one byte string. None is empty.
  [[nodiscard]] virtual std::vector<Needles> needles() const { return {}; }

  // Passes every line, by the letter: `|= ""`, `|~ ".*"`.
  [[nodiscard]] virtual bool always() const { return false; }

  static base::Result<std::unique_ptr<LineFilter>> compile(const LineFilterExpr& expr);
};

}  // namespace weir::logql
