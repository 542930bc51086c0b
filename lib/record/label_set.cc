#include "record/label_set.h"

#include "record/json.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <unordered_map>

namespace weir::record {
namespace {

// FNV-1a over the names and values, each closed by a byte that is in no UTF-8 text.
std::uint64_t hash_labels(std::span<const Label> labels) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&hash](std::string_view bytes) {
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = (hash ^ 0xff) * 0x100000001b3;
  };
  for (const Label& label : labels) {
    mix(label.name);
    mix(label.value);
  }
  return hash;
}

}  // namespace

// Leaked on purpose: references in objects of static storage may outlive any order of destruction.
struct InternTable {
  std::mutex mutex;
  std::unordered_multimap<std::uint64_t, LabelSet*> sets;

  static InternTable& instance() {
    static auto* table = new InternTable;
    return *table;
  }

  LabelSetRef intern(std::span<const Label> sorted) {
    const std::uint64_t hash = hash_labels(sorted);
    const std::lock_guard lock(mutex);
    const auto [from, to] = sets.equal_range(hash);
    for (auto it = from; it != to; ++it) {
      if (std::ranges::equal(it->second->labels(), sorted)) return LabelSetRef::share(it->second);
    }
    std::unique_ptr<LabelSet> set(new LabelSet);
    fill(*set, sorted, hash);
    sets.emplace(hash, set.get());
    return LabelSetRef::share(set.release());
  }

  // The count may only fall to zero under the lock, so that nobody can find a set that is about to go.
  void release(const LabelSet* set) {
    std::uint32_t count = set->references_.load(std::memory_order_relaxed);
    while (count > 1) {
      if (set->references_.compare_exchange_weak(count, count - 1, std::memory_order_acq_rel)) return;
    }
    const std::lock_guard lock(mutex);
    if (set->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    const auto [from, to] = sets.equal_range(set->hash_);
    for (auto it = from; it != to; ++it) {
      if (it->second != set) continue;
      sets.erase(it);
      break;
    }
    delete set;
  }

  static void fill(LabelSet& set, std::span<const Label> labels, std::uint64_t hash) {
    std::size_t size = 0;
    for (const Label& label : labels) size += label.name.size() + label.value.size();
    set.bytes_ = std::make_unique_for_overwrite<char[]>(size);
    set.labels_ = std::make_unique<Label[]>(labels.size());
    set.size_ = labels.size();
    set.hash_ = hash;
    char* at = set.bytes_.get();
    const auto keep = [&at](std::string_view bytes) {
      if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
      const std::string_view kept(at, bytes.size());
      at += bytes.size();
      return kept;
    };
    set.json_.assign(1, '{');
    for (std::size_t i = 0; i < labels.size(); ++i) {
      set.labels_[i] = {keep(labels[i].name), keep(labels[i].value)};
      if (i > 0) set.json_ += ',';
      append_json_string(set.json_, labels[i].name);
      set.json_ += ':';
      append_json_string(set.json_, labels[i].value);
    }
    set.json_ += '}';
  }
};

LabelSetRef LabelSet::intern(std::span<const Label> labels) {
  std::vector<Label> sorted(labels.begin(), labels.end());
  if (!std::ranges::is_sorted(sorted, {}, &Label::name)) std::ranges::stable_sort(sorted, {}, &Label::name);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const bool overwritten = i + 1 < sorted.size() && sorted[i + 1].name == sorted[i].name;
    if (!overwritten && !sorted[i].value.empty()) sorted[kept++] = sorted[i];
  }
  sorted.resize(kept);
  return InternTable::instance().intern(sorted);
}

LabelSetRef LabelSet::intern(std::initializer_list<Label> labels) { return intern(std::span(labels.begin(), labels.size())); }

const LabelSetRef& LabelSet::empty() {
  static const auto* set = new LabelSetRef(intern(std::span<const Label>()));
  return *set;
}

std::string_view LabelSet::get(std::string_view name) const {
  constexpr std::size_t kFew = 16;
  if (size_ > kFew) {
    const auto found = std::ranges::lower_bound(labels(), name, {}, &Label::name);
    return found != labels().end() && found->name == name ? found->value : std::string_view();
  }
  for (const Label& label : labels()) {
    if (label.name == name) return label.value;
  }
  return {};
}

std::size_t LabelSet::live() {
  InternTable& table = InternTable::instance();
  const std::lock_guard lock(table.mutex);
  return table.sets.size();
}

void LabelSetRef::release() {
  if (set_ != nullptr) InternTable::instance().release(std::exchange(set_, nullptr));
}

}  // namespace weir::record
