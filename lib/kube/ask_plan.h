// When the kubelet is asked for its pods, because logs of pods were found that nobody knows.
//
// States of a uid:
// - open: it was asked for fewer than kTries times; the next request will be for it too.
// - resting: it was asked for kTries times, and the kubelet did not name it. Who asks again after kRest opens it for one request.
//
// Events: ask(), and began(), answered() and failed() of a request.
//
// Invariants:
// - One request names all pods, so it is a try for every uid that is open.
// - Between two requests are kBetween at least; after a failure the wait that failed() is given. A request that failed is no try.
// - At most kMostUids are kept; of more, nobody hears.
//
// Why: a log can outlive its pod for long, and must not make every node ask its kubelet every two seconds.
#pragma once

#include "base/clock.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

namespace weir::kube {

// A pure state machine, not thread safe.
class AskPlan {
 public:
  static constexpr base::Duration kBetween = 2 * base::kSecond;
  static constexpr int kTries = 3;
  static constexpr base::Duration kRest = 5 * base::kMinute;
  static constexpr std::size_t kMostUids = 1024;

  // True: due() may have become earlier.
  bool ask(std::string_view uid, base::Monotonic now) {
    if (const auto found = uids_.find(uid); found != uids_.end()) {
      Uid& known = found->second;
      if (known.open || now < known.rests_until) return false;
      known.open = true;
      return true;
    }
    if (uids_.size() >= kMostUids) {
      std::erase_if(uids_, [&](const auto& one) { return !one.second.open && now >= one.second.rests_until; });
      if (uids_.size() >= kMostUids) return false;
    }
    uids_.emplace(std::string(uid), Uid());
    return true;
  }

  // When the next request is to be sent; kNever while nothing is open.
  [[nodiscard]] base::Monotonic due() const {
    const bool open = std::any_of(uids_.begin(), uids_.end(), [](const auto& one) { return one.second.open; });
    return open ? not_before_ : base::kNever;
  }

  void began(base::Monotonic now) {
    not_before_ = base::after(now, kBetween);
    for (auto& [uid, one] : uids_) {
      one.asked = one.open;
      if (one.open) ++one.tries;
    }
  }
  // `known(uid)` says whether it is known by now.
  template <typename Known>
  void answered(base::Monotonic now, const Known& known) {
    for (auto at = uids_.begin(); at != uids_.end();) {
      Uid& one = at->second;
      if (known(at->first)) {
        at = uids_.erase(at);
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
    for (auto& [uid, one] : uids_) {
      if (one.asked) --one.tries;
      one.asked = false;
    }
  }

  [[nodiscard]] std::size_t size() const { return uids_.size(); }

 private:
  struct Uid {
    int tries = 0;
    bool open = true;
    bool asked = false;  // the request that is on its way is a try
    base::Monotonic rests_until = 0;
  };
  std::map<std::string, Uid, std::less<>> uids_;
  base::Monotonic not_before_ = 0;
};

}  // namespace weir::kube
