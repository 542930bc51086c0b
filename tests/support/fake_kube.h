// One collection of a Kubernetes API server on a free port of 127.0.0.1: lists it, watches it, and fails in every way that is asked
// for. What it is sent is remembered. Methods may be called from any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::test {

struct KubeRequest {
  std::string method;
  std::string path;                            // without its query
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  int connection = 0;  // the number of its connection, from 1

  [[nodiscard]] bool watch() const { return query.count("watch") != 0; }
  [[nodiscard]] std::string parameter(const std::string& name) const;
  [[nodiscard]] std::string header(const std::string& name) const;
};

struct KubeReply {
  int status = 200;
  std::string body = {};
  std::map<std::string, std::string> headers = {};
};

class FakeKube {
 public:
  FakeKube();
  ~FakeKube();
  FakeKube(const FakeKube&) = delete;  // has threads
  FakeKube& operator=(const FakeKube&) = delete;

  [[nodiscard]] std::string url() const;  // http://127.0.0.1:PORT

  // -- the collection --

  // Adds or changes an object: JSON with the text VERSION where its resourceVersion goes. Watches get ADDED or MODIFIED.
  void put(const std::string& name, const std::string& object);
  void remove(const std::string& name);  // DELETED
  void bookmark();                       // to all watches that are open
  void send(const std::string& bytes);   // to all watches that are open, as it is
  void compact();                        // watches from before now: 410 as an ERROR event
  [[nodiscard]] std::string version() const;

  // -- its faults --

  // Asked for each request; a status of 0 leaves it to the server. Called on the server's threads.
  void decide(std::function<KubeReply(const KubeRequest&)> decide);
  void hang(bool on);           // takes requests, answers nothing, and says nothing more on open watches
  void cut();                   // closes all connections
  void end_watches();           // as at their time: properly
  void pieces_of(std::size_t);  // sends in pieces of so many bytes
  void stop();                  // closes the port too
  void start_again();           // on the same port

  // -- what it saw --

  [[nodiscard]] std::vector<KubeRequest> requests() const;
  [[nodiscard]] std::size_t lists() const;
  [[nodiscard]] std::size_t watches() const;
  [[nodiscard]] std::size_t open_watches() const;
  [[nodiscard]] int connections() const;

 private:
  struct Server;
  std::unique_ptr<Server> server_;
};

// The JSON of a pod, for FakeKube::put. `labels` and `annotations` are the inside of JSON objects; `more` follows in metadata,
// with a comma in front.
std::string pod_json(std::string_view uid, std::string_view namespace_name, std::string_view name, std::string_view labels = "",
                     std::string_view annotations = "", std::string_view more = "");

// Waits up to 20 seconds until it holds.
bool eventually(const std::function<bool()>& holds);

}  // namespace weir::test
