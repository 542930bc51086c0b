// What one process knows of a pod when a log of it is found or a record of it comes: whether the pod is known, whether it wants its
// logs collected, and, where it is not known, how long it may be waited for. Tail asks before it opens a file, enrich before it
// passes a record on; they share one PodKnowledge, so that a pod is waited for once.
//
// The states of a pod
//
//   new        nobody asked for it
//   awaited    somebody asked, and the directory does not know it: until `wait` after the first question
//   given up   that time is over: its records go on with what their path says, and nobody waits for it again, however often the
//              directory changes. A pod that was unknown for the whole wait is one whose node has lost its API server, or one that
//              is long gone; waiting again would delay its log again and again, and would find the same
//   known      the directory knows it. From any state. When the directory forgets it, an hour after its end, it is given up
//   excluded   it is known, and is not to be collected: its annotation weir.io/exclude is "true", or it has a label of
//              --exclude-pod-label; and its namespace is not one in which nothing is excluded
//
// A pod that is excluded by the cache of an earlier run is awaited first, until a list came or `wait` is over: meanwhile the
// annotation may be gone.
//
// Nothing becomes `awaited` while the directory cannot learn of anything: where the server could not be reached for longer than
// `wait`, a new pod is given up at once. So an API server that is down costs each pod nothing, and the start of weir one `wait`.
#pragma once

#include "base/clock.h"
#include "kube/pods.h"
#include "tail/pod_filter.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::stages {

// A label of pods and its value.
using PodLabel = std::pair<std::string, std::string>;

struct PodKnowledgeSpec {
  base::Duration wait = 2 * base::kSecond;            // for a pod that is not known; 0: never
  std::vector<PodLabel> exclude_labels;               // a pod that has one of them is excluded
  std::set<std::string, std::less<>> never_excluded;  // namespaces
  enum class Unknown : std::uint8_t { wait, pass };
  Unknown unknown = Unknown::wait;  // what tail does with a log whose pod is awaited: leave it alone, or read it
};

// Any thread may call any method.
class PodKnowledge final : public tail::PodFilter {
 public:
  // How the spec and a uid are looked at is decided here; `pods` is shared with who fills it. `clock` outlives it.
  PodKnowledge(PodKnowledgeSpec spec, std::shared_ptr<kube::Pods> pods, const base::Clock& clock);

  enum class State : std::uint8_t { awaited, given_up, known, excluded };
  struct View {
    State state = State::given_up;
    base::Monotonic until = 0;  // of `awaited`
  };
  // Costs a lock and a look-up, for a new pod a look at the state of the server: whoever asks often remembers the answer until
  // version() moves.
  [[nodiscard]] View look(const kube::PodId& id, base::Monotonic now);
  [[nodiscard]] std::uint64_t version() const { return pods_->directory().version(); }
  [[nodiscard]] const PodKnowledgeSpec& spec() const { return spec_; }

  [[nodiscard]] Verdict ask(const record::PodPath& pod, base::Monotonic now) override;
  void listen(const base::Wake& wake) override { pods_->directory().listen(wake); }
  void unlisten(const base::Wake& wake) override { pods_->directory().unlisten(wake); }

 private:
  [[nodiscard]] bool excludes(const kube::Pod& pod) const;
  [[nodiscard]] bool may_learn(base::Monotonic now) const;
  // Whether what the directory says may be more than a cache from before the start. To be called again until it is.
  [[nodiscard]] bool confirms(base::Monotonic now);

  // Pods that are remembered; more than a node has.
  static constexpr std::size_t kMost = 8192;

  const PodKnowledgeSpec spec_;
  const std::shared_ptr<kube::Pods> pods_;
  const base::Monotonic begun_;
  std::atomic<bool> confirmed_{false};
  std::mutex mutex_;
  std::unordered_map<std::string, base::Monotonic> until_;  // pods that were asked for: of what is known, 0
};

}  // namespace weir::stages
