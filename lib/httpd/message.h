// A request and its answer, as values.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::httpd {

class Exchange;
class WebSocket;

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;      // "GET"
  std::string host;        // of an absolute target, otherwise of the Host header; without port and brackets; "" without one
  std::string path;        // percent-decoded, without the query: "/metrics"
  std::string query;       // as it came, without "?"
  Fields headers;          // in the order in which they came
  std::string body;        // whole
  bool from_here = false;  // the peer is this machine: a loopback address or a Unix socket
  std::string user = {};   // who it is by Access; "" where nobody has to say
  std::vector<std::string> segments = {};  // what stands in the place of each {…} of Route::path, percent-decoded

  // The first header of that name, in any case; "" without one.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  // The first parameter of that name in the query, decoded.
  [[nodiscard]] std::optional<std::string> parameter(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string body = {};
  std::string content_type = "text/plain; charset=utf-8";
  Fields headers = {};  // further ones; the server adds Content-Length or Transfer-Encoding, Connection and Date
};

// What stands behind a path. Exactly one of `handler`, `later` and `socket` is set. All are called on the server's thread, one
// call at a time: whatever takes long keeps the others waiting, and belongs into `later`.
struct Route {
  std::string method;  // "GET" also answers HEAD
  // "/metrics"; or with segments that may be anything but empty: "/loki/api/v1/label/{name}/values". A route without segments goes
  // before one with.
  std::string path;
  std::function<Response(const Request&)> handler = {};
  std::uint64_t most_body = 0;  // bytes; 0: what Limits says
  // Answers from any thread, when it has the answer (exchange.h).
  std::function<void(std::shared_ptr<Exchange>)> later = {};
  // Takes over a connection behind the upgrade to a WebSocket (websocket.h). `admit` is asked before: an answer refuses the
  // upgrade.
  std::function<void(std::shared_ptr<WebSocket>)> socket = {};
  std::function<std::optional<Response>(const Request&)> admit = {};  // may be null: everybody
  bool open = false;                                                  // answered without Access: a probe
};

}  // namespace weir::httpd
