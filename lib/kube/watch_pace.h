// When a ResourceWatch asks its server next, and for what.
//
// States:
// - list: nothing is known, or what is known is too old: the next request is a list.
// - watch: a list was whole; the next request is a watch from the latest version.
//
// Events: began() and ended(), of a list or of a watch, and token_changed().
//
// Invariants:
// - Lists have a budget: kBurst at once, then one in kListEvery. So whatever the server answers, a node asks for less than one list
//   a minute. A list that reached no server does not count.
// - A watch that ended at its time is followed by the next one at once: its length was a random one already. After everything else
//   comes a random wait, also after the first failure, because all nodes lose their watches at the same moment when a server stops.
// - The waits grow until a list was whole or a watch has lived for kLived.
// - What was asked for while nobody listened costs no server anything, so these waits stay short.
//
// Why: 5,000 nodes must not come back to an API server in the second in which it has started.
#pragma once

#include "base/backoff.h"
#include "base/clock.h"

#include <algorithm>
#include <cstdint>
#include <random>

namespace weir::kube {

// A pure state machine, not thread safe.
class WatchPace {
 public:
  enum class Step : std::uint8_t { list, watch };
  enum class End : std::uint8_t {
    whole,        // list: all came. watch: the server ended it at its time
    cut,          // a watch that had opened ended before its time, with whatever error
    gone,         // the version is too old
    refused,      // the server does not like the request: an answer that waiting does not change. A watch begins again with a list
    failed,       // trouble of the server, or no right: a bad answer, no answer in time
    unreachable,  // nobody listens
  };
  static constexpr base::Duration kListEvery = 75 * base::kSecond;
  static constexpr int kBurst = 2;
  static constexpr base::Duration kLived = 30 * base::kSecond;
  static constexpr base::Duration kFirstWait = 10 * base::kSecond;  // the random wait after the first failure is shorter than this
  static constexpr base::Duration kLongestWait = 2 * base::kMinute;
  static constexpr base::Duration kLongestAway = 30 * base::kSecond;
  static constexpr base::Duration kShortestWatch = 5 * base::kMinute, kLongestWatch = 10 * base::kMinute;
  static constexpr int kMostFailures = 3;  // watches in a row that fail; then a list

  explicit WatchPace(std::uint64_t seed)
      : failing_({kFirstWait, kLongestWait}, seed), away_({kFirstWait, kLongestAway}, seed + 1), random_(seed + 2) {}

  [[nodiscard]] Step next() const { return step_; }
  // When next() may be sent.
  [[nodiscard]] base::Monotonic at() const {
    return step_ == Step::list ? std::max(wait_until_, lists_full_at_ - (kBurst - 1) * kListEvery) : wait_until_;
  }
  // For timeoutSeconds: whole seconds.
  [[nodiscard]] base::Duration watch_length() {
    constexpr std::int64_t kFrom = kShortestWatch / base::kSecond, kTo = kLongestWatch / base::kSecond;
    return std::uniform_int_distribution<std::int64_t>(kFrom, kTo)(random_) * base::kSecond;
  }

  void began(base::Monotonic now) {
    began_ = now;
    if (step_ == Step::list) lists_full_at_ = std::max(lists_full_at_, now) + kListEvery;
  }

  // What began last has ended. `retry_after`: the wait that the server asks for, 0 for none.
  void ended(End end, base::Monotonic now, base::Duration retry_after = 0) {
    const bool watched = step_ == Step::watch;
    if (end == End::whole || (watched && end == End::cut && now - began_ >= kLived)) {
      failing_.reset();
      away_.reset();
      failures_ = 0;
    }
    if (end == End::whole) {
      step_ = Step::watch;
      wait_until_ = now;
      return;
    }
    if (!watched && end == End::unreachable) lists_full_at_ -= kListEvery;
    if (watched && (end == End::gone || end == End::refused || (end != End::unreachable && ++failures_ >= kMostFailures))) {
      step_ = Step::list;
      failures_ = 0;
    }
    // The first wait after a cut is that of a server that went away; a watch that is cut again and again is one that fails.
    const bool away = end == End::unreachable || (end == End::cut && away_.attempts() == 0);
    wait_until_ = base::after(now, away ? away_.next(retry_after) : failing_.next(retry_after));
  }

  // The server had refused our token, and there is another one now.
  void token_changed(base::Monotonic now) {
    failing_.reset();
    wait_until_ = now;
    lists_full_at_ = std::min(lists_full_at_, now + (kBurst - 1) * kListEvery);
  }

 private:
  base::Backoff failing_, away_;
  std::minstd_rand random_;
  Step step_ = Step::list;
  base::Monotonic began_ = 0;
  base::Monotonic wait_until_ = 0;
  base::Monotonic lists_full_at_ = 0;  // when the budget of lists will be whole again
  int failures_ = 0;
};

}  // namespace weir::kube
