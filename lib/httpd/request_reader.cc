#include "httpd/request_reader.h"

#include "httpd/access.h"
#include "httpd/address.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <boost/beast/websocket/rfc6455.hpp>

namespace weir::httpd {
namespace {

namespace http = beast::http;

using State = RequestReader::State;

constexpr std::size_t kMostLines = 256;          // of a header: the parser makes an object of each
constexpr std::size_t kShortHeader = 8 << 10;    // bytes, which every connection may have
constexpr std::size_t kCopies = 4;               // of a header, at most: as it came, in the parser, and in the Request
constexpr std::size_t kMostChunkLine = 8 << 10;  // bytes; also of what follows the last chunk
constexpr std::size_t kMostUnused = 128 << 10;   // bytes of memory that stay where nothing is unread

// A target in origin form ("/a?b") or in absolute form ("http://host/a?b"). The path is "" of anything else.
struct Target {
  std::optional<std::string_view> authority;
  std::string_view path_and_query;
};

Target split_target(std::string_view target) {
  if (target.starts_with('/')) return {std::nullopt, target};
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!beast::iequals(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t end = std::min(target.find_first_of("/?#"), target.size());
    return {target.substr(0, end), target.substr(end)};
  }
  return {};
}

int status_of(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  return 400;
}

Response bad_request(std::string_view fault) { return {.status = 400, .body = fmt::format("{}\n", fault)}; }

}  // namespace

RequestReader::RequestReader(ServerParts& parts, bool from_here)
    : parts_(parts), share_(parts.budget), header_share_(parts.header_budget) {
  parser_.header_limit(parts.limits.header);
  parser_.body_limit(boost::none);  // what counts is known when the header is
  request_.from_here = from_here;
}

State RequestReader::read(std::string& unread) {
  if (!parser_.is_header_done()) {
    if (const int status = judge_size(unread); status == 503)
      return refuse(refusal_for_now());
    else if (status != 0)
      return refuse(httpd::refusal(status));
  }
  std::string_view rest = unread;
  const State state = read_on(rest);
  const std::size_t taken = unread.size() - rest.size();
  unread.erase(0, taken);
  if (unread.empty() && unread.capacity() > kMostUnused) unread = std::string();
  parsed_ += taken;
  seen_ -= std::min(seen_, taken);
  if (state == State::more && parser_.is_header_done() && unread.size() > kMostChunkLine) return refuse(httpd::refusal(400));
  return state;
}

int RequestReader::judge_size(std::string_view unread) {
  for (; seen_ < unread.size() && !header_has_ended_; ++seen_) {
    if (unread[seen_] == '\n') {
      header_has_ended_ = line_is_empty_ && lines_ > 0;
      line_is_empty_ = true;
      if (++lines_ > kMostLines) return 431;
    } else if (unread[seen_] != '\r') {
      line_is_empty_ = false;
    }
  }
  const std::size_t size = parsed_ + seen_;
  return size <= kShortHeader || header_share_.grow_to(kCopies * size) ? 0 : 503;
}

State RequestReader::read_on(std::string_view& unread) {
  while (true) {
    if (parser_.is_header_done() && !std::exchange(header_is_judged_, true)) {
      if (const State judged = judge_header(); judged != State::more) return judged;
    }
    if (parser_.is_done()) {
      request_.body = std::move(parser_.get().body());
      return State::whole;
    }
    if (unread.empty()) return State::more;
    error_code error;
    try {
      unread.remove_prefix(parser_.put(asio::buffer(unread), error));
    } catch (const std::length_error&) {
      return refuse(httpd::refusal(431));  // Beast takes no name and no value of 64 KiB, and says so like this
    }
    const std::string& body = parser_.get().body();
    if (!body.empty() && !share_.grow_to(body.capacity())) return refuse(refusal_for_now());
    if (error == http::error::need_more) return State::more;
    if (error) return refuse(httpd::refusal(status_of(error)));
  }
}

State RequestReader::refuse(Response response) {
  refusal_ = std::move(response);
  return parser_.is_done() ? State::not_given : State::refused;
}

State RequestReader::judge_header() {
  const auto& message = parser_.get();
  request_.method = message.method_string();
  const Target target = split_target(message.target());
  for (const std::string_view fault : {find_end(), find_host(target.authority)}) {
    if (fault.empty()) continue;
    refusal_ = bad_request(fault);
    return State::refused;
  }
  const std::string_view path = target.path_and_query;
  const std::size_t mark = std::min(path.find('?'), path.size());
  request_.query = path.substr(std::min(mark + 1, path.size()));
  for (const auto& field : message) request_.headers.emplace_back(field.name_string(), field.value());

  Response refused;
  route_ = parts_.routes.find(request_, mark == 0 && target.authority ? "/" : path.substr(0, mark), refused);
  if (parts_.access && (route_ == nullptr || !route_->open)) {
    if (auto denied = parts_.access->check(request_, parts_.address.host)) return refuse(*std::move(denied));
  }
  if (route_ == nullptr) return refuse(std::move(refused));
  const std::uint64_t most = route_->most_body > 0 ? route_->most_body : parts_.limits.body;
  parser_.body_limit(most);
  if (const auto length = parser_.content_length(); length && *length > most) return refuse(httpd::refusal(413));
  if (route_->socket) {
    if (!is_upgrade()) return refuse(bad_request("this path is a WebSocket: the request must ask for an upgrade to one"));
    if (route_->admit) {
      if (auto denied = route_->admit(request_)) return refuse(*std::move(denied));
    }
  }
  return parser_.is_done() ? State::more : State::header;
}

// Whom the request is for (RFC 9112, 3.2). Two answers to this question would let a request pass a check of the one and go to the
// other.
std::string_view RequestReader::find_host(std::optional<std::string_view> authority) {
  const auto& message = parser_.get();
  if (message.count(http::field::host) > 1) return "the request has several Host headers";
  const std::string_view header = message[http::field::host];
  const auto named = host_of(header);
  if (!header.empty() && !named) return "the Host header names no host";
  if (authority) {
    const auto own = host_of(*authority);
    if (!own) return "the URL of the request names no host";
    request_.host = *own;
  } else {
    request_.host = named.value_or("");
  }
  return {};
}

// Where the request ends (RFC 9112, 6). Beast refuses a length beside "chunked", but passes over codings that it does not know, and
// takes two lengths that are the same.
std::string_view RequestReader::find_end() const {
  const auto& message = parser_.get();
  if (message.count(http::field::content_length) > 1) return "the request has several Content-Length headers";
  if (message[http::field::content_length].find(',') != std::string_view::npos) return "the request has several lengths";
  if (message.count(http::field::transfer_encoding) == 0) return {};
  if (message.count(http::field::transfer_encoding) > 1 || message.count(http::field::content_length) > 0)
    return "the request says twice where it ends";
  if (!beast::iequals(message[http::field::transfer_encoding], "chunked")) return "the only Transfer-Encoding here is chunked";
  return is_old_version() ? "HTTP/1.0 has no Transfer-Encoding" : std::string_view();
}

bool RequestReader::waits_for_continue() const {
  return !is_old_version() && beast::iequals(parser_.get()[http::field::expect], "100-continue");
}

bool RequestReader::is_upgrade() const { return beast::websocket::is_upgrade(parser_.get()); }

http::request<http::empty_body> RequestReader::header() const { return http::request<http::empty_body>(parser_.get().base()); }

}  // namespace weir::httpd
