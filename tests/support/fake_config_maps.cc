#include "support/fake_config_maps.h"

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace weir::test {

using nlohmann::json;

struct FakeConfigMaps::Server {
  struct Event {
    std::string object;  // NAMESPACE/NAME
    int version = 0;
    std::string text;
  };

  httplib::Server http;
  std::thread thread;
  int port = 0;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, json> objects;
  std::vector<Event> events;
  std::vector<Request> requests;
  std::function<void()> before_write;
  int version = 100, watches = 0;
  int refused = 0;
  std::string reason, message;
  bool closing = false;

  static json status(int code, const std::string& reason, const std::string& message) {
    return {{"kind", "Status"},   {"apiVersion", "v1"}, {"status", "Failure"},
            {"message", message}, {"reason", reason},   {"code", code}};
  }
  static void answer(httplib::Response& out, int code, const json& body) {
    out.status = code;
    out.set_content(body.dump(), "application/json");
  }
  void not_found(httplib::Response& out, const std::string& name) const {
    answer(out, 404, status(404, "NotFound", "configmaps \"" + name + "\" not found"));
  }

  // With the mutex held.
  json& touch(const std::string& object, const std::string& type) {
    json& it = objects[object];
    it["metadata"]["resourceVersion"] = std::to_string(++version);
    events.push_back({object, version, json{{"type", type}, {"object", it}}.dump() + "\n"});
    changed.notify_all();
    return it;
  }
  void put(const std::string& object, Data data) {
    const bool is_new = !objects.contains(object);
    json& it = objects[object];
    const auto slash = object.find('/');
    it["apiVersion"] = "v1";
    it["kind"] = "ConfigMap";
    it["metadata"]["namespace"] = object.substr(0, slash);
    it["metadata"]["name"] = object.substr(slash + 1);
    it["data"] = std::move(data);
    touch(object, is_new ? "ADDED" : "MODIFIED");
  }

  // True: answered.
  bool begin(const httplib::Request& in, httplib::Response& out) {
    const auto question = in.target.find('?');
    requests.push_back({in.method, in.path, question == std::string::npos ? "" : in.target.substr(question + 1), in.body});
    if (refused == 0) return false;
    if (reason.empty()) {
      out.status = refused;
      out.set_content("<html>no</html>", "text/html");
    } else {
      answer(out, refused, status(refused, reason, message));
    }
    return true;
  }

  void list(const httplib::Request& in, httplib::Response& out) {
    const std::string selector = in.get_param_value("fieldSelector");
    const std::string object = in.matches[1].str() + "/" + selector.substr(selector.find('=') + 1);
    const std::lock_guard lock(mutex);
    if (begin(in, out)) return;
    if (in.get_param_value("watch") == "1" || in.get_param_value("watch") == "true") {
      ++watches;
      auto from = std::make_shared<int>(std::stoi(in.get_param_value("resourceVersion")));
      out.set_chunked_content_provider(
          "application/json",
          [this, object, from](std::size_t, httplib::DataSink& sink) {
            std::string text;
            {
              std::unique_lock wait(mutex);
              const auto is_news = [&](const Event& event) { return event.version > *from && event.object == object; };
              changed.wait(wait, [&] { return closing || refused != 0 || std::any_of(events.begin(), events.end(), is_news); });
              if (closing || refused != 0) return false;
              for (const Event& event : events) {
                if (is_news(event)) text += event.text;
              }
              *from = version;
            }
            return sink.write(text.data(), text.size());
          },
          [this](bool) {
            const std::lock_guard again(mutex);
            --watches;
          });
      return;
    }
    json items = json::array();
    if (objects.contains(object)) items.push_back(objects[object]);
    answer(out, 200,
           {{"kind", "ConfigMapList"},
            {"apiVersion", "v1"},
            {"metadata", {{"resourceVersion", std::to_string(version)}}},
            {"items", items}});
  }

  void get(const httplib::Request& in, httplib::Response& out) {
    const std::lock_guard lock(mutex);
    if (begin(in, out)) return;
    const auto found = objects.find(in.matches[1].str() + "/" + in.matches[2].str());
    if (found == objects.end()) return not_found(out, in.matches[2]);
    answer(out, 200, found->second);
  }

  void run_before_write() {
    std::function<void()> act;
    {
      const std::lock_guard lock(mutex);
      act = before_write;
    }
    if (act) act();
  }

  void patch(const httplib::Request& in, httplib::Response& out) {
    run_before_write();
    const std::lock_guard lock(mutex);
    if (begin(in, out)) return;
    const std::string object = in.matches[1].str() + "/" + in.matches[2].str();
    const auto found = objects.find(object);
    if (found == objects.end()) return not_found(out, in.matches[2]);
    const json wanted = json::parse(in.body);
    if (wanted["metadata"].value("resourceVersion", "") != found->second["metadata"]["resourceVersion"]) {
      return answer(out, 409, status(409, "Conflict", "the object has been modified"));
    }
    found->second.merge_patch(wanted);
    answer(out, 200, touch(object, "MODIFIED"));
  }

  void create(const httplib::Request& in, httplib::Response& out) {
    run_before_write();
    const std::lock_guard lock(mutex);
    if (begin(in, out)) return;
    const json wanted = json::parse(in.body);
    const std::string name = wanted["metadata"]["name"];
    const std::string object = in.matches[1].str() + "/" + name;
    if (in.matches[1] == "nowhere") return answer(out, 404, status(404, "NotFound", "namespaces \"nowhere\" not found"));
    if (objects.contains(object)) return answer(out, 409, status(409, "AlreadyExists", "it exists"));
    put(object, wanted["data"].get<Data>());
    answer(out, 201, objects[object]);
  }
};

FakeConfigMaps::FakeConfigMaps() : server_(std::make_unique<Server>()) {
  Server& server = *server_;
  const std::string all = "/api/v1/namespaces/([^/]+)/configmaps", one = all + "/([^/]+)";
  server.http.set_tcp_nodelay(true);
  server.http.set_keep_alive_max_count(1'000'000);
  server.http.new_task_queue = [] { return new httplib::ThreadPool(16); };
  server.http.Get(all, [&server](const httplib::Request& in, httplib::Response& out) { server.list(in, out); });
  server.http.Get(one, [&server](const httplib::Request& in, httplib::Response& out) { server.get(in, out); });
  server.http.Patch(one, [&server](const httplib::Request& in, httplib::Response& out) { server.patch(in, out); });
  server.http.Post(all, [&server](const httplib::Request& in, httplib::Response& out) { server.create(in, out); });
  server.port = server.http.bind_to_any_port("127.0.0.1");
  server.thread = std::thread([&server] { server.http.listen_after_bind(); });
  while (!server.http.is_running()) std::this_thread::yield();
}

FakeConfigMaps::~FakeConfigMaps() {
  {
    const std::lock_guard lock(server_->mutex);
    server_->closing = true;
    server_->changed.notify_all();
  }
  server_->http.stop();
  server_->thread.join();
}

std::string FakeConfigMaps::url() const { return "http://127.0.0.1:" + std::to_string(server_->port); }

void FakeConfigMaps::put(const std::string& object, Data data) {
  const std::lock_guard lock(server_->mutex);
  server_->put(object, std::move(data));
}

void FakeConfigMaps::erase(const std::string& object) {
  const std::lock_guard lock(server_->mutex);
  server_->touch(object, "DELETED");
  server_->objects.erase(object);
}

std::optional<FakeConfigMaps::Data> FakeConfigMaps::get(const std::string& object) const {
  const std::lock_guard lock(server_->mutex);
  const auto found = server_->objects.find(object);
  if (found == server_->objects.end()) return std::nullopt;
  return found->second["data"].get<Data>();
}

void FakeConfigMaps::refuse(int status, const std::string& reason, const std::string& message) {
  const std::lock_guard lock(server_->mutex);
  server_->refused = status;
  server_->reason = reason;
  server_->message = message;
  server_->changed.notify_all();
}

void FakeConfigMaps::before_write(std::function<void()> act) {
  const std::lock_guard lock(server_->mutex);
  server_->before_write = std::move(act);
}

std::vector<FakeConfigMaps::Request> FakeConfigMaps::requests() const {
  const std::lock_guard lock(server_->mutex);
  return server_->requests;
}

int FakeConfigMaps::open_watches() const {
  const std::lock_guard lock(server_->mutex);
  return server_->watches;
}

}  // namespace weir::test
