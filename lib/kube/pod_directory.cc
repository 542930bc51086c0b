#include "kube/pod_directory.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace weir::kube {
namespace {

// Of pods that are not gone: so that those that are come first.
constexpr base::Timestamp kPresent = std::numeric_limits<base::Timestamp>::max();

}  // namespace

void PodDirectory::put(Pod pod) {
  const std::lock_guard lock(mutex_);
  put_locked(std::move(pod), std::nullopt, false);
}

void PodDirectory::remember(Pod pod, std::optional<base::Timestamp> gone_since) {
  const std::lock_guard lock(mutex_);
  put_locked(std::move(pod), gone_since, true);
}

void PodDirectory::put_locked(Pod pod, std::optional<base::Timestamp> gone_since, bool remembers) {
  if (pod.uid.empty()) return;
  const auto found = at_locked(id_of(pod));
  if (found == pods_.end()) {
    names_.emplace(std::pair(pod.namespace_name, pod.name), pod.uid);
    std::string uid = pod.uid;
    pods_.emplace(std::move(uid), Kept{std::make_shared<const Pod>(std::move(pod)), gone_since, remembers ? 0 : ++puts_});
    bound_locked();
    return changed_locked();
  }
  if (remembers) return;
  Kept& kept = found->second;
  kept.put_at = ++puts_;
  const bool back = std::exchange(kept.gone_since, std::nullopt).has_value();
  const bool same = *kept.pod == pod;
  if (!same) kept.pod = std::make_shared<const Pod>(std::move(pod));
  if (back || !same) changed_locked();
}

void PodDirectory::gone(const PodId& id, base::Timestamp now) {
  const std::lock_guard lock(mutex_);
  const auto found = at_locked(id);
  if (found == pods_.end() || found->second.gone_since) return;
  found->second.gone_since = now;
  changed_locked();
}

void PodDirectory::replace(std::vector<Pod> pods, base::Timestamp now) {
  mark();
  for (Pod& pod : pods) put(std::move(pod));
  sweep(now);
}

void PodDirectory::mark() {
  const std::lock_guard lock(mutex_);
  marked_at_ = puts_;
}

void PodDirectory::sweep(base::Timestamp now) {
  const std::lock_guard lock(mutex_);
  bool changed = !listed_.exchange(true, std::memory_order_acq_rel);
  for (auto& [uid, kept] : pods_) {
    if (kept.put_at > marked_at_ || kept.gone_since) continue;
    kept.gone_since = now;
    changed = true;
  }
  if (changed) changed_locked();
}

void PodDirectory::forget(base::Timestamp now) {
  const std::lock_guard lock(mutex_);
  bool changed = false;
  for (auto at = pods_.begin(); at != pods_.end();) {
    const auto one = at++;
    if (!one->second.gone_since || *one->second.gone_since > now - kKeepGone) continue;
    erase_locked(one);
    changed = true;
  }
  if (changed) changed_locked();
}

void PodDirectory::bound_locked() {
  if (pods_.size() <= kMostPods) return;
  const auto order = [](const auto& entry) { return std::pair(entry.second.gone_since.value_or(kPresent), entry.second.put_at); };
  erase_locked(std::ranges::min_element(pods_, {}, order));
}

// By all three parts.
PodDirectory::Pods::iterator PodDirectory::at_locked(const PodId& id) {
  const auto [begin, end] = pods_.equal_range(id.uid);
  const auto found = std::find_if(begin, end, [&](const auto& one) { return id_of(*one.second.pod) == id; });
  return found == end ? pods_.end() : found;
}

void PodDirectory::erase_locked(Pods::iterator at) {
  const auto [begin, end] = names_.equal_range(std::pair(at->second.pod->namespace_name, at->second.pod->name));
  names_.erase(std::find_if(begin, end, [&](const auto& one) { return one.second == at->first; }));
  pods_.erase(at);
}

void PodDirectory::changed_locked() {
  version_.fetch_add(1, std::memory_order_release);
  for (const base::Wake* const wake : listeners_) wake->ring();
}

PodRef PodDirectory::find(const PodId& id) const {
  if (id.empty()) return nullptr;
  const std::lock_guard lock(mutex_);
  const Kept* best = nullptr;
  if (!id.uid.empty()) {
    const auto [begin, end] = pods_.equal_range(id.uid);
    for (auto at = begin; at != end; ++at) {
      if (!id.is(*at->second.pod)) continue;
      if (best != nullptr) return nullptr;
      best = &at->second;
    }
    return best == nullptr ? nullptr : best->pod;
  }
  const auto rank = [](const Kept& kept) { return std::pair(kept.gone_since.value_or(kPresent), kept.put_at); };
  const auto [begin, end] = names_.equal_range(std::pair(std::string(id.namespace_name), std::string(id.name)));
  for (auto at = begin; at != end; ++at) {
    const auto [first, last] = pods_.equal_range(at->second);
    for (auto one = first; one != last; ++one) {
      if (id.is(*one->second.pod) && (best == nullptr || rank(one->second) > rank(*best))) best = &one->second;
    }
  }
  return best == nullptr ? nullptr : best->pod;
}

void PodDirectory::listen(const base::Wake& wake) {
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(listeners_, &wake) == listeners_.end()) listeners_.push_back(&wake);
}

void PodDirectory::unlisten(const base::Wake& wake) {
  const std::lock_guard lock(mutex_);
  std::erase(listeners_, &wake);
}

std::vector<PodDirectory::Entry> PodDirectory::entries() const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> entries;
  entries.reserve(pods_.size());
  for (const auto& [uid, kept] : pods_) entries.push_back({kept.pod, kept.gone_since});
  return entries;
}

std::size_t PodDirectory::size() const {
  const std::lock_guard lock(mutex_);
  return pods_.size();
}

}  // namespace weir::kube
