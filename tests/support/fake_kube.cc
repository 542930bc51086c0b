#include "support/fake_kube.h"

#include "base/percent.h"
#include "base/unique_fd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

namespace weir::test {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::map<std::string, std::string> query_of(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    const auto equal = std::min(pair.find('='), pair.size());
    query[base::percent_decode(pair.substr(0, equal))] = base::percent_decode(pair.substr(std::min(equal + 1, pair.size())));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return query;
}

std::string with_version(std::string object, std::uint64_t version) {
  constexpr std::string_view kMark = "VERSION";
  if (const auto at = object.find(kMark); at != std::string::npos) object.replace(at, kMark.size(), std::to_string(version));
  return object;
}

std::string event_json(std::string_view type, std::string_view object) {
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, object);
}

std::string status_json(int code, std::string_view reason, std::string_view message) {
  return fmt::format(
      R"({{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{}","reason":"{}","code":{}}})", message,
      reason, code);
}

constexpr auto kPatience = std::chrono::seconds(20);

}  // namespace

std::string KubeRequest::parameter(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

std::string KubeRequest::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

struct FakeKube::Server {
  struct Event {
    std::uint64_t version;
    std::string text;
  };
  struct Connection {
    int fd;
    bool watching = false;
    std::deque<std::string> queue;  // for a watch
    bool ends = false;              // the watch ends properly
  };

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::string> objects;
  std::vector<Event> events;
  std::uint64_t version = 100, oldest = 100;  // watches may begin at `oldest`
  std::function<KubeReply(const KubeRequest&)> decide;
  bool hangs = false, stopping = false;
  std::size_t piece = 1 << 20;
  std::vector<KubeRequest> requests;
  std::map<int, Connection*> connections;
  int accepted = 0;
  std::uint16_t port = 0;
  base::UniqueFd listener;
  std::thread acceptor;
  std::vector<std::thread> threads;

  void listen() {
    listener.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener.get(), 64) != 0 ||
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port = ntohs(address.sin_port);
    stopping = false;
    acceptor = std::thread([this] { accept_all(); });
  }

  void close() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      for (auto& [number, connection] : connections) ::shutdown(connection->fd, SHUT_RDWR);
    }
    changed.notify_all();
    ::shutdown(listener.get(), SHUT_RDWR);
    if (acceptor.joinable()) acceptor.join();
    listener.reset();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }

  void accept_all() {
    while (true) {
      const int fd = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::lock_guard lock(mutex);
      if (stopping) {
        ::close(fd);
        return;
      }
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const int number = ++accepted;
      threads.emplace_back([this, fd, number] { serve(fd, number); });
    }
  }

  bool send(int fd, std::string_view bytes) const {
    std::size_t most = 0;
    {
      const std::lock_guard lock(mutex);
      most = piece;
    }
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd, bytes.data(), std::min(most, bytes.size()), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  std::optional<KubeRequest> read(int fd, std::string& rest, int number) const {
    std::array<char, 4096> block{};
    const auto more = [&] {
      const ssize_t got = ::recv(fd, block.data(), block.size(), 0);
      if (got > 0) rest.append(block.data(), static_cast<std::size_t>(got));
      return got > 0;
    };
    while (rest.find("\r\n\r\n") == std::string::npos) {
      if (!more()) return std::nullopt;
    }
    KubeRequest request;
    request.connection = number;
    const std::size_t head = rest.find("\r\n\r\n");
    std::string_view text(rest.data(), head);
    const std::string_view line = text.substr(0, text.find("\r\n"));
    request.method = line.substr(0, line.find(' '));
    std::string_view target = line.substr(request.method.size() + 1);
    target = target.substr(0, target.find(' '));
    const auto mark = std::min(target.find('?'), target.size());
    request.path = target.substr(0, mark);
    request.query = query_of(target.substr(std::min(mark + 1, target.size())));
    while (true) {
      const auto end = text.find("\r\n");
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 2);
      const std::string_view header = text.substr(0, text.find("\r\n"));
      const auto colon = header.find(": ");
      if (colon != std::string_view::npos) request.headers[lower(std::string(header.substr(0, colon)))] = header.substr(colon + 2);
    }
    const std::string length = request.header("content-length");
    const std::size_t size = length.empty() ? 0 : std::stoul(length);
    while (rest.size() < head + 4 + size) {
      if (!more()) return std::nullopt;
    }
    request.body = rest.substr(head + 4, size);
    rest.erase(0, head + 4 + size);
    return request;
  }

  void serve(int fd, int number) {
    Connection connection{fd};
    {
      const std::lock_guard lock(mutex);
      connections[number] = &connection;
    }
    std::string rest;
    while (auto request = read(fd, rest, number)) {
      if (!answer(connection, *request)) break;
    }
    {
      const std::lock_guard lock(mutex);
      connections.erase(number);
    }
    ::close(fd);
    changed.notify_all();
  }

  // False: the connection ends.
  bool answer(Connection& connection, const KubeRequest& request) {
    std::function<KubeReply(const KubeRequest&)> ask;
    {
      std::unique_lock lock(mutex);
      requests.push_back(request);
      ask = decide;
      changed.notify_all();
      changed.wait(lock, [&] { return !hangs || stopping; });
      if (stopping) return false;
    }
    if (ask) {
      const KubeReply reply = ask(request);
      if (reply.status != 0) return reply_with(connection.fd, reply);
    }
    return request.watch() ? watch(connection, request) : reply_with(connection.fd, {200, list(request), {}});
  }

  bool reply_with(int fd, const KubeReply& reply) const {
    std::string head = fmt::format("HTTP/1.1 {} Whatever\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", reply.status,
                                   reply.body.size());
    for (const auto& [name, value] : reply.headers) head += fmt::format("{}: {}\r\n", name, value);
    return send(fd, head + "\r\n" + reply.body);
  }

  [[nodiscard]] std::string list(const KubeRequest& request) const {
    const std::lock_guard lock(mutex);
    const bool metadata = request.header("accept").find("PartialObjectMetadataList") != std::string::npos;
    std::string body = fmt::format(R"({{"kind":"{}","apiVersion":"v1","metadata":{{"resourceVersion":"{}"}},"items":[)",
                                   metadata ? "PartialObjectMetadataList" : "List", version);
    bool first = true;
    for (const auto& [name, object] : objects) {
      if (!std::exchange(first, false)) body += ',';
      body += object;
    }
    return body + "]}\n";
  }

  bool watch(Connection& connection, const KubeRequest& request) {
    const std::string from_text = request.parameter("resourceVersion");
    {
      const std::lock_guard lock(mutex);
      const std::uint64_t from = from_text.empty() ? version : std::stoull(from_text);
      if (from < oldest) {
        connection.queue.push_back(
            event_json("ERROR", status_json(410, "Expired", fmt::format("too old resource version: {} ({})", from, oldest))));
        connection.ends = true;
      } else {
        for (const Event& event : events) {
          if (event.version > from) connection.queue.push_back(event.text);
        }
      }
      connection.watching = true;  // in the same moment: no event falls in between
    }
    if (!send(connection.fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"))
      return false;
    changed.notify_all();
    bool going = true;
    while (going) {
      std::string text;
      bool ends = false;
      {
        std::unique_lock lock(mutex);
        // So that a watch whose client has gone is not kept.
        changed.wait_for(lock, std::chrono::milliseconds(50),
                         [&] { return stopping || (!hangs && (!connection.queue.empty() || connection.ends)); });
        if (stopping) break;
        char none = 0;
        if (::recv(connection.fd, &none, 1, MSG_PEEK | MSG_DONTWAIT) == 0) break;
        if (hangs) continue;
        if (!connection.queue.empty()) {
          text = std::move(connection.queue.front());
          connection.queue.pop_front();
        } else {
          ends = connection.ends;
        }
      }
      if (!text.empty()) going = send(connection.fd, fmt::format("{:x}\r\n{}\r\n", text.size(), text));
      if (ends) {
        const std::lock_guard lock(mutex);
        connection.watching = connection.ends = false;
        break;
      }
    }
    {
      const std::lock_guard lock(mutex);
      if (connection.watching || stopping || !going) {
        connection.watching = false;
        return false;
      }
    }
    changed.notify_all();
    return send(connection.fd, "0\r\n\r\n");
  }

  void tell(const std::string& text) {
    for (auto& [number, connection] : connections) {
      if (connection->watching) connection->queue.push_back(text);
    }
  }
};

FakeKube::FakeKube() : server_(std::make_unique<Server>()) { server_->listen(); }
FakeKube::~FakeKube() { server_->close(); }
std::string FakeKube::url() const { return "http://127.0.0.1:" + std::to_string(server_->port); }

void FakeKube::put(const std::string& name, const std::string& object) {
  {
    const std::lock_guard lock(server_->mutex);
    const std::string text = with_version(object, ++server_->version);
    const bool there = server_->objects.count(name) != 0;
    server_->objects[name] = text;
    server_->events.push_back({server_->version, event_json(there ? "MODIFIED" : "ADDED", text)});
    server_->tell(server_->events.back().text);
  }
  server_->changed.notify_all();
}

void FakeKube::remove(const std::string& name) {
  {
    const std::lock_guard lock(server_->mutex);
    const auto found = server_->objects.find(name);
    if (found == server_->objects.end()) return;
    // The last state, with the version of the deletion.
    std::string object = found->second;
    constexpr std::string_view kKey = "\"resourceVersion\":\"";
    if (const auto at = object.find(kKey); at != std::string::npos) {
      const auto begin = at + kKey.size();
      object.replace(begin, object.find('"', begin) - begin, std::to_string(++server_->version));
    }
    server_->objects.erase(found);
    server_->events.push_back({server_->version, event_json("DELETED", object)});
    server_->tell(server_->events.back().text);
  }
  server_->changed.notify_all();
}

void FakeKube::bookmark() {
  {
    const std::lock_guard lock(server_->mutex);
    server_->tell(event_json(
        "BOOKMARK", fmt::format(R"({{"kind":"PartialObjectMetadata","metadata":{{"resourceVersion":"{}"}}}})", server_->version)));
  }
  server_->changed.notify_all();
}

void FakeKube::send(const std::string& bytes) {
  {
    const std::lock_guard lock(server_->mutex);
    server_->tell(bytes);
  }
  server_->changed.notify_all();
}

void FakeKube::compact() {
  const std::lock_guard lock(server_->mutex);
  server_->oldest = ++server_->version;
  server_->events.clear();
}

std::string FakeKube::version() const {
  const std::lock_guard lock(server_->mutex);
  return std::to_string(server_->version);
}

void FakeKube::decide(std::function<KubeReply(const KubeRequest&)> decide) {
  const std::lock_guard lock(server_->mutex);
  server_->decide = std::move(decide);
}

void FakeKube::hang(bool on) {
  {
    const std::lock_guard lock(server_->mutex);
    server_->hangs = on;
  }
  server_->changed.notify_all();
}

void FakeKube::cut() {
  const std::lock_guard lock(server_->mutex);
  for (auto& [number, connection] : server_->connections) ::shutdown(connection->fd, SHUT_RDWR);
}

void FakeKube::end_watches() {
  {
    const std::lock_guard lock(server_->mutex);
    for (auto& [number, connection] : server_->connections) connection->ends = connection->watching;
  }
  server_->changed.notify_all();
}

void FakeKube::pieces_of(std::size_t bytes) {
  const std::lock_guard lock(server_->mutex);
  server_->piece = bytes;
}

void FakeKube::stop() { server_->close(); }
void FakeKube::start_again() { server_->listen(); }

std::vector<KubeRequest> FakeKube::requests() const {
  const std::lock_guard lock(server_->mutex);
  return server_->requests;
}

std::size_t FakeKube::lists() const {
  const auto all = requests();
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const auto& one) { return !one.watch(); }));
}

std::size_t FakeKube::watches() const {
  const auto all = requests();
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const auto& one) { return one.watch(); }));
}

std::size_t FakeKube::open_watches() const {
  const std::lock_guard lock(server_->mutex);
  std::size_t count = 0;
  for (const auto& [number, connection] : server_->connections) count += connection->watching ? 1 : 0;
  return count;
}

int FakeKube::connections() const {
  const std::lock_guard lock(server_->mutex);
  return server_->accepted;
}

std::string pod_json(std::string_view uid, std::string_view namespace_name, std::string_view name, std::string_view labels,
                     std::string_view annotations, std::string_view more) {
  return fmt::format(
      R"({{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{{"name":"{}","namespace":"{}","uid":"{}",)"
      R"("resourceVersion":"VERSION","creationTimestamp":"2026-11-30T05:00:00Z","labels":{{{}}},"annotations":{{{}}}{}}}}})",
      name, namespace_name, uid, labels, annotations, more);
}

bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace weir::test
