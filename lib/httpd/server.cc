#include "httpd/server.h"

#include "base/thread.h"
#include "base/unique_fd.h"
#include "httpd/later.h"
#include "httpd/listener.h"
#include "httpd/loop.h"
#include "httpd/routes.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <deque>
#include <future>
#include <list>
#include <optional>
#include <thread>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

namespace weir::httpd {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

using base::Result;
using boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
using Stream = beast::basic_stream<asio::generic::stream_protocol, Executor, beast::unlimited_rate_policy>;

constexpr auto kPauseWithoutDescriptors = std::chrono::seconds(1);
constexpr auto kEnding = std::chrono::seconds(2);
constexpr std::size_t kMostThrownAway = 1 << 20;  // bytes
constexpr std::size_t kPiece = 1 << 10;           // of a first read

std::string http_date(base::Timestamp now) {
  const auto seconds = static_cast<std::time_t>(now / base::kSecond);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

// A target in origin form ("/a?b") or in absolute form ("http://host/a?b"). The path is "" of anything else.
struct Target {
  std::optional<std::string_view> authority;
  std::string_view path_and_query;
};

Target split_target(std::string_view target) {
  if (target.starts_with('/')) return {std::nullopt, target};
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!beast::iequals(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t end = std::min(target.find_first_of("/?#"), target.size());
    return {target.substr(0, end), target.substr(end)};
  }
  return {};
}

int status_of(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  return 400;
}

}  // namespace

class BeastServer : public Server {
 public:
  BeastServer(Address address, base::UniqueFd listener, std::vector<Route> routes, const base::Clock& clock, Options options)
      : address_(std::move(address)),
        routes_(std::move(routes)),
        clock_(clock),
        limits_(options.limits),
        access_(std::move(options.access)),
        loop_(std::make_shared<Loop>([this](std::function<void()> work) { asio::post(io_, std::move(work)); })),
        listener_(io_),
        pause_(io_) {
    listener_.assign(listener.release());
  }

  ~BeastServer() override {
    loop_->end();
    io_.stop();
    if (thread_.joinable()) thread_.join();
    leave_all();
    if (!address_.socket_path.empty()) ::unlink(address_.socket_path.c_str());
  }

  Result<void> run() {
    accept_when_ready();
    auto thread = base::start_thread("answer HTTP requests", [this] {
      io_.run();
      ended_.set_value();
    });
    if (!thread) return std::move(thread).error();
    thread_ = *std::move(thread);
    return {};
  }

  bool drain(base::Monotonic deadline) override;

  [[nodiscard]] const Address& address() const override { return address_; }

 private:
  class Connection;

  void accept_when_ready();
  void accept();
  void take(base::UniqueFd fd, int family, const sockaddr_storage& peer);
  void make_room();
  void leave_all();

  Address address_;
  const Routes routes_;
  const base::Clock& clock_;
  const Limits limits_;
  const std::unique_ptr<Access> access_;
  asio::io_context io_{1};
  const std::shared_ptr<Loop> loop_;
  asio::posix::basic_stream_descriptor<Executor> listener_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor> pause_;
  std::list<std::shared_ptr<Connection>> connections_;  // by the time of their last step, the oldest first
  std::promise<void> ended_;
  bool draining_ = false;
  std::thread thread_;
};

class BeastServer::Connection : public Answering, public std::enable_shared_from_this<Connection> {
 public:
  Connection(BeastServer& server, Socket socket, bool from_here)
      : server_(server), stream_(std::move(socket)), buffer_(server.limits_.header + kPiece), from_here_(from_here) {}

  [[nodiscard]] bool is_idle() const { return is_idle_; }
  void close() {
    stream_.close();
    leave();
  }

  void begin(std::list<std::shared_ptr<Connection>>::iterator place) {
    place_ = place;
    wait();
  }

  // The server ends.
  void forget() {
    if (flow_) flow_->leave();
  }

  void answer_whole(Response response) override {
    if (place_ && flow_) answer(std::move(response), true);
  }
  void answer_begin(Response head) override {
    if (!place_ || !flow_) return;
    is_last_ = false;
    is_chunked_ = parser_->get().version() >= 11;
    start_head(head, is_chunked_ && parser_->get().keep_alive(), is_chunked_ ? "Transfer-Encoding: chunked\r\n" : "");
    if (!is_writing_) write_pieces();
  }
  void answer_piece(std::string piece) override {
    if (!place_ || !flow_) return;
    const std::size_t size = piece.size();
    if (method_ == "HEAD") return flow_->sent(size);
    if (is_chunked_) pieces_.push_back({fmt::format("{:x}\r\n", size), 0});
    pieces_.push_back({std::move(piece), size});
    if (is_chunked_) pieces_.push_back({"\r\n", 0});
    if (!is_writing_) write_pieces();
  }
  void answer_end() override {
    if (!place_ || !flow_) return;
    if (is_chunked_ && method_ != "HEAD") pieces_.push_back({"0\r\n\r\n", 0});
    is_last_ = true;
    if (!is_writing_) write_pieces();
  }
  void answer_broken() override {
    if (place_ && flow_) close();
  }

 private:
  // Calls `then` with an error or with what a read or write did, unless the connection was closed meanwhile.
  template <typename Then>
  auto step(Then then) {
    return [self = shared_from_this(), then](const error_code& error, std::size_t size) {
      if (!self->place_) return;
      then(*self, error, size);
    };
  }

  void limit(base::Duration time) { stream_.expires_after(std::chrono::nanoseconds(time)); }

  // As the latest of all to have made a step.
  void moved() { server_.connections_.splice(server_.connections_.end(), server_.connections_, *place_); }

  void wait() {
    moved();
    parser_.reset();
    if (buffer_.size() > 0) return read_header();
    is_idle_ = true;
    limit(server_.limits_.idle);
    stream_.async_read_some(buffer_.prepare(kPiece), step([](Connection& self, const error_code& error, std::size_t size) {
                              if (error) return self.leave();
                              self.buffer_.commit(size);
                              self.read_header();
                            }));
  }

  void read_header() {
    is_idle_ = false;
    moved();
    parser_.emplace();
    parser_->header_limit(server_.limits_.header);
    parser_->body_limit(boost::none);  // what counts is known when the header is
    limit(server_.limits_.read);
    http::async_read_header(stream_, buffer_, *parser_, step([](Connection& self, const error_code& error, std::size_t) {
                              if (error) return self.fail(error);
                              self.read_body();
                            }));
  }

  void read_body() {
    const auto& message = parser_->get();
    request_ = Request();
    request_.method = message.method_string();
    request_.from_here = from_here_;
    method_ = request_.method;
    const Target target = split_target(message.target());
    if (const std::string_view fault = find_host(target); !fault.empty())
      return answer({.status = 400, .body = fmt::format("{}\n", fault)}, false);
    const std::string_view path = target.path_and_query;
    const std::size_t mark = std::min(path.find('?'), path.size());
    request_.query = path.substr(std::min(mark + 1, path.size()));
    for (const auto& field : message) request_.headers.emplace_back(field.name_string(), field.value());

    Response refused;
    route_ = server_.routes_.find(request_, mark == 0 && target.authority ? "/" : path.substr(0, mark), refused);
    if (route_ == nullptr) return answer(refused, parser_->is_done());
    const std::uint64_t most = route_->most_body > 0 ? route_->most_body : server_.limits_.body;
    parser_->body_limit(most);
    if (const auto length = parser_->content_length(); length && *length > most) return answer(refusal(413), false);
    if (parser_->is_done()) return handle();
    if (beast::iequals(message[http::field::expect], "100-continue")) {
      static constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
      asio::async_write(stream_, asio::buffer(kGoOn), step([](Connection& self, const error_code& error, std::size_t) {
                          if (error) return self.leave();
                          self.read_rest();
                        }));
      return;
    }
    read_rest();
  }

  // Whom the request is for (RFC 9112, 3.2); what is wrong with that, or "". Two answers to this question would let a request pass
  // a check of the one and go to the other.
  std::string_view find_host(const Target& target) {
    const auto& message = parser_->get();
    if (message.count(http::field::host) > 1) return "the request has several Host headers";
    const std::string_view header = message[http::field::host];
    const auto named = httpd::host_of(header);
    if (!header.empty() && !named) return "the Host header names no host";
    if (target.authority) {
      const auto own = httpd::host_of(*target.authority);
      if (!own) return "the URL of the request names no host";
      request_.host = *own;
    } else {
      request_.host = named.value_or("");
    }
    return {};
  }

  void read_rest() {
    http::async_read(stream_, buffer_, *parser_, step([](Connection& self, const error_code& error, std::size_t) {
                       if (error) return self.fail(error);
                       self.request_.body = std::move(self.parser_->get().body());
                       self.handle();
                     }));
  }

  void handle() {
    if (server_.access_ && !route_->open) {
      if (auto refused = server_.access_->check(request_, server_.address_.host)) return answer(*std::move(refused), true);
    }
    if (route_->handler) return answer(route_->handler(request_), true);
    if (!route_->later) return answer(refusal(501), true);
    stream_.expires_never();
    flow_ = std::make_shared<Flow>(server_.limits_.unsent);
    route_->later(make_exchange(std::move(request_), weak_from_this(), server_.loop_, flow_));
  }

  // `whole`: the request was read to its end, so that another one may follow.
  void answer(Response response, bool whole) {
    start_head(response, whole && parser_ && parser_->get().keep_alive(),
               response.status == 204 ? "" : fmt::format("Content-Length: {}\r\n", response.body.size()));
    if (method_ != "HEAD" && !response.body.empty()) pieces_.push_back({std::move(response.body), 0});
    is_last_ = true;
    write_pieces();
  }

  void start_head(const Response& response, bool keep_alive, std::string_view framing) {
    moved();
    keep_alive_ = keep_alive && !server_.draining_;
    std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\nContent-Type: {}\r\n{}Connection: {}\r\n", response.status,
                                   reason_of(response.status), http_date(server_.clock_.wall()), response.content_type, framing,
                                   keep_alive_ ? "keep-alive" : "close");
    head += "X-Content-Type-Options: nosniff\r\n";
    for (const auto& [name, value] : response.headers) head += fmt::format("{}: {}\r\n", name, value);
    head += "\r\n";
    pieces_.push_back({std::move(head), 0});
  }

  // Writes what waits, until there is nothing; then waits for more, or goes on with the next request.
  void write_pieces() {
    if (pieces_.empty()) {
      is_writing_ = false;
      stream_.expires_never();
      if (is_last_) written();
      return;
    }
    is_writing_ = true;
    limit(server_.limits_.write);
    asio::async_write(stream_, asio::buffer(pieces_.front().text), step([](Connection& self, const error_code& error, std::size_t) {
                        if (error) return self.leave();
                        if (self.flow_) self.flow_->sent(self.pieces_.front().charge);
                        self.pieces_.pop_front();
                        self.write_pieces();
                      }));
  }

  void written() {
    request_ = Request();
    flow_.reset();
    if (keep_alive_ && !server_.draining_) return wait();
    error_code ignored;
    stream_.socket().shutdown(Socket::shutdown_send, ignored);
    stream_.expires_after(kEnding);
    throw_away();
  }

  // Closing while something is unread would take the answer away from the client.
  void throw_away() {
    buffer_.consume(buffer_.size());
    stream_.async_read_some(buffer_.prepare(kPiece), step([](Connection& self, const error_code& error, std::size_t size) {
                              self.thrown_away_ += size;
                              if (error || self.thrown_away_ > kMostThrownAway) return self.close();
                              self.throw_away();
                            }));
  }

  void fail(const error_code& error) {
    const bool is_of_client = error.category() == http::make_error_code(http::error::bad_method).category();
    if (!is_of_client || error == http::error::end_of_stream || error == http::error::partial_message) return close();
    answer(refusal(status_of(error)), false);
  }

  void leave() {
    forget();
    if (place_) server_.connections_.erase(*std::exchange(place_, std::nullopt));
  }

  BeastServer& server_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<std::list<std::shared_ptr<Connection>>::iterator> place_;  // none: it was closed
  const Route* route_ = nullptr;
  Request request_;
  struct Piece {
    std::string text;
    std::size_t charge = 0;  // bytes of it that the Flow counts
  };
  std::string method_;
  std::deque<Piece> pieces_;
  std::shared_ptr<Flow> flow_;  // while a request is answered later
  bool is_writing_ = false;
  bool is_last_ = true;  // nothing follows the pieces
  bool is_chunked_ = false;
  std::size_t thrown_away_ = 0;
  const bool from_here_;
  bool is_idle_ = true;
  bool keep_alive_ = false;
};

void BeastServer::accept_when_ready() {
  listener_.async_wait(asio::posix::descriptor_base::wait_read, [this](const error_code& error) {
    if (!error) accept();
  });
}

// One at a time: a further accept4() without anybody who connects might fail for lack of descriptors first.
void BeastServer::accept() {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  base::UniqueFd fd(::accept4(listener_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
    // The listener stays readable: without a pause, this thread would do nothing else.
    make_room();
    pause_.expires_after(kPauseWithoutDescriptors);
    pause_.async_wait([this](const error_code& error) {
      if (!error) accept_when_ready();
    });
    return;
  }
  if (fd) take(std::move(fd), size == sizeof(sa_family_t) ? AF_UNIX : peer.ss_family, peer);
  accept_when_ready();
}

void BeastServer::take(base::UniqueFd fd, int family, const sockaddr_storage& peer) {
  while (connections_.size() >= limits_.connections) make_room();
  Socket socket(io_.get_executor());
  error_code error;
  socket.assign(asio::generic::stream_protocol(family, family == AF_UNIX ? 0 : IPPROTO_TCP), fd.get(), error);
  if (error) return;
  static_cast<void>(fd.release());
  connections_.push_back(std::make_shared<Connection>(*this, std::move(socket), family == AF_UNIX || is_here(peer)));
  connections_.back()->begin(std::prev(connections_.end()));
}

void BeastServer::make_room() {
  const auto idle = std::ranges::find_if(connections_, [](const auto& one) { return one->is_idle(); });
  const auto oldest = idle != connections_.end() ? idle : connections_.begin();
  if (oldest == connections_.end()) return;
  const std::shared_ptr<Connection> one = *oldest;
  one->close();
}

// Exchanges may outlive the server, and must not wait for it.
void BeastServer::leave_all() {
  for (const auto& one : connections_) one->forget();
}

bool BeastServer::drain(base::Monotonic deadline) {
  loop_->post([this] {
    draining_ = true;
    error_code ignored;
    listener_.close(ignored);
    pause_.cancel();
    for (const auto& one : std::vector(connections_.begin(), connections_.end()))
      if (one->is_idle()) one->close();
  });
  const base::Duration left = std::max<base::Duration>(deadline - clock_.monotonic(), 0);
  const bool all = ended_.get_future().wait_for(std::chrono::nanoseconds(left)) == std::future_status::ready;
  loop_->end();
  io_.stop();
  if (thread_.joinable()) thread_.join();
  return all;
}

Result<std::unique_ptr<Server>> Server::start(const Address& address, std::vector<Route> routes, const base::Clock& clock,
                                              Options options) {
  Address bound = address;
  auto listener = listen_on(bound);
  if (!listener) return std::move(listener).error();
  try {
    auto server =
        std::make_unique<BeastServer>(std::move(bound), *std::move(listener), std::move(routes), clock, std::move(options));
    if (auto running = server->run(); !running) return std::move(running).error();
    return std::unique_ptr<Server>(std::move(server));
  } catch (const boost::system::system_error& error) {
    return base::io_error(error.code().value(), fmt::format("listen on '{}'", address.text()));
  }
}

}  // namespace weir::httpd
