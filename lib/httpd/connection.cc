#include "httpd/connection.h"

#include "httpd/later.h"
#include "httpd/request_reader.h"
#include "httpd/socket_peer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <deque>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::httpd {
namespace {

constexpr base::Duration kEnding = 2 * base::kSecond;
constexpr std::size_t kMostThrownAway = 1 << 20;  // bytes
constexpr std::size_t kPiece = 1 << 10;           // of a read of a header
constexpr std::size_t kLongPiece = 16 << 10;      // of a read of a long one
constexpr std::size_t kMostAhead = 16 << 10;      // bytes that come before the answer to an earlier request is out
constexpr std::size_t kBodyPiece = 64 << 10;
constexpr std::size_t kStep = 64 << 10;         // bytes that count as a step of a slow client
constexpr std::size_t kAtOnce = 16;             // pieces in one write
constexpr std::size_t kShortAnswer = 64 << 10;  // bytes, which every connection may have

std::string http_date(base::Timestamp now) {
  const auto seconds = static_cast<std::time_t>(now / base::kSecond);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

// What would end the line of a header, and begin another one.
std::string header_value(std::string_view value) {
  std::string safe(value);
  for (char& c : safe) c = c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  return safe;
}

class Connection : public Peer, public Answering, public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerParts& parts, Wire wire, Welcome welcome)
      : parts_(parts),
        wire_(std::move(wire)),
        timer_(wire_.get_executor()),
        answer_share_(parts.answer_budget),
        welcome_(welcome) {}

  void begin() {
    if (wire_.is_secure()) return shake();
    if (welcome_.is_refused) return refuse_welcome();
    wait_for_request();
  }

  [[nodiscard]] Worth worth() const override {
    switch (state_) {
      case State::ending:
        return Worth::ending;
      case State::idle:
        return Worth::idle;
      case State::shaking:
      case State::reading:
        return Worth::reading;
      default:
        return Worth::busy;
    }
  }

  void close() override {
    if (state_ == State::closed) return;
    const auto self = shared_from_this();
    wire_.close();
    leave();
  }

  void drain() override {
    if (state_ == State::idle || state_ == State::shaking) return close();
    if (state_ == State::reading) {
      read_by_ = std::chrono::steady_clock::now() + std::chrono::nanoseconds(kDrainPatience);
      limit(kDrainPatience);
    }
  }

  void answer_whole(Response response) override {
    if (state_ == State::working) answer(std::move(response), true);
  }

  void answer_begin(Response head) override {
    if (state_ != State::working) return;
    is_last_ = false;
    is_chunked_ = !reader_->is_old_version();
    start_head(head, is_chunked_ && reader_->keep_alive(), is_chunked_ ? "Transfer-Encoding: chunked\r\n" : "");
    pump();
  }

  void answer_piece(std::string piece) override {
    if (state_ != State::answering) return;
    const std::size_t size = piece.size();
    if (is_head_) return flow_->sent(size);
    if (is_chunked_) pieces_.push_back({fmt::format("{:x}\r\n", size), 0});
    pieces_.push_back({std::move(piece), size});
    if (is_chunked_) pieces_.push_back({"\r\n", 0});
    pump();
  }

  void answer_end() override {
    if (state_ != State::answering) return;
    if (is_chunked_ && !is_head_) pieces_.push_back({"0\r\n\r\n", 0});
    is_last_ = true;
    pump();
  }

  void answer_broken() override { close(); }

 private:
  enum class State : std::uint8_t { shaking, idle, reading, working, answering, ending, closed };
  struct Piece {
    std::string text;
    std::size_t charge = 0;  // bytes of it that the Flow counts
  };

  // Calls `then` with what a read, a write or a wait did, unless the connection was closed meanwhile. What a request makes a
  // library throw ends this connection, and not the program.
  template <typename Then>
  auto step(Then then) {
    return [self = shared_from_this(), then](const error_code& error, std::size_t size = 0) {
      if (self->state_ == State::closed) return;
      try {
        then(*self, error, size);
      } catch (const std::exception& thrown) {
        if (base::Diagnostics* const diagnostics = self->parts_.diagnostics)
          diagnostics->warn("httpd",
                            fmt::format("closes a connection at an unexpected error, which is a bug of weir: {}", thrown.what()));
        self->close();
      }
    };
  }

  void enter(State state) {
    state_ = state;
    parts_.peers.moved(*this);
  }

  void limit(base::Duration time) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(time);
    timer_.expires_at(state_ == State::reading ? std::min(end, read_by_) : end);
    timer_.async_wait(step([](Connection& self, const error_code& error, std::size_t) {
      // One that was set anew while this call was on its way is still ahead.
      if (!error && self.timer_.expiry() <= std::chrono::steady_clock::now()) self.close();
    }));
  }
  void no_limit() { timer_.expires_at(std::chrono::steady_clock::time_point::max()); }

  void shake() {
    enter(State::shaking);
    limit(parts_.limits.read);
    wire_.async_handshake(step([](Connection& self, const error_code& error, std::size_t) {
      if (error == asio::error::no_protocol_option) {
        self.wire_.drop_tls();
        return self.answer({.status = 400, .body = "this port speaks HTTPS: use https:// in the URL\n"}, false);
      }
      if (error) return self.close();
      if (self.welcome_.is_refused) return self.refuse_welcome();
      self.wait_for_request();
    }));
  }

  void refuse_welcome() { answer(refusal_for_now(), false); }

  void wait_for_request() {
    reader_.emplace(parts_, welcome_.from_here);
    if (!unread_.empty()) return read();
    if (has_ended_ || parts_.draining) return close();
    unread_ = std::string();
    if (!is_watching_) incoming_ = std::vector<char>();
    enter(State::idle);
    limit(parts_.limits.idle);
    watch();
  }

  void read() {
    enter(State::reading);
    limit(parts_.limits.read);
    come_ = 0;
    read_on();
  }

  void read_on() {
    switch (reader_->read(unread_)) {
      case RequestReader::State::header:
        limit(parts_.limits.read);
        come_ = 0;
        if (reader_->waits_for_continue()) {
          pieces_.push_back({"HTTP/1.1 100 Continue\r\n\r\n", 0});
          pump();
        }
        return read_on();
      case RequestReader::State::more:
        if (has_ended_) return close();  // in the middle of a request
        return watch();
      case RequestReader::State::whole:
        return handle();
      case RequestReader::State::refused:
        return answer(std::move(reader_->refusal()), false);
      case RequestReader::State::not_given:
        return answer(std::move(reader_->refusal()), true);
    }
  }

  // Has a read under way, in all states: what comes is the next request, or the end of the client.
  void watch() {
    const bool wants_body = state_ == State::reading && reader_->header_is_whole();
    if (is_watching_ || has_ended_ || (state_ != State::reading && unread_.size() >= kMostAhead)) return;
    is_watching_ = true;
    const std::size_t piece = unread_.size() < kLongPiece ? kPiece : kLongPiece;
    incoming_.resize(wants_body ? kBodyPiece : std::max(piece, incoming_.size()));
    wire_.async_read_some(asio::buffer(incoming_), step([](Connection& self, const error_code& error, std::size_t size) {
                            self.is_watching_ = false;
                            self.unread_.append(self.incoming_.data(), size);
                            self.come(error, size);
                          }));
  }

  void come(const error_code& error, std::size_t size) {
    has_ended_ = has_ended_ || error;
    switch (state_) {
      case State::idle:
        if (error) return close();
        return read();
      case State::reading:
        if (error) return close();
        come_ += size;
        if (reader_->header_is_whole() && come_ >= kStep) {
          come_ = 0;
          limit(parts_.limits.read);
        }
        return read_on();
      case State::ending:
        unread_.clear();
        come_ += size;
        if (error || come_ > kMostThrownAway) return close();
        return watch();
      default:
        // A client that only closed its side gets its answer all the same; whoever works for it may stop.
        if (error && flow_) flow_->leave();
        if (error && error != asio::error::eof) return close();
        return watch();
    }
  }

  void handle() {
    const Route& route = reader_->route();
    if (route.socket) return upgrade(route);
    is_head_ = reader_->request().method == "HEAD";
    if (route.handler) return answer(route.handler(reader_->request()), true);
    if (!route.later) return answer(refusal(501), true);
    enter(State::working);
    no_limit();
    flow_ = std::make_shared<Flow>(parts_.limits.unsent);
    watch();
    route.later(make_exchange(std::move(reader_->request()), std::move(reader_->share()), weak_from_this(), parts_.loop, flow_));
  }

  void upgrade(const Route& route) {
    // A client says nothing before the answer (RFC 6455, 4.1); what it says all the same would be lost.
    if (!unread_.empty()) return answer({.status = 400, .body = "something follows the request for an upgrade\n"}, false);
    if (is_watching_) return answer({.status = 400, .body = "a request for an upgrade waits for the answers before it\n"}, false);
    const auto self = shared_from_this();
    Wire wire = std::move(wire_);
    leave();
    take_socket(parts_, std::move(wire), reader_->header(), std::move(reader_->request()), route);
  }

  // `whole`: the request was read to its end, so that another one may follow.
  void answer(Response response, bool whole) {
    if (response.body.size() > kShortAnswer && !answer_share_.grow_to(response.body.size())) response = refusal_for_now();
    if (reader_ && reader_->header_is_whole()) is_head_ = reader_->request().method == "HEAD" || is_head_;
    const bool has_no_body = response.status == 204 || response.status == 304;
    start_head(response, whole && reader_->keep_alive(),
               has_no_body ? "" : fmt::format("Content-Length: {}\r\n", response.body.size()));
    if (!is_head_ && !has_no_body && !response.body.empty()) pieces_.push_back({std::move(response.body), 0});
    is_last_ = true;
    pump();
  }

  void start_head(const Response& response, bool keep_alive, std::string_view framing) {
    enter(State::answering);
    keep_alive_ = keep_alive && !parts_.draining;
    std::string head =
        fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status, reason_of(response.status), http_date(parts_.clock.wall()));
    if (response.status != 204 && !response.content_type.empty())
      head += fmt::format("Content-Type: {}\r\n", header_value(response.content_type));
    head += framing;
    head += keep_alive_ ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
    head += "X-Content-Type-Options: nosniff\r\n";
    for (const auto& [name, value] : response.headers) head += fmt::format("{}: {}\r\n", header_value(name), header_value(value));
    head += "\r\n";
    pieces_.push_back({std::move(head), 0});
  }

  // Writes what waits, until there is nothing; then waits for more, or goes on with the next request.
  void pump() {
    if (is_writing_) return;
    if (pieces_.empty()) {
      if (state_ != State::answering) return;  // "100 Continue" is out
      no_limit();
      if (is_last_) finish();
      return;
    }
    if (state_ == State::answering && !has_write_limit_) {
      has_write_limit_ = true;
      gone_out_ = 0;
      limit(parts_.limits.write);
    }
    std::array<asio::const_buffer, kAtOnce> all;
    for (std::size_t i = 0; i < std::min(kAtOnce, pieces_.size()); ++i) all[i] = asio::buffer(pieces_[i].text);
    all[0] += sent_;
    is_writing_ = true;
    wire_.async_write_some(all, step([](Connection& self, const error_code& error, std::size_t size) {
                             self.is_writing_ = false;
                             if (error) return self.close();
                             self.gone_out(size);
                             self.pump();
                           }));
  }

  void gone_out(std::size_t size) {
    gone_out_ += size;
    sent_ += size;
    while (!pieces_.empty() && sent_ >= pieces_.front().text.size()) {
      sent_ -= pieces_.front().text.size();
      if (pieces_.front().charge > 0) flow_->sent(pieces_.front().charge);
      pieces_.pop_front();
    }
    if (gone_out_ >= kStep || pieces_.empty()) has_write_limit_ = false;
  }

  void finish() {
    flow_.reset();
    answer_share_ = Budget::Share(parts_.answer_budget);
    is_head_ = false;
    if (keep_alive_ && !parts_.draining) return wait_for_request();
    reader_.reset();
    if (has_ended_) return close();
    // Closing while something is unread would take the answer away from the client.
    wire_.end();
    unread_.clear();
    enter(State::ending);
    limit(kEnding);
    come_ = 0;
    watch();
  }

  void leave() {
    state_ = State::closed;
    timer_.cancel();
    if (flow_) flow_->leave();
    parts_.peers.remove(*this);
  }

  ServerParts& parts_;
  Wire wire_;
  Timer timer_;
  std::vector<char> incoming_;  // for the read that is under way
  std::string unread_;          // what came, and is no part of a request yet
  std::optional<RequestReader> reader_;
  std::deque<Piece> pieces_;    // that wait to be sent
  std::size_t sent_ = 0;        // bytes of the first of them
  std::size_t come_ = 0;        // bytes of a body since the time limit was set; in `ending`, all
  std::size_t gone_out_ = 0;    // bytes since the time limit was set
  std::shared_ptr<Flow> flow_;  // while a request is answered later
  Budget::Share answer_share_;  // of the answer that is sent
  std::chrono::steady_clock::time_point read_by_ = std::chrono::steady_clock::time_point::max();  // a request, while draining
  const Welcome welcome_;
  State state_ = State::shaking;
  bool has_ended_ = false;    // the client sends nothing any more
  bool is_watching_ = false;  // a read is under way
  bool is_writing_ = false;
  bool has_write_limit_ = false;
  bool is_last_ = true;  // nothing follows the pieces
  bool is_chunked_ = false;
  bool is_head_ = false;
  bool keep_alive_ = false;
};

}  // namespace

void take_connection(ServerParts& parts, Wire wire, Welcome welcome) {
  const auto connection = std::make_shared<Connection>(parts, std::move(wire), welcome);
  parts.peers.add(connection);
  connection->begin();
}

}  // namespace weir::httpd
