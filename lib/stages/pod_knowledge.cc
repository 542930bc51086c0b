#include "stages/pod_knowledge.h"

#include <algorithm>

namespace weir::stages {

PodKnowledge::PodKnowledge(PodKnowledgeSpec spec, std::shared_ptr<kube::Pods> pods, const base::Clock& clock)
    : spec_(std::move(spec)), pods_(std::move(pods)), begun_(clock.monotonic()) {}

bool PodKnowledge::excludes(const kube::Pod& pod) const {
  if (spec_.never_excluded.contains(pod.namespace_name)) return false;
  return pod.excluded ||
         std::ranges::any_of(spec_.exclude_labels, [&](const PodLabel& one) { return pod.label(one.first) == one.second; });
}

// At the start the directory had no time yet to fill.
bool PodKnowledge::may_learn(base::Monotonic now) const {
  const kube::PodsStatus status = pods_->status();
  if (status.fresh) return true;
  const base::Monotonic since = status.fresh_at == base::kNever ? begun_ : std::max(begun_, status.fresh_at);
  return now < base::after(since, spec_.wait);
}

bool PodKnowledge::confirms(base::Monotonic now) {
  if (!confirmed_.load(std::memory_order_relaxed) && (now >= base::after(begun_, spec_.wait) || pods_->directory().listed()))
    confirmed_.store(true, std::memory_order_relaxed);
  return confirmed_.load(std::memory_order_relaxed);
}

PodKnowledge::View PodKnowledge::look(const kube::PodId& id, base::Monotonic now) {
  if (id.empty()) return {};
  const kube::PodRef pod = pods_->directory().find(id);
  std::string key;
  id.key(key);
  const bool may_learn = pod == nullptr && spec_.wait > 0 && this->may_learn(now);
  const bool excluded = pod != nullptr && excludes(*pod);
  const bool confirmed = !excluded || confirms(now);
  if (pod == nullptr && !id.uid.empty()) pods_->ask(id);
  const std::lock_guard lock(mutex_);
  if (until_.size() >= kMost) std::erase_if(until_, [now](const auto& one) { return one.second <= now; });
  if (until_.size() >= kMost) until_.clear();
  if (pod != nullptr) {
    until_[key] = 0;
    if (!confirmed) return {State::awaited, base::after(begun_, spec_.wait)};
    return {excluded ? State::excluded : State::known, 0};
  }
  const base::Monotonic until = until_.try_emplace(key, may_learn ? base::after(now, spec_.wait) : 0).first->second;
  return now < until ? View{State::awaited, until} : View{State::given_up, 0};
}

tail::PodFilter::Verdict PodKnowledge::ask(const record::PodPath& pod, base::Monotonic now) {
  if (spec_.never_excluded.contains(pod.namespace_name)) return {};
  const View view = look({pod.uid, pod.namespace_name, pod.pod}, now);
  if (view.state == State::excluded) return {Answer::leave};
  if (view.state == State::awaited && spec_.unknown == PodKnowledgeSpec::Unknown::wait) return {Answer::later, view.until};
  return {};
}

}  // namespace weir::stages
