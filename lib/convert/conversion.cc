#include "convert/conversion.h"

#include <algorithm>

namespace weir::convert {

std::string_view word_of(Severity severity) {
  switch (severity) {
    case Severity::exact:
      return "exact";
    case Severity::note:
      return "note";
    case Severity::not_expressible:
      break;
  }
  return "not expressible";
}

std::size_t Conversion::count(Severity severity) const {
  return static_cast<std::size_t>(std::ranges::count(findings, severity, &Finding::severity));
}

}  // namespace weir::convert
