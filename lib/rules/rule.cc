#include "rules/rule.h"

#include "record/positions.h"
#include "rules/printer.h"

#include <fmt/format.h>

namespace weir::rules {

std::string_view word_of(const Action& action) {
  static constexpr std::string_view kWords[] = {"redact", "keep", "drop", "hold", "release", "sample", "limit", "dedup", "tenant"};
  static_assert(std::size(kWords) == std::variant_size_v<Action>);
  return kWords[action.index()];
}

std::string Rule::id() const { return name.empty() ? text_id() : name; }

std::string Rule::text_id() const {
  std::string text = print(*this);
  if (!name.empty()) text.erase(0, text.find(": ") + 2);
  const std::uint64_t hash = record::fnv1a(text);
  return fmt::format("rule-{:08x}", static_cast<std::uint32_t>(hash ^ hash >> 32));
}

}  // namespace weir::rules
