#include "stages/reload_effect.h"

#include <algorithm>

namespace weir::stages {

void ReloadEffect::add(base::Monotonic now, std::uint64_t came, std::uint64_t passed) {
  if (slots_.empty() || now - slots_.back().begin >= kSlot) slots_.push_back({now, {}});
  slots_.back().flow.came += came;
  slots_.back().flow.passed += passed;
  while (now - slots_.front().begin > kWindow) slots_.pop_front();
  if (reloaded_at_ == base::kNever || now - reloaded_at_ > kWindow) return;
  since_.came += came;
  since_.passed += passed;
}

void ReloadEffect::reloaded(base::Monotonic now) {
  before_ = since_ = {};
  for (const Slot& slot : slots_) {
    if (now - slot.begin > kWindow) continue;
    before_.came += slot.flow.came;
    before_.passed += slot.flow.passed;
  }
  slots_.clear();
  reloaded_at_ = now;
}

double ReloadEffect::dropped(base::Monotonic now) const {
  if (reloaded_at_ == base::kNever || now - reloaded_at_ > kShown) return 0;
  if (before_.came < kLeast || before_.passed == 0 || since_.came < kLeast) return 0;
  return std::max(0.0, 1 - since_.share() / before_.share());
}

}  // namespace weir::stages
