// An Exchange as the server makes it. It belongs to whoever answers, on any thread; its connection belongs to the server's thread.
// Between them stand the Loop, to which each step of the answer is posted, and a Flow, which says how much is not sent yet and
// whether the client is gone.
#pragma once

#include "httpd/budget.h"
#include "httpd/exchange.h"
#include "httpd/loop.h"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

namespace weir::httpd {

// What of one answer is on its way to the client. Thread safe.
class Flow {
 public:
  explicit Flow(std::size_t most) : most_(most) {}

  // Waits while more than `most` bytes are on their way, then adds these. False: the client is gone.
  bool add(std::size_t bytes);
  void sent(std::size_t bytes);
  // The client is gone, or the server ends.
  void leave();
  [[nodiscard]] bool gone() const { return gone_.load(std::memory_order_acquire); }

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable moved_;
  std::size_t unsent_ = 0;
  std::atomic<bool> gone_{false};
};

// A connection that waits for an answer. On the server's thread; a connection that is closed ignores the calls.
class Answering {
 public:
  virtual ~Answering() = default;
  virtual void answer_whole(Response response) = 0;
  virtual void answer_begin(Response head) = 0;
  virtual void answer_piece(std::string piece) = 0;
  virtual void answer_end() = 0;
  // The answer began, and nobody ends it: the client must not take it for whole.
  virtual void answer_broken() = 0;
};

// `share`: what the body takes of the budget; given back when the Exchange goes.
std::shared_ptr<Exchange> make_exchange(Request request, Budget::Share share, std::weak_ptr<Answering> connection,
                                        std::shared_ptr<Loop> loop, std::shared_ptr<Flow> flow);

}  // namespace weir::httpd
