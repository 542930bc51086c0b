#include "httpd/server.h"

#include "base/thread.h"
#include "base/unique_fd.h"
#include "httpd/connection.h"
#include "httpd/listener.h"
#include "httpd/peer.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <future>
#include <thread>
#include <utility>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>

namespace weir::httpd {
namespace {

using base::Result;

constexpr std::size_t kLeastBacklog = 128;
constexpr std::size_t kRefusedAtOnce = 16;  // beyond Limits::connections, while they are told so
constexpr auto kPauseWithoutDescriptors = std::chrono::seconds(1);
// Bytes of a connection that the kernel takes before they can be sent. Without a bound these are megabytes, for each client that
// reads slowly.
constexpr int kMostUnsentInKernel = 128 << 10;

class BeastServer : public Server {
 public:
  BeastServer(Address address, base::UniqueFd listener, std::vector<Route> routes, const base::Clock& clock, Options options,
              std::unique_ptr<Tls> tls)
      : parts_(std::move(address), std::move(routes), clock, std::move(options)),
        tls_(std::move(tls)),
        listener_(io_),
        pause_(io_) {
    listener_.assign(listener.release());
    parts_.loop = std::make_shared<Loop>([this](std::function<void()> work) { asio::post(io_, std::move(work)); });
  }

  ~BeastServer() override {
    parts_.loop->end();
    // On the thread that they belong to, so that whoever is told of their end is told there.
    if (thread_.joinable() && !is_drained_) asio::post(io_, [this] { stop(); });
    if (thread_.joinable()) thread_.join();
    if (!parts_.address.socket_path.empty()) ::unlink(parts_.address.socket_path.c_str());
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

  bool drain(base::Monotonic deadline, const std::function<bool()>& hurry) override {
    asio::post(io_, [this] {
      parts_.draining = true;
      stop_accepting();
      parts_.peers.drain();
    });
    const bool all = has_ended_by(deadline, hurry);
    parts_.loop->end();
    if (!all) asio::post(io_, [this] { stop(); });
    thread_.join();
    is_drained_ = true;
    return all;
  }

  [[nodiscard]] const Address& address() const override { return parts_.address; }

 private:
  bool has_ended_by(base::Monotonic deadline, const std::function<bool()>& hurry) {
    constexpr auto kAskAgain = std::chrono::milliseconds(50);
    const std::future<void> ended = ended_.get_future();
    const base::Duration left = std::max<base::Duration>(deadline - parts_.clock.monotonic(), 0);
    // The clock of the future must not overflow.
    const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(std::min(left, 24 * base::kHour));
    while (true) {
      const auto now = std::chrono::steady_clock::now();
      const auto until = hurry && hurry() ? now : hurry ? std::min(end, now + kAskAgain) : end;
      if (ended.wait_until(until) == std::future_status::ready) return true;
      if (until == now || until == end) return false;
    }
  }

  void stop_accepting() {
    error_code ignored;
    listener_.close(ignored);
    pause_.cancel();
  }

  void stop() {
    stop_accepting();
    parts_.peers.close();
    io_.stop();
  }

  void accept_when_ready() {
    listener_.async_wait(asio::posix::descriptor_base::wait_read, [this](const error_code& error) {
      if (!error) accept();
    });
  }

  // One at a time: a further accept4() without anybody who connects might fail for lack of descriptors first.
  void accept() {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    base::UniqueFd fd(
        ::accept4(listener_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
      // The listener stays readable: without a pause, this thread would do nothing else.
      parts_.peers.make_room();
      pause_.expires_after(kPauseWithoutDescriptors);
      pause_.async_wait([this](const error_code& error) {
        if (!error) accept_when_ready();
      });
      return;
    }
    if (fd) take(std::move(fd), size == sizeof(sa_family_t) ? AF_UNIX : peer.ss_family, peer);
    accept_when_ready();
  }

  void take(base::UniqueFd fd, int family, const sockaddr_storage& peer) {
    Welcome welcome = {.from_here = family == AF_UNIX || is_here(peer)};
    while (!welcome.is_refused && parts_.peers.size() >= parts_.limits.connections) welcome.is_refused = !parts_.peers.make_room();
    if (welcome.is_refused && parts_.peers.size() >= parts_.limits.connections + kRefusedAtOnce) return;
    if (family != AF_UNIX) {
      const int on = 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kMostUnsentInKernel, sizeof kMostUnsentInKernel);
    }
    std::unique_ptr<TlsSession> session;
    if (tls_) {
      session = tls_->accept(fd.get());
      if (!session) return;
    }
    Socket socket(io_.get_executor());
    error_code error;
    socket.assign(asio::generic::stream_protocol(family, family == AF_UNIX ? 0 : IPPROTO_TCP), fd.get(), error);
    if (error) return;
    static_cast<void>(fd.release());
    take_connection(parts_, Wire(std::move(socket), std::move(session)), welcome);
  }

  ServerParts parts_;
  std::unique_ptr<Tls> tls_;  // null: none
  asio::io_context io_{1};
  asio::posix::basic_stream_descriptor<Executor> listener_;
  Timer pause_;
  std::promise<void> ended_;
  bool is_drained_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const Address& address, std::vector<Route> routes, const base::Clock& clock,
                                              Options options) {
  std::unique_ptr<Tls> tls;
  if (!options.tls.certificate.empty()) {
    auto loaded = Tls::create(options.tls, options.diagnostics);
    if (!loaded) return std::move(loaded).error();
    tls = *std::move(loaded);
  }
  Address bound = address;
  auto listener = listen_on(bound, std::max(options.limits.connections, kLeastBacklog));
  if (!listener) return std::move(listener).error();
  try {
    auto server = std::make_unique<BeastServer>(std::move(bound), *std::move(listener), std::move(routes), clock,
                                                std::move(options), std::move(tls));
    if (auto running = server->run(); !running) return std::move(running).error();
    return std::unique_ptr<Server>(std::move(server));
  } catch (const boost::system::system_error& error) {
    return base::io_error(error.code().value(), fmt::format("listen on '{}'", address.text()));
  }
}

}  // namespace weir::httpd
