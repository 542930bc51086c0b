#include "rules/rule.h"

namespace weir::rules {

std::string_view word_of(const Action& action) {
  static constexpr std::string_view kWords[] = {"redact", "keep", "drop", "hold", "release", "sample", "limit", "dedup", "tenant"};
  static_assert(std::size(kWords) == std::variant_size_v<Action>);
  return kWords[action.index()];
}

}  // namespace weir::rules
