// A few threads for queries, started when there is work and ended when there is none for a while, so that a server at rest has
// none.
#pragma once

#include "base/clock.h"

#include <cstddef>
#include <functional>
#include <memory>

namespace weir::serve {

class Workers {
 public:
  struct Limits {
    std::size_t threads = 2;                   // jobs at once
    std::size_t waiting = 32;                  // jobs that wait beyond these
    base::Duration rest = 10 * base::kSecond;  // a thread without work ends after this time
  };
  static std::unique_ptr<Workers> create(const Limits& limits);
  // Runs no more jobs that wait, and waits for those that run: whoever owns them makes them end first.
  virtual ~Workers() = default;

  // From any thread. False: too many wait (429 in Loki's words: "too many outstanding requests"), or no thread can be started.
  virtual bool add(std::function<void()> job) = 0;
};

}  // namespace weir::serve
