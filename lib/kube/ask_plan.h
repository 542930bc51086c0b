// When the kubelet is asked for its pods: because logs of pods were found that nobody knows, and once in a while, because pods
// change and end.
//
// The pods are named by keys; what is in them counts nothing here. States of a key:
// - open: it was asked for fewer than kTries times; the next request will be for it too.
// - resting: it was asked for kTries times, and the kubelet did not name it. Who asks again after kRest opens it for one request.
//
// States of the list: none was whole; fresh, for kRefresh after the request for it began; old. While it is none or old, the first
// used() makes a request due.
//
// Events: ask(), used(), retry(), and began(), answered() and failed() of a request.
//
// Invariants:
// - One request names all pods, so it is a try for every key that is open.
// - Whoever is not used asks nobody and waits for nothing: due() is kNever while no key is open and used() was not called since the
//   latest request began.
// - Between two requests are kBetween at least; after a failure the wait that failed() is given, or until retry(). A request that
//   failed is no try.
// - At most kMostKeys are kept; of more, nobody hears.
//
// Why: a log can outlive its pod for long, and must not make every node ask its kubelet every two seconds. And an annotation that
// excludes a pod must not wait for the next unknown pod, which may not come for weeks. kRefresh is as long as a kubelet remembers
// by default that the API server allowed a request (its authorization.webhook.cacheAuthorizedTTL), so that 5,000 nodes that ask
// their kubelets cost the API server about as much as their watches do with --kubernetes api (watch_pace.h).
#pragma once

#include "base/clock.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weir::kube {

// A pure state machine, not thread safe.
class AskPlan {
 public:
  static constexpr base::Duration kBetween = 2 * base::kSecond;
  static constexpr int kTries = 3;
  static constexpr base::Duration kRest = 5 * base::kMinute;
  static constexpr base::Duration kRefresh = 5 * base::kMinute;
  static constexpr std::size_t kMostKeys = 1024;

  // True: due() may have become earlier.
  bool ask(std::string_view key, base::Monotonic now) {
    if (const auto found = keys_.find(key); found != keys_.end()) {
      Key& known = found->second;
      if (known.open || now < known.rests_until) return false;
      known.open = true;
      return true;
    }
    if (keys_.size() >= kMostKeys) {
      std::erase_if(keys_, [&](const auto& one) { return !one.second.open && now >= one.second.rests_until; });
      if (keys_.size() >= kMostKeys) return false;
    }
    keys_.emplace(std::string(key), Key());
    return true;
  }

  // Records of pods come, known or not.
  void used() { used_ = true; }

  // When the next request is to be sent; kNever while none is.
  [[nodiscard]] base::Monotonic due() const {
    const bool open = std::any_of(keys_.begin(), keys_.end(), [](const auto& one) { return one.second.open; });
    if (open || (used_ && !listed_at_)) return not_before_;
    return used_ ? std::max(not_before_, base::after(*listed_at_, kRefresh)) : base::kNever;
  }

  void began(base::Monotonic now) {
    began_at_ = now;
    used_ = false;
    not_before_ = base::after(now, kBetween);
    for (auto& [key, one] : keys_) {
      one.asked = one.open;
      if (one.open) ++one.tries;
    }
  }
  // `known(key)` says whether it is known by now.
  template <typename Known>
  void answered(base::Monotonic now, const Known& known) {
    listed_at_ = began_at_;
    for (auto at = keys_.begin(); at != keys_.end();) {
      Key& one = at->second;
      if (known(at->first)) {
        at = keys_.erase(at);
        continue;
      }
      if (one.asked && one.tries >= kTries) {
        one.open = false;
        one.rests_until = base::after(now, kRest);
      }
      one.asked = false;
      ++at;
    }
  }
  void failed(base::Monotonic now, base::Duration wait) {
    not_before_ = base::after(now, std::max(wait, kBetween));
    for (auto& [key, one] : keys_) {
      if (one.asked) --one.tries;
      one.asked = false;
    }
  }

  // What made the latest request fail is gone: the wait after it is over.
  void retry(base::Monotonic now) { not_before_ = std::min(not_before_, std::max(now, base::after(began_at_, kBetween))); }

  [[nodiscard]] std::size_t size() const { return keys_.size(); }

 private:
  struct Key {
    int tries = 0;
    bool open = true;
    bool asked = false;  // the request that is on its way is a try
    base::Monotonic rests_until = 0;
  };
  std::map<std::string, Key, std::less<>> keys_;
  base::Monotonic not_before_ = 0, began_at_ = 0;
  std::optional<base::Monotonic> listed_at_;  // when the request began that gave the latest whole list
  bool used_ = false;                         // since the latest request began
};

}  // namespace weir::kube
