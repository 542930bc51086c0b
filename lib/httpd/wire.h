// The bytes of one connection, plain or through TLS: a stream as Asio and Beast want them (AsyncReadStream, AsyncWriteStream). At
// most one read and one write are under way. For the server's thread.
#pragma once

#include "httpd/beast.h"
#include "httpd/tls.h"

#include <sys/socket.h>

#include <memory>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/websocket/teardown.hpp>

namespace weir::httpd {

class Wire {
 public:
  using executor_type = Executor;

  Wire(Socket socket, std::unique_ptr<TlsSession> tls) : socket_(std::move(socket)), tls_(std::move(tls)) {}

  executor_type get_executor() noexcept { return socket_.get_executor(); }
  Socket& socket() { return socket_; }
  [[nodiscard]] bool is_secure() const { return tls_ != nullptr; }
  // TLS is over, for a client that speaks without.
  void drop_tls() { tls_.reset(); }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, const Buffers& into) {
          if (tls_ == nullptr) return socket_.async_read_some(into, std::move(handler));
          const asio::mutable_buffer first = first_of<asio::mutable_buffer>(into);
          start([this, first] { return tls_->read(first.data(), first.size()); }, std::move(handler));
        },
        token, buffers);
  }

  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, const Buffers& from) {
          if (tls_ == nullptr) return socket_.async_write_some(from, std::move(handler));
          const asio::const_buffer first = first_of<asio::const_buffer>(from);
          start([this, first] { return tls_->write(first.data(), first.size()); }, std::move(handler));
        },
        token, buffers);
  }

  template <typename Token>
  auto async_handshake(Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler) { start([this] { return tls_->handshake(); }, std::move(handler)); }, token);
  }

  // Says that nothing follows; what the client sends can still be read.
  void end() {
    if (tls_) tls_->end();
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }
  void close() {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  // Beast passes buffers with empty ones among them.
  template <typename Buffer, typename Buffers>
  static Buffer first_of(const Buffers& buffers) {
    for (auto one = asio::buffer_sequence_begin(buffers); one != asio::buffer_sequence_end(buffers); ++one)
      if (const Buffer buffer = *one; buffer.size() > 0) return buffer;
    return {};
  }

  // Calls `step` until it is done; waits for the socket in between. Never completes before it returns.
  template <typename Step, typename Handler>
  void start(Step step, Handler handler) {
    asio::async_compose<Handler, void(error_code, std::size_t)>(
        [this, step = std::move(step), done = TlsSession::Step(), is_done = false, has_returned = false](
            auto& self, error_code error = {}) mutable {
          if (error) return self.complete(error, 0);
          if (!is_done) {
            done = step();
            const bool wants_to_read = done.state == TlsSession::State::want_read;
            if (wants_to_read || done.state == TlsSession::State::want_write) {
              has_returned = true;
              return socket_.async_wait(wants_to_read ? Socket::wait_read : Socket::wait_write, std::move(self));
            }
            is_done = true;
            if (!std::exchange(has_returned, true)) return asio::post(socket_.get_executor(), std::move(self));
          }
          self.complete(error_of(done.state), done.size);
        },
        handler, socket_);
  }

  static error_code error_of(TlsSession::State state) {
    switch (state) {
      case TlsSession::State::done:
        return {};
      case TlsSession::State::end:
        return asio::error::eof;
      case TlsSession::State::plain_client:
        return asio::error::no_protocol_option;
      default:
        return asio::error::connection_aborted;
    }
  }

  Socket socket_;
  std::unique_ptr<TlsSession> tls_;  // null: none
};

// How Beast's WebSockets end their stream.
inline void beast_close_socket(Wire& wire) { wire.close(); }
inline void teardown(beast::role_type /*role*/, Wire& wire, error_code& error) {
  wire.end();
  error = {};
}
template <typename Handler>
void async_teardown(beast::role_type /*role*/, Wire& wire, Handler&& handler) {
  wire.end();
  asio::post(wire.get_executor(), beast::bind_front_handler(std::forward<Handler>(handler), error_code()));
}

}  // namespace weir::httpd
