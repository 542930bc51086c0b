// Interned, immutable label sets. A thousand lines of one pod share one set. Equal sets are the same pointer, so comparing,
// grouping and caching by labels compares pointers.
//
// Sets are reference counted: a set is destroyed with its last reference. Interning takes a lock. Copying a reference is one
// atomic add. Records do not count: they point to a set that their Batch holds.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::record {

// A name and its value, both decoded bytes, owned elsewhere.
struct Label {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const Label&, const Label&) = default;
};

class LabelSetRef;

// Sorted by name (bytewise), names unique, no empty values: Loki drops a label whose value is empty.
// Immutable, so every method may be called from any thread.
class LabelSet {
 public:
  // The set of these labels, given in any order. Of equal names the last one wins. Empty values are left out.
  static LabelSetRef intern(std::span<const Label> labels);
  static LabelSetRef intern(std::initializer_list<Label> labels);
  static const LabelSetRef& empty();

  [[nodiscard]] std::span<const Label> labels() const { return {labels_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view get(std::string_view name) const;  // "" when absent
  [[nodiscard]] std::string_view json() const { return json_; }     // {"a":"b"}: what the JSON-lines writer prints
  [[nodiscard]] std::uint64_t hash() const { return hash_; }        // the same in every process and release

  LabelSet(const LabelSet&) = delete;  // a copy would be another identity
  LabelSet& operator=(const LabelSet&) = delete;
  ~LabelSet() = default;

  static std::size_t live();  // the number of existing sets, for tests and metrics

 private:
  friend class LabelSetRef;
  friend struct InternTable;
  LabelSet() = default;
  // The members that every batch uses come first, so that they lie in one cache line.
  std::uint64_t hash_ = 0;
  mutable std::atomic<std::uint32_t> references_{0};
  std::size_t size_ = 0;
  std::unique_ptr<Label[]> labels_;
  std::unique_ptr<char[]> bytes_;  // names and values
  std::string json_;
};

// A counted reference. Null only when default-constructed or moved from.
class LabelSetRef {
 public:
  LabelSetRef() = default;
  LabelSetRef(const LabelSetRef& other) : set_(other.set_) { acquire(); }
  LabelSetRef(LabelSetRef&& other) noexcept : set_(std::exchange(other.set_, nullptr)) {}
  LabelSetRef& operator=(const LabelSetRef& other) { return *this = LabelSetRef(other); }
  LabelSetRef& operator=(LabelSetRef&& other) noexcept {
    std::swap(set_, other.set_);
    return *this;
  }
  ~LabelSetRef() { release(); }

  // Another reference to a set that is referenced at this moment.
  static LabelSetRef share(const LabelSet* set) {
    LabelSetRef reference;
    reference.set_ = set;
    reference.acquire();
    return reference;
  }

  [[nodiscard]] const LabelSet* get() const { return set_; }
  const LabelSet& operator*() const { return *set_; }
  const LabelSet* operator->() const { return set_; }
  explicit operator bool() const { return set_ != nullptr; }
  friend bool operator==(const LabelSetRef& a, const LabelSetRef& b) { return a.set_ == b.set_; }

 private:
  friend struct InternTable;
  void acquire() const {
    if (set_ != nullptr) set_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  void release();
  const LabelSet* set_ = nullptr;
};

}  // namespace weir::record
