#include "httpd/server.h"

#include "base/percent.h"
#include "base/thread.h"
#include "base/unique_fd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <list>
#include <optional>
#include <thread>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
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

using base::Code;
using base::Result;
using boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
using Stream = beast::basic_stream<asio::generic::stream_protocol, Executor, beast::unlimited_rate_policy>;

constexpr int kBacklog = 128;
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

// An address as the system takes it.
struct SystemAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SystemAddress unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  SystemAddress all;
  all.size = sizeof address;
  std::memcpy(&all.storage, &address, sizeof address);
  return all;
}

Result<SystemAddress> resolve(const Address& address) {
  if (!address.socket_path.empty()) return unix_address(address.socket_path);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV | (is_ip_address(address.host) ? AI_NUMERICHOST : 0);
  // As everybody means it, whatever /etc/hosts puts first.
  const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(address.port).c_str(), &hints, &found); error != 0)
    return base::cannot(Code::io, fmt::format("listen on '{}'", address.text()), ::gai_strerror(error));
  SystemAddress first;
  first.size = found->ai_addrlen;
  std::memcpy(&first.storage, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return first;
}

// 0, or why nobody can connect to a Unix socket: ECONNREFUSED when a dead process left it behind.
int try_to_connect(const SystemAddress& address) {
  const base::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return errno;
  return ::connect(probe.get(), address.get(), address.size) == 0 ? 0 : errno;
}

std::string_view kind_of(mode_t mode) {
  if (S_ISREG(mode)) return "a file";
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISLNK(mode)) return "a symbolic link";
  return S_ISFIFO(mode) ? "a FIFO" : "a device";
}

// Removes a socket that a dead process left behind. Nothing else that stands at the path is touched.
Result<void> make_way_for(const Address& address, const SystemAddress& resolved) {
  const std::string what = fmt::format("listen on '{}'", address.text());
  const char* const path = address.socket_path.c_str();
  const auto taken = [&](std::string_view cause) { return base::cannot(Code::io, what, cause).with_hint("choose another path"); };
  struct stat status {};
  if (::lstat(path, &status) != 0) return {};  // bind() says what else is wrong with the path
  if (!S_ISSOCK(status.st_mode)) return taken(fmt::format("it is {}, not a socket", kind_of(status.st_mode)));
  const int error = try_to_connect(resolved);
  if (error == 0 || error == EAGAIN) return taken("another process listens there");  // EAGAIN: its queue is full
  if (error != ECONNREFUSED && error != ENOENT) return base::io_error(error, what).with_hint("choose another path");
  if (::unlink(path) != 0 && errno != ENOENT) return base::io_error(errno, what);
  return {};
}

Result<base::UniqueFd> listen_on(Address& address) {
  const auto failed = [&](int error) { return base::io_error(error, fmt::format("listen on '{}'", address.text())); };
  auto resolved = resolve(address);
  if (!resolved) return std::move(resolved).error();
  base::UniqueFd fd(::socket(resolved->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return failed(errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!address.socket_path.empty()) {
    if (auto free = make_way_for(address, *resolved); !free) return std::move(free).error();
  }
  if (::bind(fd.get(), resolved->get(), resolved->size) != 0) {
    const int error = errno;
    auto refused = failed(error);
    if (error == EADDRINUSE && address.socket_path.empty())
      return std::move(refused).with_hint("another process listens there; choose another port");
    if (error == EACCES && address.socket_path.empty())
      return std::move(refused).with_hint("ports below 1024 are for root; choose another port");
    if (error == EADDRNOTAVAIL) return std::move(refused).with_hint("this machine has no such address");
    return refused;
  }
  // Before listen(), nobody can connect.
  if (!address.socket_path.empty() && ::chmod(address.socket_path.c_str(), 0600) != 0) return failed(errno);
  if (::listen(fd.get(), kBacklog) != 0) return failed(errno);
  SystemAddress bound;
  bound.size = sizeof bound.storage;
  if (address.port == 0 && address.socket_path.empty() &&
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) == 0) {
    const auto* any = &bound.storage;
    address.port = ntohs(any->ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(any)->sin6_port
                                                    : reinterpret_cast<const sockaddr_in*>(any)->sin_port);
  }
  return fd;
}

bool is_here(const sockaddr_storage& peer) {
  const auto is_loopback = [](std::uint32_t ipv4) { return ntohl(ipv4) >> 24 == 127; };
  if (peer.ss_family == AF_INET) return is_loopback(reinterpret_cast<const sockaddr_in&>(peer).sin_addr.s_addr);
  if (peer.ss_family != AF_INET6) return false;
  const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  if (IN6_IS_ADDR_LOOPBACK(&address)) return true;
  std::uint32_t ipv4 = 0;
  std::memcpy(&ipv4, address.s6_addr + 12, sizeof ipv4);
  return IN6_IS_ADDR_V4MAPPED(&address) && is_loopback(ipv4);
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

Response refusal(int status) {
  return {.status = status, .body = fmt::format("{}\n", http::obsolete_reason(static_cast<http::status>(status)))};
}

}  // namespace

class BeastServer : public Server {
 public:
  BeastServer(Address address, base::UniqueFd listener, std::vector<Route> routes, const base::Clock& clock, const Limits& limits)
      : address_(std::move(address)), routes_(std::move(routes)), clock_(clock), limits_(limits), listener_(io_), pause_(io_) {
    listener_.assign(listener.release());
  }

  ~BeastServer() override {
    io_.stop();
    if (thread_.joinable()) thread_.join();
    if (!address_.socket_path.empty()) ::unlink(address_.socket_path.c_str());
  }

  Result<void> run() {
    accept_when_ready();
    auto thread = base::start_thread("answer HTTP requests", [this] { io_.run(); });
    if (!thread) return std::move(thread).error();
    thread_ = *std::move(thread);
    return {};
  }

  [[nodiscard]] const Address& address() const override { return address_; }

 private:
  class Connection;

  void accept_when_ready();
  void accept();
  void take(base::UniqueFd fd, int family, const sockaddr_storage& peer);
  void make_room();
  [[nodiscard]] const Route* find(const Request& request, Response& refused) const;

  Address address_;
  const std::vector<Route> routes_;
  const base::Clock& clock_;
  const Limits limits_;
  asio::io_context io_{1};
  asio::posix::basic_stream_descriptor<Executor> listener_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor> pause_;
  std::list<std::shared_ptr<Connection>> connections_;  // by the time of their last step, the oldest first
  std::thread thread_;
};

class BeastServer::Connection : public std::enable_shared_from_this<Connection> {
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
    const Target target = split_target(message.target());
    if (const std::string_view fault = find_host(target); !fault.empty())
      return answer({.status = 400, .body = fmt::format("{}\n", fault)}, false);
    const std::string_view path = target.path_and_query;
    const std::size_t mark = std::min(path.find('?'), path.size());
    request_.path = mark == 0 && target.authority ? "/" : base::percent_decode(path.substr(0, mark));
    request_.query = path.substr(std::min(mark + 1, path.size()));
    for (const auto& field : message) request_.headers.emplace_back(field.name_string(), field.value());

    Response refused;
    route_ = server_.find(request_, refused);
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

  void handle() { answer(route_->handler(request_), true); }

  // `whole`: the request was read to its end, so that another one may follow.
  void answer(Response response, bool whole) {
    moved();
    keep_alive_ = whole && parser_ && parser_->get().keep_alive();
    response_ = std::move(response);
    head_ = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n",
                        response_.status, std::string_view(http::obsolete_reason(static_cast<http::status>(response_.status))),
                        http_date(server_.clock_.wall()), response_.content_type, response_.body.size(),
                        keep_alive_ ? "keep-alive" : "close");
    head_ += "X-Content-Type-Options: nosniff\r\n";
    for (const auto& [name, value] : response_.headers) head_ += fmt::format("{}: {}\r\n", name, value);
    head_ += "\r\n";
    if (request_.method == "HEAD") response_.body.clear();
    limit(server_.limits_.write);
    const std::array<asio::const_buffer, 2> all = {asio::buffer(head_), asio::buffer(response_.body)};
    asio::async_write(stream_, all, step([](Connection& self, const error_code& error, std::size_t) {
                        if (error) return self.leave();
                        self.written();
                      }));
  }

  void written() {
    response_ = Response();
    request_ = Request();
    if (keep_alive_) return wait();
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
    if (place_) server_.connections_.erase(*std::exchange(place_, std::nullopt));
  }

  BeastServer& server_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<std::list<std::shared_ptr<Connection>>::iterator> place_;  // none: it was closed
  const Route* route_ = nullptr;
  Request request_;
  Response response_;
  std::string head_;
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

const Route* BeastServer::find(const Request& request, Response& refused) const {
  std::string allowed;
  for (const Route& route : routes_) {
    if (route.path != request.path) continue;
    if (route.method == request.method || (route.method == "GET" && request.method == "HEAD")) return &route;
    if (!allowed.empty()) allowed += ", ";
    allowed += route.method == "GET" ? "GET, HEAD" : route.method;
  }
  refused = refusal(allowed.empty() ? 404 : 405);
  if (!allowed.empty()) refused.headers.emplace_back("Allow", allowed);
  return nullptr;
}

Result<std::unique_ptr<Server>> Server::start(const Address& address, std::vector<Route> routes, const base::Clock& clock,
                                              const Limits& limits) {
  Address bound = address;
  auto listener = listen_on(bound);
  if (!listener) return std::move(listener).error();
  try {
    auto server = std::make_unique<BeastServer>(std::move(bound), *std::move(listener), std::move(routes), clock, limits);
    if (auto running = server->run(); !running) return std::move(running).error();
    return std::unique_ptr<Server>(std::move(server));
  } catch (const boost::system::system_error& error) {
    return base::io_error(error.code().value(), fmt::format("listen on '{}'", address.text()));
  }
}

}  // namespace weir::httpd
