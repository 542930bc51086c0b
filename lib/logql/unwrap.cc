#include "logql/unwrap.h"

#include "gotext/quantity.h"

#include <optional>

namespace weir::logql {

Unwrap::Unwrap(const UnwrapExpr& expr)
    : label_(expr.label),
      conversion_(expr.conversion.empty()      ? Conversion::number
                  : expr.conversion == "bytes" ? Conversion::bytes
                                               : Conversion::duration) {}

bool Unwrap::process(Scope& scope) const {
  const std::string_view text = scope.get(label_);
  if (text.empty()) return false;
  std::optional<double> value;
  std::string (*complain)(std::string_view) = gotext::float_complaint;
  switch (conversion_) {
    case Conversion::number:
      value = gotext::parse_float(text);
      break;
    case Conversion::duration:
      if (const auto duration = gotext::parse_go_duration(text)) value = gotext::go_seconds(*duration);
      complain = gotext::duration_complaint;
      break;
    case Conversion::bytes:
      if (const auto bytes = gotext::parse_bytes(text)) value = static_cast<double>(*bytes);
      complain = gotext::bytes_complaint;
      break;
  }
  scope.set_value(value.value_or(0));
  if (!value) scope.set_error(kSampleError, scope.explains() ? complain(text) : std::string());
  return true;
}

}  // namespace weir::logql
