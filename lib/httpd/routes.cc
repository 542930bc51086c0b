#include "httpd/routes.h"

#include "base/percent.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace weir::httpd {
namespace {

bool is_segment(std::string_view part) { return part.starts_with('{') && part.ends_with('}'); }

// The part up to the next slash, which is taken off.
std::string_view next_part(std::string_view& path) {
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view part = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return part;
}

// Compares before decoding, so that a segment may hold an encoded slash.
bool matches(std::string_view pattern, std::string_view raw, std::vector<std::string>& segments) {
  segments.clear();
  if (std::ranges::count(pattern, '/') != std::ranges::count(raw, '/')) return false;
  while (!pattern.empty() || !raw.empty()) {
    const std::string_view wanted = next_part(pattern);
    std::string part = base::percent_decode(next_part(raw));
    if (is_segment(wanted)) {
      if (part.empty()) return false;
      segments.push_back(std::move(part));
    } else if (part != wanted) {
      return false;
    }
  }
  return true;
}

bool has_segments(const Route& route) { return route.path.find('{') != std::string::npos; }

}  // namespace

const Route* Routes::find(Request& request, std::string_view raw_path, Response& refused) const {
  request.path = base::percent_decode(raw_path);
  std::string allowed;
  for (const bool with_segments : {false, true}) {
    for (const Route& route : routes_) {
      if (has_segments(route) != with_segments) continue;
      if (with_segments ? !matches(route.path, raw_path, request.segments) : route.path != request.path) continue;
      if (route.method == request.method || (route.method == "GET" && request.method == "HEAD")) return &route;
      if (!allowed.empty()) allowed += ", ";
      allowed += route.method == "GET" ? "GET, HEAD" : route.method;
    }
  }
  request.segments.clear();
  refused = refusal(allowed.empty() ? 404 : 405);
  if (!allowed.empty()) {
    refused.headers.emplace_back("Allow", allowed);
  } else if (!not_found_.empty()) {
    refused.body = not_found_;
  }
  return nullptr;
}

std::string_view reason_of(int status) {
  static constexpr std::pair<int, std::string_view> kReasons[] = {
      {100, "Continue"},
      {101, "Switching Protocols"},
      {200, "OK"},
      {204, "No Content"},
      {206, "Partial Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {413, "Payload Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {422, "Unprocessable Entity"},
      {426, "Upgrade Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {499, "Client Closed Request"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
  };
  const auto* const found = std::ranges::find(kReasons, status, &std::pair<int, std::string_view>::first);
  return found == std::end(kReasons) ? "Unknown" : found->second;
}

Response refusal_for_now() {
  Response full = refusal(503);
  full.headers.emplace_back("Retry-After", "1");
  return full;
}

Response refusal(int status) { return {.status = status, .body = fmt::format("{}\n", reason_of(status))}; }

}  // namespace weir::httpd
