// How much memory the open groups of lines (multiline.h) of all logs of a tail may take together. One log holds little, but a node
// may have hundreds, and an outage makes all of them write traces at once.
//
// Each joiner says what it holds when the lines at hand end. When the sum is too large, the largest holders are asked to pass on
// what they hold, before its last lines have come: at once the one that has just spoken, the others when their reader is read,
// which is to be next. What comes later of their groups begins a new record. Nothing is lost or repeated by that, since the record
// has the END of its last line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace weir::tail {

class Reader;

// Not thread safe: for the one thread that reads.
class GroupBudget {
 public:
  static constexpr std::size_t kMost = 8 << 20;  // bytes, unless single groups may be large

  explicit GroupBudget(std::size_t most = kMost) : most_(most) {}
  GroupBudget(const GroupBudget&) = delete;  // members hold its address
  GroupBudget& operator=(const GroupBudget&) = delete;

  // A joiner. The budget outlives it.
  class Member {
   public:
    // `budget` may be null: without a bound. `reader`: who is to be read so that it can pass on what it holds; null: it is asked
    // only when it speaks.
    Member(GroupBudget* budget, Reader* reader) : budget_(budget), reader_(reader) {}
    Member(const Member&) = delete;  // the budget holds its address
    Member& operator=(const Member&) = delete;
    ~Member() { hold(0); }

    // Bytes that it holds now. Afterwards it, or others, may be asked().
    void hold(std::size_t bytes) {
      if (budget_ != nullptr && bytes != held_) budget_->change(*this, bytes);
    }
    // To pass on everything, until it holds nothing.
    [[nodiscard]] bool asked() const { return asked_; }
    // It did so: so many groups.
    void count_early(std::uint64_t groups) { budget_->early_ += groups; }

   private:
    friend class GroupBudget;
    static constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
    GroupBudget* budget_;
    Reader* reader_;
    std::size_t held_ = 0;
    std::size_t index_ = kNowhere;  // in members_
    bool asked_ = false;
  };

  // A reader that is to be read next; null for none.
  [[nodiscard]] Reader* take_asked();
  [[nodiscard]] std::size_t held() const { return held_; }
  [[nodiscard]] std::size_t most() const { return most_; }
  // Groups that were passed on early.
  [[nodiscard]] std::uint64_t early() const { return early_; }

 private:
  void change(Member& member, std::size_t bytes);

  const std::size_t most_;
  std::size_t held_ = 0;
  std::size_t asked_ = 0;            // of that, what those hold that were asked
  std::vector<Member*> members_;     // that hold something
  std::vector<Member*> to_be_read_;  // those asked whose readers were not taken yet
  std::uint64_t early_ = 0;
};

}  // namespace weir::tail
