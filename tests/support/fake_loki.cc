#include "support/fake_loki.h"

#include <httplib.h>
#include <snappy.h>
#include <protozero/pbf_reader.hpp>

#include <algorithm>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace weir::test {
namespace {

PushedEntry decode_entry(protozero::pbf_reader message) {
  PushedEntry entry;
  while (message.next()) {
    if (message.tag() == 1) {
      auto time = message.get_message();
      while (time.next()) {
        if (time.tag() == 1) {
          entry.timestamp += time.get_int64() * 1'000'000'000;
        } else {
          entry.timestamp += time.get_int32();
        }
      }
    } else if (message.tag() == 2) {
      entry.line = message.get_string();
    } else if (message.tag() == 3) {
      auto pair = message.get_message();
      std::pair<std::string, std::string> read;
      while (pair.next()) {
        auto& part = pair.tag() == 1 ? read.first : read.second;
        part = pair.get_string();
      }
      entry.metadata.push_back(std::move(read));
    } else {
      throw std::runtime_error("an entry has an unknown field");
    }
  }
  return entry;
}

}  // namespace

std::vector<PushedStream> decode_push(const std::string& body) {
  std::string bytes;
  if (!snappy::Uncompress(body.data(), body.size(), &bytes)) throw std::runtime_error("no snappy block");
  std::vector<PushedStream> streams;
  protozero::pbf_reader request(bytes);
  while (request.next(1)) {
    auto message = request.get_message();
    PushedStream stream;
    while (message.next()) {
      if (message.tag() == 1) {
        stream.labels = message.get_string();
      } else if (message.tag() == 2) {
        stream.entries.push_back(decode_entry(message.get_message()));
      } else {
        throw std::runtime_error("a stream has an unknown field");
      }
    }
    streams.push_back(std::move(stream));
  }
  return streams;
}

std::string PushedRequest::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

struct FakeLoki::Server {
  httplib::Server http;
  std::thread thread;
  int port = 0;
  mutable std::mutex mutex;
  std::deque<ScriptedReply> replies;
  std::function<ScriptedReply(const PushedRequest&)> decide;
  std::vector<PushedRequest> requests;
  std::map<std::string, int> flying;  // by stream
  int now = 0, most = 0, most_of_stream = 0;

  void handle(const httplib::Request& in, httplib::Response& out) {
    PushedRequest request;
    request.path = in.target;
    for (const auto& [name, value] : in.headers) {
      std::string lower = name;
      std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
      request.headers[lower] = value;
    }
    request.body = in.body;
    try {
      request.streams = decode_push(in.body);
    } catch (const std::exception& error) {
      out.status = 400;
      out.body = error.what();
      return;
    }
    ScriptedReply reply;
    {
      const std::lock_guard lock(mutex);
      most = std::max(most, ++now);
      for (const PushedStream& stream : request.streams)
        most_of_stream = std::max(most_of_stream, ++flying[request.header("x-scope-orgid") + " " + stream.labels]);
      if (!replies.empty()) {
        reply = replies.front();
        replies.pop_front();
      } else if (decide) {
        reply = decide(request);
      }
    }
    if (reply.delay.count() > 0) std::this_thread::sleep_for(reply.delay);
    request.status = reply.status;
    {
      const std::lock_guard lock(mutex);
      --now;
      for (const PushedStream& stream : request.streams) --flying[request.header("x-scope-orgid") + " " + stream.labels];
      requests.push_back(std::move(request));
    }
    if (reply.status == 0) {
      // Promises a body and breaks off.
      out.status = 200;
      out.set_content_provider(1 << 20, "text/plain", [](size_t, size_t, httplib::DataSink&) { return false; });
      return;
    }
    out.status = reply.status;
    for (const auto& [name, value] : reply.headers) out.set_header(name.c_str(), value);
    if (!reply.body.empty()) out.set_content(reply.body, "text/plain; charset=utf-8");
  }
};

FakeLoki::FakeLoki() : server_(std::make_unique<Server>()) {
  Server& server = *server_;
  server.http.set_keep_alive_max_count(1'000'000);
  server.http.set_tcp_nodelay(true);
  server.http.new_task_queue = [] { return new httplib::ThreadPool(16); };
  server.http.Post(".*", [&server](const httplib::Request& in, httplib::Response& out) { server.handle(in, out); });
  server.port = server.http.bind_to_any_port("127.0.0.1");
  server.thread = std::thread([&server] { server.http.listen_after_bind(); });
  while (!server.http.is_running()) std::this_thread::yield();
}

FakeLoki::~FakeLoki() {
  server_->http.stop();
  server_->thread.join();
}

std::string FakeLoki::url() const { return "http://127.0.0.1:" + std::to_string(server_->port); }

void FakeLoki::script(std::vector<ScriptedReply> replies) {
  const std::lock_guard lock(server_->mutex);
  server_->replies.assign(replies.begin(), replies.end());
}

void FakeLoki::decide(std::function<ScriptedReply(const PushedRequest&)> decide) {
  const std::lock_guard lock(server_->mutex);
  server_->decide = std::move(decide);
}

std::vector<PushedRequest> FakeLoki::requests() const {
  const std::lock_guard lock(server_->mutex);
  return server_->requests;
}

std::map<std::string, std::vector<std::string>> FakeLoki::lines() const {
  const std::lock_guard lock(server_->mutex);
  std::map<std::string, std::vector<std::string>> lines;
  for (const PushedRequest& request : server_->requests) {
    if (request.status < 200 || request.status >= 300) continue;
    for (const PushedStream& stream : request.streams)
      for (const PushedEntry& entry : stream.entries)
        lines[request.header("x-scope-orgid") + " " + stream.labels].push_back(entry.line);
  }
  return lines;
}

int FakeLoki::most_at_once() const {
  const std::lock_guard lock(server_->mutex);
  return server_->most;
}

int FakeLoki::most_of_one_stream() const {
  const std::lock_guard lock(server_->mutex);
  return server_->most_of_stream;
}

}  // namespace weir::test
