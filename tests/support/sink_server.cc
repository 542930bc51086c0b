// weir_sink: a push target that stores nothing, for tests and benchmarks that need no Loki. Listens on a free loopback port,
// prints its URL as the first line, and ends when its standard input does.
//
//   weir_sink [--record FILE]
//
// POST …/push    decodes the body as Loki does (snappy, protobuf) and answers 204; 400 when it cannot
// GET /stats     {"requests":…,"entries":…,"bytes":…,"tenants":{…},"last_arrival_ns":…}, arrival on CLOCK_REALTIME
// POST /fail?status=500&count=2    the next two pushes get that status and are not stored
// POST /limit?stream=TEXT          pushes with a stream whose labels hold TEXT get Loki's 429 for it; no TEXT: none any more
// With --record each entry is a line {"labels":"{…}","timestamp":NS,"line":…,"metadata":{…},"tenant":…} of FILE, in order of
// arrival; bytes of a line that are not printable ASCII are written as \u00XX, one for each byte.
#include <snappy.h>
#include <protozero/pbf_reader.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

std::int64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

void quote(std::string_view bytes, std::string& out) {
  out += '"';
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u > 0x7e || c == '"' || c == '\\') {
      char text[8];
      std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(u));
      out += text;
    } else {
      out += c;
    }
  }
  out += '"';
}

struct State {
  std::mutex mutex;
  std::uint64_t requests = 0, entries = 0, bytes = 0;
  std::int64_t last_arrival = 0;
  std::map<std::string, std::uint64_t> tenants;
  int fail_status = 0, fail_count = 0;
  std::string limit;  // in the labels of streams that are not taken
  std::FILE* record = nullptr;
};

// Counts the entries of one push body and appends their text to `record`. Throws on a body that is none.
void decode(const std::string& body, std::string_view tenant, bool keep, std::vector<std::string>& streams, std::uint64_t& entries,
            std::uint64_t& bytes, std::string& record) {
  std::string raw;
  if (!snappy::Uncompress(body.data(), body.size(), &raw)) throw std::runtime_error("the body is not snappy");
  protozero::pbf_reader request(raw);
  while (request.next(1)) {
    protozero::pbf_reader stream = request.get_message();
    std::string labels;
    while (stream.next()) {
      if (stream.tag() == 1) {
        labels = stream.get_string();
        streams.push_back(labels);
        continue;
      }
      if (stream.tag() != 2) {
        stream.skip();
        continue;
      }
      protozero::pbf_reader entry = stream.get_message();
      std::int64_t timestamp = 0;
      std::string_view line;
      std::string metadata;
      while (entry.next()) {
        if (entry.tag() == 1) {
          protozero::pbf_reader time = entry.get_message();
          while (time.next()) timestamp += time.tag() == 1 ? time.get_int64() * 1'000'000'000 : time.get_int32();
        } else if (entry.tag() == 2) {
          const auto view = entry.get_view();
          line = {view.data(), view.size()};
        } else if (entry.tag() == 3) {
          protozero::pbf_reader pair = entry.get_message();
          std::string name, value;
          while (pair.next()) (pair.tag() == 1 ? name : value) = pair.get_string();
          if (keep) {
            if (!metadata.empty()) metadata += ',';
            quote(name, metadata);
            metadata += ':';
            quote(value, metadata);
          }
        } else {
          entry.skip();
        }
      }
      ++entries;
      bytes += line.size();
      if (keep) {
        record += R"({"labels":)";
        quote(labels, record);
        record += R"(,"timestamp":)" + std::to_string(timestamp) + R"(,"line":)";
        quote(line, record);
        record += R"(,"metadata":{)" + metadata + R"(},"tenant":)";
        quote(tenant, record);
        record += "}\n";
      }
    }
  }
}

struct Request {
  std::string method, target, body;
  std::map<std::string, std::string> headers;  // names in lower case
};

class Connection {
 public:
  Connection(int fd, State& state) : fd_(fd), state_(state) {}
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void serve() {
    Request request;
    while (read(request)) {
      std::string body;
      const int status = answer(request, body);
      std::string head = "HTTP/1.1 " + std::to_string(status) + (status < 300 ? " OK" : " Refused");
      if (status != 204) head += "\r\nContent-Length: " + std::to_string(body.size());
      if (!send(head + "\r\n\r\n" + body)) return;
    }
  }

 private:
  bool more() {
    char bytes[65536];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    input_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  bool read(Request& request) {
    std::size_t end;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return false;
    }
    request = {};
    std::string_view head(input_.data(), end);
    const auto line_end = std::min(head.find("\r\n"), head.size());
    const std::string_view first = head.substr(0, line_end);
    const auto space = first.find(' ');
    request.method = first.substr(0, space);
    request.target = first.substr(space + 1, first.rfind(' ') - space - 1);
    for (head.remove_prefix(std::min(line_end + 2, head.size())); !head.empty();) {
      const auto stop = std::min(head.find("\r\n"), head.size());
      const std::string_view line = head.substr(0, stop);
      if (const auto colon = line.find(':'); colon != std::string_view::npos) {
        std::string name(line.substr(0, colon));
        for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        const auto value = std::min(line.find_first_not_of(' ', colon + 1), line.size());
        request.headers[name] = line.substr(value);
      }
      head.remove_prefix(std::min(stop + 2, head.size()));
    }
    input_.erase(0, end + 4);
    if (request.headers.count("expect") != 0 && !send("HTTP/1.1 100 Continue\r\n\r\n")) return false;
    const auto size = request.headers.count("content-length") != 0 ? std::stoul(request.headers["content-length"]) : 0;
    while (input_.size() < size) {
      if (!more()) return false;
    }
    request.body = input_.substr(0, size);
    input_.erase(0, size);
    return true;
  }

  int answer(const Request& request, std::string& body) {
    if (request.target == "/ready") {
      body = "ready\n";
      return 200;
    }
    if (request.target == "/stats") {
      const std::lock_guard lock(state_.mutex);
      body = "{\"requests\":" + std::to_string(state_.requests) + ",\"entries\":" + std::to_string(state_.entries) +
             ",\"bytes\":" + std::to_string(state_.bytes) + ",\"last_arrival_ns\":" + std::to_string(state_.last_arrival) +
             ",\"tenants\":{";
      bool comma = false;
      for (const auto& [tenant, entries] : state_.tenants) {
        if (comma) body += ',';
        comma = true;
        quote(tenant, body);
        body += ':' + std::to_string(entries);
      }
      body += "}}\n";
      return 200;
    }
    if (request.method == "POST" && request.target.rfind("/fail?", 0) == 0) {
      const std::lock_guard lock(state_.mutex);
      if (std::sscanf(request.target.c_str(), "/fail?status=%d&count=%d", &state_.fail_status, &state_.fail_count) != 2) return 400;
      return 200;
    }
    if (request.method == "POST" && request.target.rfind("/limit?stream=", 0) == 0) {
      const std::lock_guard lock(state_.mutex);
      state_.limit = request.target.substr(14);
      return 200;
    }
    if (request.method == "POST" && request.target.find("/push") != std::string::npos) return push(request, body);
    return 404;
  }

  int push(const Request& request, std::string& body) {
    const std::int64_t arrival = now_ns();
    {
      const std::lock_guard lock(state_.mutex);
      ++state_.requests;
      if (state_.fail_count > 0) {
        --state_.fail_count;
        body = "refused on request\n";
        return state_.fail_status;
      }
    }
    const auto header = request.headers.find("x-scope-orgid");
    const std::string tenant = header == request.headers.end() ? "" : header->second;
    std::uint64_t entries = 0, bytes = 0;
    std::string record;
    std::vector<std::string> streams;
    try {
      decode(request.body, tenant, state_.record != nullptr, streams, entries, bytes, record);
    } catch (const std::exception& error) {
      body = std::string(error.what()) + "\n";
      return 400;
    }
    const std::lock_guard lock(state_.mutex);
    for (const std::string& stream : streams) {
      if (state_.limit.empty() || stream.find(state_.limit) == std::string::npos) continue;
      body =
          "maximum active stream limit exceeded when trying to create stream " + stream + ", reduce the number of active streams\n";
      return 429;
    }
    state_.entries += entries;
    state_.bytes += bytes;
    state_.tenants[tenant] += entries;
    state_.last_arrival = arrival;
    if (state_.record != nullptr) {
      std::fwrite(record.data(), 1, record.size(), state_.record);
      std::fflush(state_.record);
    }
    return 204;
  }

  int fd_;
  State& state_;
  std::string input_;
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(4);
}

}  // namespace

int main(int argc, char** argv) {
  static State state;  // outlives the threads of connections still open at the end
  if (argc == 3 && std::strcmp(argv[1], "--record") == 0) {
    state.record = std::fopen(argv[2], "wb");
    if (state.record == nullptr) die("weir_sink: cannot create the record file");
  } else if (argc != 1) {
    std::fputs("usage: weir_sink [--record FILE]\n", stderr);
    return 2;
  }
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (listener < 0 || ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 64) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    die("weir_sink: cannot listen");
  }
  std::printf("http://127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  pollfd watched[2] = {{listener, POLLIN, 0}, {0, POLLIN, 0}};
  while (::poll(watched, 2, -1) >= 0) {
    char ignored[256];
    if (watched[1].revents != 0 && ::read(0, ignored, sizeof ignored) <= 0) break;
    if (watched[0].revents == 0) continue;
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::thread([fd] { Connection(fd, state).serve(); }).detach();
  }
  const std::lock_guard lock(state.mutex);
  if (state.record != nullptr) std::fflush(state.record);
  std::_Exit(0);
}
