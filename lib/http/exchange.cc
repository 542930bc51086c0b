#include "http/exchange.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <charconv>

namespace weir::http {
namespace {

// A connection that is closed within so many seconds has cost the server as little as one that it refused.
constexpr double kAtOnce = 1;

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
           return std::tolower(x) == std::tolower(y);
         });
}

long milliseconds(base::Duration duration) { return static_cast<long>(std::max<base::Duration>(1, duration / base::kMillisecond)); }

}  // namespace

std::string_view Response::header(std::string_view lower_case_name) const {
  for (const Header& header : headers)
    if (header.name == lower_case_name) return header.value;
  return {};
}

base::Duration Response::retry_after(base::Timestamp now) const {
  const std::string_view text = header("retry-after");
  if (text.empty()) return 0;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) {
    const auto curl = CurlLibrary::load();
    if (!curl) return 0;
    const time_t date = (*curl)->getdate(std::string(text).c_str(), nullptr);
    if (date < 0) return 0;
    seconds = date - now / base::kSecond;
  }
  // A server that asks for more than a day does not mean it.
  return std::clamp<std::int64_t>(seconds, 0, 24 * 3600) * base::kSecond;
}

base::Result<void> Identity::apply(const CurlLibrary& curl, CURL* handle, const ClientConfig& config, std::string& authorization) {
  std::string token = config.bearer_token;
  if (!config.bearer_token_file.empty()) {
    auto read = token_.read();
    if (!read) return std::move(read).error();
    token = std::move(*read);
  }
  if (!token.empty()) {
    authorization = "Authorization: Bearer " + token;
    return {};
  }
  const std::string& user = config.username.empty() ? config.base.user : config.username;
  std::string password = config.username.empty() ? config.base.password : config.password;
  if (!config.password_file.empty()) {
    auto read = password_.read();
    if (!read) return std::move(read).error();
    password = std::move(*read);
  }
  if (user.empty() && password.empty()) return {};
  curl.easy_setopt(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
  curl.easy_setopt(handle, CURLOPT_USERNAME, user.c_str());
  curl.easy_setopt(handle, CURLOPT_PASSWORD, password.c_str());
  return {};
}

base::Result<std::unique_ptr<Exchange>> Exchange::create(const CurlLibrary& curl) {
  std::unique_ptr<Exchange> exchange(new Exchange(curl));
  exchange->handle_ = curl.easy_init();
  if (exchange->handle_ == nullptr) return base::fail(base::Code::config, "cannot start an HTTP request: libcurl gave no handle");
  return exchange;
}

Exchange::~Exchange() {
  if (handle_ != nullptr) curl_.easy_cleanup(handle_);
  if (header_list_ != nullptr) curl_.slist_free_all(header_list_);
}

void Exchange::set_headers(const std::string& authorization) {
  if (header_list_ != nullptr) curl_.slist_free_all(header_list_);
  header_list_ = nullptr;
  bool own_authorization = false;
  const auto add = [&](const std::string& text) {
    if (curl_slist* longer = curl_.slist_append(header_list_, text.c_str()); longer != nullptr) header_list_ = longer;
  };
  const auto add_header = [&](const Header& header) {
    own_authorization = own_authorization || same_name(header.name, "authorization");
    // libcurl takes "Name:" as 'leave it out' and "Name;" as 'send it empty'.
    add(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  };
  for (const Header& header : request_.headers) add_header(header);
  for (const Header& header : config_->headers) {
    const bool overridden = std::any_of(request_.headers.begin(), request_.headers.end(),
                                        [&](const Header& other) { return same_name(other.name, header.name); });
    if (!overridden) add_header(header);
  }
  if (!authorization.empty() && !own_authorization) add(authorization);
  add("Expect:");  // no waiting for 100-continue before a body
  curl_.easy_setopt(handle_, CURLOPT_HTTPHEADER, header_list_);
}

base::Result<void> Exchange::begin(const ClientConfig& config, Identity& identity, Request request, const OnBody* on_body) {
  config_ = &config;
  request_ = std::move(request);
  on_body_ = on_body;
  response_ = {};
  aborted_ = false;
  error_[0] = '\0';
  curl_.easy_reset(handle_);

  const auto set_text = [&](CURLoption option, const std::string& text) {
    if (!text.empty()) curl_.easy_setopt(handle_, option, text.c_str());
  };
  const std::string url = join(config.base, request_.path, request_.query);
  curl_.easy_setopt(handle_, CURLOPT_URL, url.c_str());
  curl_.easy_setopt(handle_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_.easy_setopt(handle_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_.easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
  curl_.easy_setopt(handle_, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_.easy_setopt(handle_, CURLOPT_ERRORBUFFER, error_);
  curl_.easy_setopt(handle_, CURLOPT_PRIVATE, this);
  curl_.easy_setopt(handle_, CURLOPT_WRITEFUNCTION, &Exchange::take_body);
  curl_.easy_setopt(handle_, CURLOPT_WRITEDATA, this);
  curl_.easy_setopt(handle_, CURLOPT_HEADERFUNCTION, &Exchange::take_header);
  curl_.easy_setopt(handle_, CURLOPT_HEADERDATA, this);
  curl_.easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(config.connect_timeout));
  curl_.easy_setopt(handle_, CURLOPT_TIMEOUT_MS, milliseconds(request_.timeout > 0 ? request_.timeout : config.timeout));
  if (config.cancelled) {
    curl_.easy_setopt(handle_, CURLOPT_NOPROGRESS, 0L);
    curl_.easy_setopt(handle_, CURLOPT_XFERINFOFUNCTION, &Exchange::progress);
    curl_.easy_setopt(handle_, CURLOPT_XFERINFODATA, this);
  }
  if (request_.compressed) curl_.easy_setopt(handle_, CURLOPT_ACCEPT_ENCODING, "");
  set_text(CURLOPT_USERAGENT, config.user_agent);
  set_text(CURLOPT_CAINFO, config.ca_file);
  set_text(CURLOPT_SSLCERT, config.cert_file);
  set_text(CURLOPT_SSLKEY, config.key_file);
  set_text(CURLOPT_PROXY, config.proxy);
  if (config.tls_skip_verify) {
    curl_.easy_setopt(handle_, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_.easy_setopt(handle_, CURLOPT_SSL_VERIFYHOST, 0L);
  }

  const std::string_view body = request_.body_view.data() != nullptr ? request_.body_view : std::string_view(request_.body);
  if (request_.method == "POST" || !body.empty()) {
    curl_.easy_setopt(handle_, CURLOPT_POST, 1L);
    curl_.easy_setopt(handle_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_.easy_setopt(handle_, CURLOPT_POSTFIELDS, body.data() != nullptr ? body.data() : "");
  }
  if (request_.method == "HEAD") {
    curl_.easy_setopt(handle_, CURLOPT_NOBODY, 1L);
  } else if (request_.method != "POST" && request_.method != "GET") {
    curl_.easy_setopt(handle_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  std::string authorization;
  if (auto applied = identity.apply(curl_, handle_, config, authorization); !applied) return applied;
  set_headers(authorization);
  return {};
}

base::Result<Response> Exchange::end(CURLcode code) {
  if (code != CURLE_OK) return failure(code);
  long status = 0;
  curl_.easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  request_ = {};  // the body is not needed any more
  return std::move(response_);
}

base::Error Exchange::failure(CURLcode code) {
  const std::string where = config_->base.display();
  if (aborted_) return base::fail(base::Code::interrupted, "cannot finish the request to {}: it was stopped", where);
  std::string cause = error_[0] != '\0' ? error_ : curl_.easy_strerror(code);
  base::Code kind = base::Code::network;
  std::string hint;
  const auto seconds = [&](CURLINFO what) {
    double value = 0;
    return curl_.easy_getinfo(handle_, what, &value) == CURLE_OK ? value : kAtOnce;
  };
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      kind = base::Code::unreachable;
      break;
    case CURLE_COULDNT_CONNECT: {
      kind = base::Code::unreachable;
      long number = 0;
      if (curl_.easy_getinfo(handle_, CURLINFO_OS_ERRNO, &number) == CURLE_OK && number != 0)
        cause = std::strerror(static_cast<int>(number));
      break;
    }
    case CURLE_PEER_FAILED_VERIFICATION:
      hint = "--ca-cert FILE names the authority that signed the server's certificate";
      break;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ENGINE_NOTFOUND:
      kind = base::Code::config;
      break;
    case CURLE_OPERATION_TIMEDOUT:
      cause = "no answer in time";
      if (seconds(CURLINFO_PRETRANSFER_TIME) == 0) kind = base::Code::unreachable;  // nor a connection
      break;
    case CURLE_GOT_NOTHING:
      cause = "the connection was closed before an answer came";
      [[fallthrough]];
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      // As a balancer without servers does it.
      if (seconds(CURLINFO_TOTAL_TIME) < kAtOnce) kind = base::Code::unreachable;
      break;
    default:
      break;
  }
  request_ = {};
  return base::fail(kind, "cannot reach {}: {}", where, cause).with_hint(std::move(hint));
}

std::size_t Exchange::take_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  const std::size_t bytes = size * count;
  if (exchange.on_body_ != nullptr && *exchange.on_body_) {
    long status = 0;
    exchange.curl_.easy_getinfo(exchange.handle_, CURLINFO_RESPONSE_CODE, &status);
    if (!(*exchange.on_body_)(static_cast<int>(status), {data, bytes})) {
      exchange.aborted_ = true;
      return 0;
    }
    return bytes;
  }
  std::string& body = exchange.response_.body;
  const std::size_t room = exchange.request_.max_response - std::min(exchange.request_.max_response, body.size());
  body.append(data, std::min(room, bytes));
  if (bytes > room) exchange.response_.body_cut = true;
  return bytes;
}

std::size_t Exchange::take_header(char* data, std::size_t size, std::size_t count, void* self) {
  auto& response = static_cast<Exchange*>(self)->response_;
  std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {  // another answer begins (100 Continue, a proxy's CONNECT)
    response.headers.clear();
    return line.size();
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || response.headers.size() >= 64) return size * count;
  std::string name(line.substr(0, colon));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && static_cast<unsigned char>(value.front()) <= ' ') value.remove_prefix(1);
  while (!value.empty() && static_cast<unsigned char>(value.back()) <= ' ') value.remove_suffix(1);
  response.headers.push_back({std::move(name), std::string(value)});
  return size * count;
}

int Exchange::progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& exchange = *static_cast<Exchange*>(self);
  if (!exchange.config_->cancelled()) return 0;
  exchange.aborted_ = true;
  return 1;
}

}  // namespace weir::http
