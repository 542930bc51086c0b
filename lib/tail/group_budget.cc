#include "tail/group_budget.h"

namespace weir::tail {

Reader* GroupBudget::take_asked() {
  if (to_be_read_.empty()) return nullptr;
  Reader* const reader = to_be_read_.back()->reader_;
  to_be_read_.pop_back();
  return reader;
}

void GroupBudget::change(Member& member, std::size_t bytes) {
  held_ += bytes - member.held_;
  if (member.asked_) asked_ += bytes - member.held_;
  member.held_ = bytes;
  if (bytes == 0) {
    if (member.asked_) std::erase(to_be_read_, &member);
    member.asked_ = false;
    members_.back()->index_ = member.index_;
    members_[member.index_] = members_.back();
    members_.pop_back();
    member.index_ = Member::kNowhere;
  } else if (member.index_ == Member::kNowhere) {
    member.index_ = members_.size();
    members_.push_back(&member);
  }
  while (held_ - asked_ > most_) {
    Member* largest = nullptr;
    for (Member* const one : members_) {
      if (one->asked_ || (one->reader_ == nullptr && one != &member)) continue;
      if (largest == nullptr || one->held_ > largest->held_) largest = one;
    }
    if (largest == nullptr) return;
    largest->asked_ = true;
    asked_ += largest->held_;
    if (largest != &member) to_be_read_.push_back(largest);
  }
}

}  // namespace weir::tail
