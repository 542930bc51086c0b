// The pods of a node, by uid and by name: written by whoever hears of pods, read by stages.
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
  void gone(std::string_view uid, base::Timestamp now);
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
  // By the uid of a path; null when it is not known.
  [[nodiscard]] PodRef find(std::string_view uid) const;
  // Where the path has no uid (/var/log/containers): the pod of this name that is not gone, or was gone last.
  [[nodiscard]] PodRef find(std::string_view namespace_name, std::string_view name) const;

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
  void erase_locked(const std::string& uid);
  void changed_locked();

  mutable std::mutex mutex_;
  std::map<std::string, Kept, std::less<>> pods_;                                       // by uid
  std::multimap<std::pair<std::string, std::string>, std::string, std::less<>> names_;  // (namespace, name) -> uid
  std::vector<const base::Wake*> listeners_;
  std::uint64_t puts_ = 0, marked_at_ = 0;
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace weir::kube
