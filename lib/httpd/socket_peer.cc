#include "httpd/socket_peer.h"

#include "httpd/websocket.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/beast/websocket/stream.hpp>

namespace weir::httpd {
namespace {

namespace websocket = beast::websocket;

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::uint16_t kGoingAway = 1001, kInternalError = 1011;  // RFC 6455, 7.4.1
constexpr std::size_t kMostReason = 123;                           // bytes; RFC 6455, 5.5
constexpr std::size_t kMostMessage = 1 << 20;                      // bytes of a message of the client, which nobody reads

// What both sides know of the frames on their way. Thread safe.
class Frames {
 public:
  explicit Frames(std::size_t most) : most_(most) {}

  bool add(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (is_over_ || unsent_ > most_) return false;
    unsent_ += bytes;
    return true;
  }
  void sent(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    unsent_ -= bytes;
  }
  [[nodiscard]] std::size_t unsent() const {
    const std::lock_guard lock(mutex_);
    return unsent_;
  }
  // Nothing may be added any more. False: that was so before.
  bool finish() {
    const std::lock_guard lock(mutex_);
    return !std::exchange(is_over_, true);
  }
  // The client is gone. Returns whom to tell.
  std::function<void()> leave() {
    const std::lock_guard lock(mutex_);
    is_over_ = is_gone_ = true;
    return std::exchange(when_gone_, nullptr);
  }
  [[nodiscard]] bool gone() const {
    const std::lock_guard lock(mutex_);
    return is_gone_;
  }
  // False: the client is gone, and `call` was not kept.
  bool keep(std::function<void()>& call) {
    const std::lock_guard lock(mutex_);
    if (is_gone_) return false;
    when_gone_ = std::move(call);
    return true;
  }

 private:
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::function<void()> when_gone_;
  std::size_t unsent_ = 0;
  bool is_over_ = false;
  bool is_gone_ = false;
};

class SocketPeer : public Peer, public std::enable_shared_from_this<SocketPeer> {
 public:
  SocketPeer(ServerParts& parts, Wire wire, Upgrade header, const Route& route)
      : parts_(parts),
        route_(route),
        header_(std::move(header)),
        stream_(std::move(wire)),
        timer_(stream_.get_executor()),
        frames_(std::make_shared<Frames>(parts.limits.unsent)) {}

  void begin(Request request);

  [[nodiscard]] Worth worth() const override {
    switch (state_) {
      case State::accepting:
        return Worth::reading;
      case State::open:
        return Worth::busy;
      default:
        return Worth::ending;  // whoever does not answer the close frame keeps nobody out
    }
  }

  void close() override {
    if (state_ == State::closed) return;
    const auto self = shared_from_this();
    state_ = State::closed;
    stream_.next_layer().close();
    timer_.cancel();
    parts_.peers.remove(*this);
    if (const auto call = frames_->leave()) call();
  }

  void drain() override {
    finish(kGoingAway, "the server ends");
    if (state_ != State::closing) return;
    silent_at_ = std::min(silent_at_, later(kDrainPatience));
    wait_for_tick();
  }

  void send(std::string text) {
    if (state_ == State::closed) return;
    waiting_.push_back(std::move(text));
    write();
  }

  void finish(std::uint16_t code, std::string_view reason) {
    frames_->finish();
    if (state_ == State::accepting) return close();
    if (state_ != State::open) return;
    state_ = State::closing;
    silent_at_ = later(parts_.limits.write);
    reason_.code = code;
    reason_.reason.assign(reason.data(), std::min(reason.size(), kMostReason));
    write();
  }

 private:
  enum class State : std::uint8_t { accepting, open, closing, closed };

  template <typename Then>
  auto step(Then then) {
    return [self = shared_from_this(), then](const error_code& error, std::size_t = 0) {
      if (self->state_ != State::closed) then(*self, error);
    };
  }

  [[nodiscard]] SteadyTime later(base::Duration time) const {
    return std::chrono::steady_clock::now() + std::chrono::nanoseconds(time);
  }

  // A frame after the other, then the close frame.
  void write() {
    if (is_writing_) return;
    if (waiting_.empty()) {
      if (state_ != State::closing || std::exchange(is_closing_, true)) return;
      return stream_.async_close(reason_, step([](SocketPeer& self, const error_code&) { self.close(); }));
    }
    is_writing_ = true;
    stuck_at_ = later(parts_.limits.write);
    stream_.async_write(asio::buffer(waiting_.front()), step([](SocketPeer& self, const error_code& error) {
                          self.is_writing_ = false;
                          if (error) return self.close();
                          self.frames_->sent(self.waiting_.front().size());
                          self.waiting_.pop_front();
                          self.write();
                        }));
  }

  // The end of the client, too, shows only in a read.
  void read() {
    stream_.async_read_some(asio::buffer(incoming_), step([](SocketPeer& self, const error_code& error) {
                              // While closing, async_close() itself waits for the client.
                              if (error && self.is_closing_) return;
                              if (error) return self.close();
                              self.heard();
                              self.read();
                            }));
  }

  void heard() {
    if (state_ == State::open) silent_at_ = later(parts_.limits.write);
  }

  void tick() {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= silent_at_ || (is_writing_ && now >= stuck_at_)) return close();
    if (now >= ping_at_) {
      ping_at_ = later(parts_.limits.ping);
      if (!std::exchange(is_pinging_, true))
        stream_.async_ping({}, step([](SocketPeer& self, const error_code& error) {
                             self.is_pinging_ = false;
                             if (error && !self.is_closing_) self.close();
                           }));
    }
    wait_for_tick();
  }

  void wait_for_tick() {
    timer_.expires_at(std::min({ping_at_, silent_at_, is_writing_ ? stuck_at_ : SteadyTime::max()}));
    timer_.async_wait(step([](SocketPeer& self, const error_code& error) {
      if (!error) self.tick();
    }));
  }

  ServerParts& parts_;
  const Route& route_;
  std::optional<Upgrade> header_;          // until the upgrade is answered
  websocket::stream<Wire, false> stream_;  // false: without permessage-deflate, which costs 300 KB a client
  Timer timer_;
  std::deque<std::string> waiting_;  // to be sent; the first may be under way
  websocket::close_reason reason_;
  SteadyTime ping_at_, silent_at_, stuck_at_;
  const std::shared_ptr<Frames> frames_;
  std::array<char, 256> incoming_{};
  State state_ = State::accepting;
  bool is_writing_ = false;
  bool is_pinging_ = false;
  bool is_closing_ = false;  // async_close() runs
};

// The side of whoever writes.
class RemoteSocket : public WebSocket {
 public:
  RemoteSocket(Request request, std::weak_ptr<SocketPeer> peer, std::shared_ptr<Loop> loop, std::shared_ptr<Frames> frames)
      : request_(std::move(request)), peer_(std::move(peer)), loop_(std::move(loop)), frames_(std::move(frames)) {}
  ~RemoteSocket() override { close(kInternalError, "the server gave up"); }
  RemoteSocket(const RemoteSocket&) = delete;
  RemoteSocket& operator=(const RemoteSocket&) = delete;

  [[nodiscard]] const Request& request() const override { return request_; }

  bool send(std::string text) override {
    if (!frames_->add(text.size())) return false;
    tell([text = std::move(text)](SocketPeer& peer) mutable { peer.send(std::move(text)); });
    return true;
  }
  [[nodiscard]] std::size_t unsent() const override { return frames_->unsent(); }
  void close(std::uint16_t code, std::string_view reason) override {
    if (!frames_->finish()) return;
    tell([code, reason = std::string(reason)](SocketPeer& peer) { peer.finish(code, reason); });
  }
  [[nodiscard]] bool gone() const override { return frames_->gone(); }
  void when_gone(std::function<void()> call) override {
    if (frames_->keep(call)) return;
    if (!loop_->post(call)) call();
  }

 private:
  // The peer is looked up on its own thread, so that it never ends on another one.
  template <typename Step>
  void tell(Step step) {
    loop_->post([peer = peer_, step = std::move(step)]() mutable {
      if (const auto here = peer.lock()) step(*here);
    });
  }

  const Request request_;
  const std::weak_ptr<SocketPeer> peer_;
  const std::shared_ptr<Loop> loop_;
  const std::shared_ptr<Frames> frames_;
};

void SocketPeer::begin(Request request) {
  stream_.set_option(websocket::stream_base::decorator(
      [](websocket::response_type& response) { response.set(beast::http::field::server, "weir"); }));
  stream_.auto_fragment(false);  // a frame that is written in pieces of 4 KiB costs a system call for each
  stream_.read_message_max(kMostMessage);
  stream_.text(true);
  stream_.control_callback([this](websocket::frame_type, beast::string_view) { heard(); });
  timer_.expires_after(std::chrono::nanoseconds(parts_.limits.read));
  timer_.async_wait(step([](SocketPeer& self, const error_code& error) {
    if (!error && self.state_ == State::accepting) self.close();
  }));
  auto remote = std::make_shared<RemoteSocket>(std::move(request), weak_from_this(), parts_.loop, frames_);
  stream_.async_accept(*header_, step([remote = std::move(remote)](SocketPeer& self, const error_code& error) {
    if (error) return self.close();
    self.header_.reset();
    self.state_ = State::open;
    self.heard();
    self.ping_at_ = self.later(self.parts_.limits.ping);
    self.read();
    self.tick();
    self.route_.socket(remote);
    if (self.parts_.draining) self.drain();
  }));
}

}  // namespace

void take_socket(ServerParts& parts, Wire wire, Upgrade header, Request request, const Route& route) {
  const auto peer = std::make_shared<SocketPeer>(parts, std::move(wire), std::move(header), route);
  parts.peers.add(peer);
  peer->begin(std::move(request));
}

}  // namespace weir::httpd
