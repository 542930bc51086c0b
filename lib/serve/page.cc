#include "serve/page.h"

#include <algorithm>
#include <string>

namespace weir::serve {
namespace {

// No inline script, no eval, no style attribute, no frame around it, and no string that becomes markup (trusted types).
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

std::string content_type(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "text/javascript; charset=utf-8";
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls use(member) for each member of a header's list, until it says true; says whether one did.
template <typename Use>
bool any_member(std::string_view list, Use use) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (use(trimmed(list.substr(0, comma)))) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// RFC 9110, 12.5.3: named, and not with a weight of zero. Who only says "*" gets the plain bytes.
bool accepts_gzip(std::string_view accept_encoding) {
  return any_member(accept_encoding, [](std::string_view member) {
    const std::size_t end = std::min(member.find(';'), member.size());
    if (trimmed(member.substr(0, end)) != "gzip") return false;
    const std::string_view weight = trimmed(member.substr(std::min(end + 1, member.size())));
    return !weight.starts_with("q=0") || weight.find_first_of("123456789") != std::string_view::npos;
  });
}

// RFC 9110, 13.1.2, with its weak comparison.
bool has_already(std::string_view if_none_match, std::string_view etag) {
  return any_member(if_none_match, [etag](std::string_view member) {
    if (member.starts_with("W/")) member.remove_prefix(2);
    return member == "*" || member == etag;
  });
}

httpd::Response answer(const PageFile& file, const httpd::Request& request) {
  httpd::Response response{.content_type = content_type(file.name),
                           .headers = {{"Content-Security-Policy", std::string(kPolicy)},
                                       {"Referrer-Policy", "no-referrer"},
                                       {"Cross-Origin-Opener-Policy", "same-origin"},
                                       {"Cross-Origin-Resource-Policy", "same-origin"},
                                       {"Cache-Control", "no-cache"},  // kept, but asked about each time: a new weir has a new page
                                       {"Vary", "Accept-Encoding"}}};
  const bool compressed = accepts_gzip(request.header("Accept-Encoding"));
  // Two representations have two tags.
  std::string etag(file.etag);
  if (compressed) etag.insert(etag.size() - 1, "-gzip");
  response.headers.emplace_back("ETag", etag);
  if (has_already(request.header("If-None-Match"), etag)) {
    response.status = 304;
    return response;
  }
  if (compressed) response.headers.emplace_back("Content-Encoding", "gzip");
  response.body = compressed ? file.gzip : file.plain;
  return response;
}

httpd::Route route(std::string path, const PageFile& file) {
  return {.method = "GET", .path = std::move(path), .handler = [&file](const httpd::Request& request) {
            return answer(file, request);
          }};
}

}  // namespace

std::vector<httpd::Route> page_routes() {
  std::vector<httpd::Route> routes;
  for (const PageFile& file : page_files()) {
    if (file.name == "index.html") routes.push_back(route("/", file));
    routes.push_back(route("/page/" + std::string(file.name), file));
  }
  return routes;
}

}  // namespace weir::serve
