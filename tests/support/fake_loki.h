// The push side of a Loki on a free port of 127.0.0.1, with scripted replies. Remembers what it was sent, decoded.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::test {

struct PushedEntry {
  std::int64_t timestamp = 0;
  std::string line;
  std::vector<std::pair<std::string, std::string>> metadata;
  friend bool operator==(const PushedEntry&, const PushedEntry&) = default;
};

struct PushedStream {
  std::string labels;
  std::vector<PushedEntry> entries;
};

struct PushedRequest {
  std::string path;                            // with its query
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // as it came
  std::vector<PushedStream> streams;
  int status = 0;  // what it was answered, 0 for a dropped connection

  [[nodiscard]] std::string header(const std::string& name) const;
};

struct ScriptedReply {
  int status = 204;  // 0 drops the connection
  std::string body = {};
  std::map<std::string, std::string> headers = {};
  std::chrono::milliseconds delay{0};
};

// Methods may be called from any thread.
class FakeLoki {
 public:
  FakeLoki();
  ~FakeLoki();
  FakeLoki(const FakeLoki&) = delete;  // has threads
  FakeLoki& operator=(const FakeLoki&) = delete;

  [[nodiscard]] std::string url() const;  // http://127.0.0.1:PORT

  // For the next requests in the order of their arrival; then 204.
  void script(std::vector<ScriptedReply> replies);
  // Asked instead of the script where it answers; called on the server's threads.
  void decide(std::function<ScriptedReply(const PushedRequest&)> decide);

  [[nodiscard]] std::vector<PushedRequest> requests() const;
  // Of requests answered with 2xx, per "tenant labels", the lines in the order of arrival.
  [[nodiscard]] std::map<std::string, std::vector<std::string>> lines() const;
  // The most requests that were handled at the same time, and the most of one stream.
  [[nodiscard]] int most_at_once() const;
  [[nodiscard]] int most_of_one_stream() const;

 private:
  struct Server;
  std::unique_ptr<Server> server_;
};

// Decodes a body: snappy, protobuf. Throws std::runtime_error for what is neither.
std::vector<PushedStream> decode_push(const std::string& body);

}  // namespace weir::test
