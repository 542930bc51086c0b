#include "serve/inbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace weir::serve {

httpd::Response try_later(std::string text) { return {.status = 503, .body = std::move(text), .headers = {{"Retry-After", "1"}}}; }

base::Result<std::unique_ptr<Inbox>> Inbox::create(const Limits& limits, const base::Clock& clock) {
  std::unique_ptr<Inbox> inbox(new Inbox(limits, clock));
  inbox->event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!inbox->event_) return base::io_error(errno, "make an event descriptor");
  return inbox;
}

bool Inbox::is_stuck() const {
  const base::Monotonic since = working_since_.load(std::memory_order_relaxed);
  return since != base::kNever && clock_.monotonic() - since > limits_.patience;
}

void Inbox::put(std::shared_ptr<httpd::Exchange> exchange) {
  if (is_stuck()) return exchange->answer(try_later(std::string(kStuck)));
  const std::uint64_t size = exchange->request().body.size();
  std::string refusal;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_.empty()) {
      refusal = closed_;
    } else if (waiting_.size() >= limits_.requests || (!waiting_.empty() && bytes_ + size > limits_.bytes)) {
      refusal = "too many push requests wait already\n";
    } else {
      waiting_.push_back(exchange);
      bytes_ += size;
      if (waiting_.size() == 1) {
        const std::uint64_t one = 1;
        static_cast<void>(::write(event_.get(), &one, sizeof one));
      }
    }
  }
  if (!refusal.empty()) exchange->answer(try_later(std::move(refusal)));
}

std::shared_ptr<httpd::Exchange> Inbox::take() {
  std::shared_ptr<httpd::Exchange> taken;
  const std::lock_guard lock(mutex_);
  while (!waiting_.empty() && taken == nullptr) {
    taken = std::move(waiting_.front());
    waiting_.pop_front();
    bytes_ -= taken->request().body.size();
    if (!taken->gone()) continue;
    // It would push the same again. One that only closed its side of the connection reads the answer.
    taken->answer(try_later("the client has closed its side of the connection, so that the push is not stored\n"));
    taken.reset();
  }
  if (waiting_.empty()) {
    std::uint64_t rung = 0;
    static_cast<void>(::read(event_.get(), &rung, sizeof rung));
  }
  return taken;
}

void Inbox::close(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    closed_ = why;
  }
  refuse_waiting(why);
}

void Inbox::refuse_waiting(const std::string& why) {
  std::deque<std::shared_ptr<httpd::Exchange>> refused;
  {
    const std::lock_guard lock(mutex_);
    refused.swap(waiting_);
    bytes_ = 0;
  }
  for (const auto& exchange : refused) exchange->answer(try_later(why));
}

}  // namespace weir::serve
