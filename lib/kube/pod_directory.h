// The pods of a node, by uid and by name: written by whoever hears of pods, read by stages.
//
// Two pods may have one uid, if one of them claims the config hash of a static pod (kConfigHashAnnotation), which anybody can
// write. Both are kept, and neither changes the other: a pod is its uid, its namespace and its name. The API server gives a name in
// a namespace to one pod at a time, and the path of a log has all three. So a pod that claims a hash gets no log but its own.
//
// A pod that is gone stays for an hour, since its last lines come after its end. At most kMostPods pods are kept; of more, those
// that have been gone longest go first, then those that were put first.
//
// Any thread may call any method. Readers ask version() once a batch, which is one load, and look up again only when it moved.
#pragma once

#include "base/clock.h"
#include "base/wake.h"
#include "kube/pod.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::kube {

class PodDirectory {
 public:
  static constexpr base::Duration kKeepGone = base::kHour;
  static constexpr std::size_t kMostPods = 4096;

  // -- for whoever hears of pods --

  // There is this pod, or it has changed. An equal pod changes nothing.
  void put(Pod pod);
  // It was deleted at `now`.
  void gone(const PodId& id, base::Timestamp now);
  // These are all pods that there are: others are gone.
  void replace(std::vector<Pod> pods, base::Timestamp now);
  // The same where the pods were put() one by one: those that were not put since mark() are gone.
  void mark();
  void sweep(base::Timestamp now);
  // From a cache: known, and gone since `gone_since` where it has a value. What was heard of since counts more.
  void remember(Pod pod, std::optional<base::Timestamp> gone_since);
  // Forgets what has been gone for kKeepGone.
  void forget(base::Timestamp now);

  // -- for stages --

  // Grows with every change of what find() gives; begins with 1.
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  // Whether a list came whole (sweep()): what find() gives is then no longer that of a cache. version() moves when this becomes
  // true.
  [[nodiscard]] bool listed() const { return listed_.load(std::memory_order_acquire); }
  // The pod that is all of what `id` says; null when it is not known. Without a uid: the pod of this name that is not gone, or was
  // gone last. With nothing but a uid that several pods have: null.
  [[nodiscard]] PodRef find(const PodId& id) const;

  // `wake` is rung after every change, until unlisten(). Whoever rings last may still do so while unlisten() waits; then it is
  // over.
  void listen(const base::Wake& wake);
  void unlisten(const base::Wake& wake);

  struct Entry {
    PodRef pod;
    std::optional<base::Timestamp> gone_since;
  };
  [[nodiscard]] std::vector<Entry> entries() const;  // sorted by uid
  [[nodiscard]] std::size_t size() const;

 private:
  struct Kept {
    PodRef pod;
    std::optional<base::Timestamp> gone_since;
    std::uint64_t put_at = 0;  // a count of puts
  };
  void put_locked(Pod pod, std::optional<base::Timestamp> gone_since, bool remembers);
  void bound_locked();
  using Pods = std::multimap<std::string, Kept, std::less<>>;  // by uid
  [[nodiscard]] Pods::iterator at_locked(const PodId& id);
  void erase_locked(Pods::iterator at);
  void changed_locked();

  mutable std::mutex mutex_;
  Pods pods_;
  std::multimap<std::pair<std::string, std::string>, std::string, std::less<>> names_;  // (namespace, name) -> uid
  std::vector<const base::Wake*> listeners_;
  std::uint64_t puts_ = 0, marked_at_ = 0;
  std::atomic<std::uint64_t> version_{1};
  std::atomic<bool> listed_{false};
};

}  // namespace weir::kube
