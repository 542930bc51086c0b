// A set of ordinals within one block, in the form of the table `rejected_ranges` (weir-spool.5).
#pragma once

#include "base/result.h"
#include "spool/wire.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

// Neighbours share an entry, so that a whole block costs as much as one record. Not thread safe.
class OrdinalSet {
 public:
  struct Stretch {
    std::uint32_t from;
    std::uint32_t to;  // exclusive
    friend bool operator==(const Stretch&, const Stretch&) = default;
  };

  [[nodiscard]] bool empty() const { return stretches_.empty(); }
  [[nodiscard]] const std::vector<Stretch>& stretches() const { return stretches_; }  // sorted; they do not touch
  [[nodiscard]] std::uint64_t count() const {
    std::uint64_t count = 0;
    for (const Stretch& one : stretches_) count += one.to - one.from;
    return count;
  }
  [[nodiscard]] bool contains(std::uint32_t ordinal) const {
    const auto after = std::ranges::upper_bound(stretches_, ordinal, {}, &Stretch::from);
    return after != stretches_.begin() && ordinal < std::prev(after)->to;
  }

  void add(std::uint32_t ordinal) { add(ordinal, ordinal + 1); }
  // Adds all ordinals from `from` to `to`, without `to`.
  void add(std::uint32_t from, std::uint32_t to) {
    if (to <= from) return;
    // The usual case: they come in order.
    if (stretches_.empty() || from > stretches_.back().to) {
      stretches_.push_back({from, to});
      return;
    }
    const auto first = std::ranges::lower_bound(stretches_, from, {}, &Stretch::to);
    auto last = first;
    for (; last != stretches_.end() && last->from <= to; ++last) {
      from = std::min(from, last->from);
      to = std::max(to, last->to);
    }
    if (first == last) {
      stretches_.insert(first, {from, to});
    } else {
      *first = {from, to};
      stretches_.erase(std::next(first), last);
    }
  }
  void add_all(const OrdinalSet& other) {
    for (const Stretch& one : other.stretches_) add(one.from, one.to);
  }
  void remove(std::uint32_t ordinal) {
    const auto after = std::ranges::upper_bound(stretches_, ordinal, {}, &Stretch::from);
    if (after == stretches_.begin() || ordinal >= std::prev(after)->to) return;
    const auto at = std::prev(after);
    const Stretch front{at->from, ordinal};
    const Stretch rest{ordinal + 1, at->to};
    if (front.from == front.to && rest.from == rest.to) {
      stretches_.erase(at);
    } else if (front.from == front.to || rest.from == rest.to) {
      *at = front.from == front.to ? rest : front;
    } else {
      *at = front;
      stretches_.insert(after, rest);
    }
  }

  void remove_all(const OrdinalSet& other) {
    std::vector<Stretch> rest;
    auto gone = other.stretches_.begin();
    for (Stretch one : stretches_) {
      while (gone != other.stretches_.end() && gone->to <= one.from) ++gone;
      for (auto at = gone; at != other.stretches_.end() && at->from < one.to; ++at) {
        if (at->from > one.from) rest.push_back({one.from, at->from});
        one.from = std::min(at->to, one.to);
      }
      if (one.from < one.to) rest.push_back(one);
    }
    stretches_ = std::move(rest);
  }

  // For each stretch two varints: its first ordinal less the end of the one before it, or less 0; and its length.
  [[nodiscard]] std::string encode() const {
    std::string out;
    std::uint32_t end = 0;
    for (const Stretch& one : stretches_) {
      wire::put_varint(out, one.from - end);
      wire::put_varint(out, one.to - one.from);
      end = one.to;
    }
    return out;
  }
  static base::Result<OrdinalSet> decode(std::string_view packed) {
    OrdinalSet set;
    wire::Cursor cursor(packed);
    std::uint64_t end = 0;
    while (cursor.left() > 0) {
      const std::uint64_t from = end + cursor.varint();
      end = from + cursor.varint();
      if (cursor.failed() || end > UINT32_MAX || end < from)
        return base::fail(base::Code::corrupt, "cannot read a range of rejected records: it is damaged");
      set.add(static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(end));
    }
    return set;
  }

  friend bool operator==(const OrdinalSet&, const OrdinalSet&) = default;

 private:
  std::vector<Stretch> stretches_;
};

}  // namespace weir::spool
