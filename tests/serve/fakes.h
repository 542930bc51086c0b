// An Exchange and a WebSocket without a server, which remember what they are given.
#pragma once

#include "httpd/exchange.h"
#include "httpd/websocket.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::serve {

class FakeExchange : public httpd::Exchange {
 public:
  explicit FakeExchange(httpd::Request request) : request_(std::move(request)) {}
  [[nodiscard]] const httpd::Request& request() const override { return request_; }
  [[nodiscard]] std::string take_body() override { return std::exchange(request_.body, {}); }
  void answer(httpd::Response response) override { answered = std::move(response); }
  void begin(httpd::Response) override {}
  bool write(std::string) override { return false; }
  void end() override {}
  [[nodiscard]] bool gone() const override { return is_gone; }

  std::optional<httpd::Response> answered;
  bool is_gone = false;

 private:
  httpd::Request request_;
};

// Thread safe.
class FakeSocket : public httpd::WebSocket {
 public:
  explicit FakeSocket(httpd::Request request) : request_(std::move(request)) {}
  [[nodiscard]] const httpd::Request& request() const override { return request_; }
  bool send(std::string text) override {
    const std::lock_guard lock(mutex_);
    if (gone_) return false;
    if (stuck_) unsent_ += text.size();
    frames_.push_back(std::move(text));
    moved_.notify_all();
    return true;
  }
  [[nodiscard]] std::size_t unsent() const override {
    const std::lock_guard lock(mutex_);
    return unsent_;
  }
  void close(std::uint16_t code, std::string_view reason) override {
    const std::lock_guard lock(mutex_);
    closed_ = std::to_string(code) + " " + std::string(reason);
    gone_ = true;
    moved_.notify_all();
  }
  [[nodiscard]] bool gone() const override {
    const std::lock_guard lock(mutex_);
    return gone_;
  }
  void when_gone(std::function<void()> call) override { call_ = std::move(call); }

  // The client goes.
  void leave() {
    {
      const std::lock_guard lock(mutex_);
      gone_ = true;
    }
    if (call_) call_();
  }
  // The client reads nothing from now on, or all again.
  void stick(bool stuck) {
    const std::lock_guard lock(mutex_);
    stuck_ = stuck;
    unsent_ = 0;
  }
  // Waits until `count` frames have come.
  [[nodiscard]] std::vector<std::string> frames(std::size_t count) {
    std::unique_lock lock(mutex_);
    moved_.wait_for(lock, kPatience, [&] { return frames_.size() >= count; });
    return frames_;
  }
  [[nodiscard]] std::string closed() {
    std::unique_lock lock(mutex_);
    moved_.wait_for(lock, kPatience, [&] { return gone_; });
    return closed_;
  }

 private:
  static constexpr std::chrono::seconds kPatience{20};
  mutable std::mutex mutex_;
  std::condition_variable moved_;
  httpd::Request request_;
  std::vector<std::string> frames_;
  std::string closed_;
  bool gone_ = false, stuck_ = false;
  std::size_t unsent_ = 0;
  std::function<void()> call_;
};

}  // namespace weir::serve
