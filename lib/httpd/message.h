// A request and its answer, as values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::httpd {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;      // "GET"
  std::string host;        // of an absolute target, otherwise of the Host header; without port and brackets; "" without one
  std::string path;        // percent-decoded, without the query: "/metrics"
  std::string query;       // as it came, without "?"
  Fields headers;          // in the order in which they came
  std::string body;        // whole
  bool from_here = false;  // the peer is this machine: a loopback address or a Unix socket

  // The first header of that name, in any case; "" without one.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  // The first parameter of that name in the query, decoded.
  [[nodiscard]] std::optional<std::string> parameter(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string body = {};
  std::string content_type = "text/plain; charset=utf-8";
  Fields headers = {};  // further ones; the server adds Content-Length, Connection and Date
};

// What stands behind a path. Called on the server's thread, one call at a time: whatever takes long keeps the others waiting.
struct Route {
  std::string method;  // "GET" also answers HEAD
  std::string path;
  std::function<Response(const Request&)> handler;
  std::uint64_t most_body = 0;  // bytes; 0: what Limits says
};

}  // namespace weir::httpd
