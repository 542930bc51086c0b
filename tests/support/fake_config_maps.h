// The ConfigMaps of a Kubernetes API server on a free port of 127.0.0.1, in memory: get, list and watch of one name, create, patch
// with a resourceVersion.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::test {

// Methods may be called from any thread. Objects are named NAMESPACE/NAME.
class FakeConfigMaps {
 public:
  using Data = std::map<std::string, std::string>;

  FakeConfigMaps();
  ~FakeConfigMaps();
  FakeConfigMaps(const FakeConfigMaps&) = delete;  // has threads
  FakeConfigMaps& operator=(const FakeConfigMaps&) = delete;

  [[nodiscard]] std::string url() const;  // http://127.0.0.1:PORT

  void put(const std::string& object, Data data);
  void erase(const std::string& object);
  [[nodiscard]] std::optional<Data> get(const std::string& object) const;

  // From now on every request is answered so, watches too, until a call with 0. A body that is no Status where `reason` is "".
  void refuse(int status, const std::string& reason = "", const std::string& message = "");
  // Called before each create or patch is looked at, on a thread of the server.
  void before_write(std::function<void()> act);

  struct Request {
    std::string method, path, query, body;
  };
  [[nodiscard]] std::vector<Request> requests() const;
  [[nodiscard]] int open_watches() const;

 private:
  struct Server;
  std::unique_ptr<Server> server_;
};

}  // namespace weir::test
