#include "http/exchange.h"

#include "base/secrets.h"
#include "base/unique_fd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace weir::http {
namespace {

// A connection that is closed within so many seconds has cost the server as little as a connection that it refused.
constexpr double kAtOnce = 1;

constexpr std::size_t kMostHeader = 256 << 10;          // bytes of an answer's header
constexpr auto kTooLarge = static_cast<CURLcode>(100);  // CURLE_TOO_LARGE of libcurl 8.6 and later
// Milliseconds; the wait for an HTTP answer from a server that does not speak TLS.
constexpr int kClearWait = 500;
constexpr int kProbes = 3;  // of TCP without an answer

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

long milliseconds(base::Duration duration) { return static_cast<long>(std::max<base::Duration>(1, duration / base::kMillisecond)); }

long whole_seconds(base::Duration duration) { return static_cast<long>(std::max<base::Duration>(1, duration / base::kSecond)); }

}  // namespace

std::string_view Response::header(std::string_view lower_case_name) const {
  for (const Header& header : headers)
    if (header.name == lower_case_name) return header.value;
  return {};
}

std::optional<base::Timestamp> Response::date() const {
  const std::string_view text = header("date");
  if (text.empty()) return std::nullopt;
  const auto curl = CurlLibrary::load();
  const time_t date = curl ? (*curl)->getdate(std::string(text).c_str(), nullptr) : -1;
  return date < 0 ? std::nullopt : std::optional(static_cast<base::Timestamp>(date) * base::kSecond);
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
    seconds = date - this->date().value_or(now) / base::kSecond;
  }
  // A server that asks for more than a day does not mean it.
  return std::clamp<std::int64_t>(seconds, 0, 24 * 3600) * base::kSecond;
}

base::Result<std::string> Identity::read(SecretFile& file, const ClientConfig& config, std::string_view user) {
  auto read = file.read();
  base::Diagnostics* diagnostics = config.diagnostics;
  if (read) {
    if (diagnostics != nullptr && diagnostics->secrets() != nullptr) diagnostics->secrets()->add_latest(file.path(), *read, user);
    return read;
  }
  if (file.last() == nullptr) return read;
  if (diagnostics != nullptr)
    diagnostics->warn("secret " + file.path(), read.error().message + "; the one that was read before stays in use");
  return *file.last();
}

base::Result<void> Identity::apply(const CurlLibrary& curl, CURL* handle, const ClientConfig& config, std::string& authorization) {
  std::string token = config.bearer_token;
  if (!config.bearer_token_file.empty()) {
    auto read = this->read(token_, config, {});
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
    auto read = this->read(password_, config, user);
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
    // For libcurl, "Name:" means 'leave the header out', and "Name;" means 'send it empty'.
    add(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  };
  for (const Header& header : request_.headers) add_header(header);
  for (const Header& header : config_->headers) {
    const bool overridden = std::any_of(request_.headers.begin(), request_.headers.end(),
                                        [&](const Header& other) { return same_name(other.name, header.name); });
    if (!overridden) add_header(header);
  }
  if (!authorization.empty() && !own_authorization) add(authorization);
  add("Expect:");  // no wait for 100-continue before a body
  curl_.easy_setopt(handle_, CURLOPT_HTTPHEADER, header_list_);
}

base::Result<void> Exchange::begin(const ClientConfig& config, Identity& identity, Request request, const OnBody* on_body) {
  config_ = &config;
  identity_ = &identity;
  request_ = std::move(request);
  on_body_ = on_body;
  response_ = {};
  aborted_ = false;
  header_bytes_ = 0;
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
  if (config.dead_after > 0) {
    // Half of the time without a sign, then probes in the other half.
    curl_.easy_setopt(handle_, CURLOPT_TCP_KEEPIDLE, whole_seconds(config.dead_after / 2));
    curl_.easy_setopt(handle_, CURLOPT_TCP_KEEPINTVL, whole_seconds(config.dead_after / 2 / kProbes));
    curl_.easy_setopt(handle_, CURLOPT_SOCKOPTFUNCTION, &Exchange::prepare_socket);
  }
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
  if (config.direct) curl_.easy_setopt(handle_, CURLOPT_PROXY, "");
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
  identity_->answered = true;
  if (!response_.ok()) response_.body = redacted(std::move(response_.body));
  request_ = {};  // the body is not needed any longer
  return std::move(response_);
}

std::string Exchange::redacted(std::string text) const {
  if (text.empty() || config_->diagnostics == nullptr || config_->diagnostics->secrets() == nullptr) return text;
  return config_->diagnostics->secrets()->redact(text);
}

double Exchange::seconds(CURLINFO what) const {
  double value = 0;
  return curl_.easy_getinfo(handle_, what, &value) == CURLE_OK ? value : kAtOnce;
}

bool Exchange::connected() const {
  long port = 0;
  return curl_.easy_getinfo(handle_, CURLINFO_LOCAL_PORT, &port) == CURLE_OK && port > 0;
}

struct Exchange::Trouble {
  base::Code kind;
  std::string cause;
  std::string hint;
  int system = 0;
};

namespace {

std::string in_seconds(base::Duration duration) {
  return fmt::format("{:g} s", static_cast<double>(duration) / static_cast<double>(base::kSecond));
}

std::string host_of(const Url& url) {
  std::string_view host = std::string_view(url.origin).substr(url.origin.find("://") + 3);
  const auto colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) host = host.substr(0, colon);
  return std::string(host);
}

bool is_https(const Url& url) { return url.origin.starts_with("https:"); }

// Explains by its errno what this machine is short of, or forbids. False when the cause lies outside this machine.
bool explain_local(int number, std::string& hint) {
  switch (number) {
    case EMFILE:
      hint = "this process may not open more files: ulimit -n, LimitNOFILE=";
      return true;
    case ENFILE:
      hint = "no process on this machine may open more files: sysctl fs.file-max";
      return true;
    case ENOBUFS:
    case ENOMEM:
      hint = "this machine is short of memory";
      return true;
    case EADDRNOTAVAIL:
      hint = "this machine has no free port for the connection";
      return true;
    case EACCES:
    case EPERM:
      hint = "a firewall or a security policy of this machine forbids it";
      return true;
    case EAFNOSUPPORT:
      hint = "this machine does not support that kind of address";
      return true;
    default:
      return false;
  }
}

// libcurl does not always say why it got no socket.
int shortage() {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd ? 0 : errno;
}

// Explains the verdict of the TLS library by its number: X509_V_ERR_… of OpenSSL, or status bits of GnuTLS (from 64 on, where
// the two differ).
void explain_certificate(long verdict, const ClientConfig& config, std::string& cause, std::string& hint) {
  const std::string authority = fmt::format("name the authority that signed it: {}", config.words.ca_option);
  switch (verdict) {
    case 0:  // the certificate itself is fine
    case 1:  // or nothing more was checked
    case 62:
    case 63:
    case 64:
      cause = fmt::format("the server's certificate is for another name than {}", host_of(config.base));
      hint = "use a name that is in the certificate";
      break;
    case 9:
      cause = "the server's certificate is not valid yet";
      hint = "is the clock of this machine right?";
      break;
    case 10:
      cause = "the server's certificate has expired";
      hint = "the server needs a new one, or the clock of this machine is wrong";
      break;
    case 18:
    case 19:
    case 20:
    case 21:
    case 66:
      cause = "this machine does not trust the authority that signed the server's certificate";
      hint = authority;
      break;
    case 23:
      cause = "the server's certificate was revoked";
      break;
    default:
      hint = authority;
  }
}

}  // namespace

// Whether the server, which does not speak TLS, speaks HTTP without it. Sends a few bytes that hold nothing of ours. The result
// is a message that names the cause.
bool Exchange::answers_in_clear() const {
  long through_proxy = 0;
  long port = 0;
  char* address = nullptr;
  if (curl_.easy_getinfo(handle_, CURLINFO_HTTP_CONNECTCODE, &through_proxy) != CURLE_OK || through_proxy != 0 ||
      !config_->proxy.empty() || curl_.easy_getinfo(handle_, CURLINFO_PRIMARY_PORT, &port) != CURLE_OK ||
      curl_.easy_getinfo(handle_, CURLINFO_PRIMARY_IP, &address) != CURLE_OK || address == nullptr) {
    return false;
  }
  sockaddr_storage storage{};
  socklen_t size = 0;
  auto* four = reinterpret_cast<sockaddr_in*>(&storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, address, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(static_cast<std::uint16_t>(port));
    size = sizeof(*four);
  } else if (::inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(static_cast<std::uint16_t>(port));
    size = sizeof(*six);
  } else {
    return false;
  }
  const base::UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return false;
  const auto ready = [&](short events) {
    pollfd poll_fd = {fd.get(), events, 0};
    return ::poll(&poll_fd, 1, kClearWait) == 1 && (poll_fd.revents & events) != 0;
  };
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0 && errno != EINPROGRESS) return false;
  constexpr std::string_view question = "HEAD / HTTP/1.0\r\n\r\n";
  constexpr std::string_view answer = "HTTP/";
  std::array<char, answer.size()> got{};
  return ready(POLLOUT) &&
         ::send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(question.size()) &&
         ready(POLLIN) && ::recv(fd.get(), got.data(), got.size(), 0) == static_cast<ssize_t>(got.size()) &&
         std::string_view(got.data(), got.size()) == answer;
}

std::string Exchange::asks_for_server() const { return fmt::format("does {} listen there?", config_->words.server); }

// Explains a failure for people, by libcurl's code and the numbers that it keeps, never by its texts.
void Exchange::explain(CURLcode code, Trouble& trouble) {
  const bool https = is_https(config_->base);
  long number = 0;
  if (curl_.easy_getinfo(handle_, CURLINFO_OS_ERRNO, &number) != CURLE_OK) number = 0;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT: {
      trouble.kind = base::Code::unreachable;
      if (explain_local(static_cast<int>(number), trouble.hint)) {
        trouble.kind = base::Code::io;
      } else if (const int local = shortage(); local != 0) {
        number = local;
        explain_local(local, trouble.hint);
        trouble.kind = base::Code::io;
      }
      if (trouble.kind == base::Code::io || (code == CURLE_COULDNT_CONNECT && number != 0)) {
        trouble.cause = ::strerrordesc_np(static_cast<int>(number));
      } else if (code == CURLE_COULDNT_RESOLVE_HOST) {
        trouble.cause = fmt::format("the name {} is not known", host_of(config_->base));
        trouble.hint = "is the name right, and does this machine's DNS answer?";
      } else if (code == CURLE_COULDNT_RESOLVE_PROXY) {
        trouble.cause = "the name of the proxy is not known";
        trouble.hint = fmt::format("{}{}http_proxy and https_proxy name the proxy, no_proxy the hosts that need none",
                                   config_->words.proxy_option, config_->words.proxy_option.empty() ? "" : ", ");
      }
      break;
    }
    case CURLE_SSL_CONNECT_ERROR:
      if (https && answers_in_clear()) {
        trouble.cause = "the server does not speak TLS";
        trouble.hint = "http:// instead of https://?";
      } else {
        trouble.cause = fmt::format("the server and weir have no TLS version or cipher in common: {}", trouble.cause);
        trouble.hint = fmt::format("does it ask for a client certificate ({}), or does something else listen there?",
                                   config_->words.certificate_options);
      }
      break;
    case CURLE_UNSUPPORTED_PROTOCOL:  // the answer does not begin as HTTP does
    case CURLE_WEIRD_SERVER_REPLY:
      trouble.cause = "the answer is not HTTP";
      trouble.hint = https ? asks_for_server() : "https:// instead of http://?";
      break;
    case CURLE_PEER_FAILED_VERIFICATION: {
      long verdict = 0;
      if (curl_.easy_getinfo(handle_, CURLINFO_SSL_VERIFYRESULT, &verdict) != CURLE_OK) verdict = -1;
      explain_certificate(verdict, *config_, trouble.cause, trouble.hint);
      break;
    }
    case CURLE_SSL_CACERT_BADFILE:
      trouble.kind = base::Code::config;
      trouble.cause = config_->ca_file.empty() ? "this machine's trusted certificates cannot be read"
                                               : fmt::format("the certificates in {} cannot be used", config_->ca_file);
      trouble.hint = config_->ca_file.empty() ? fmt::format("apt install ca-certificates, or {}", config_->words.ca_option)
                                              : "it must hold certificates in PEM form";
      break;
    case CURLE_SSL_CERTPROBLEM:
      trouble.kind = base::Code::config;
      trouble.cause = fmt::format("the client certificate {} with the key {} cannot be used: {}", config_->cert_file,
                                  config_->key_file, trouble.cause);
      trouble.hint = "do they belong together, in PEM form and without a passphrase?";
      break;
    case CURLE_SSL_ENGINE_NOTFOUND:
      trouble.kind = base::Code::config;
      break;
    case CURLE_OPERATION_TIMEDOUT:
      if (seconds(CURLINFO_PRETRANSFER_TIME) == 0 && https && connected()) {
        trouble.kind = base::Code::unreachable;
        trouble.cause = fmt::format("connected, but nothing answered the TLS handshake within {}",
                                    in_seconds(std::min(config_->connect_timeout, config_->timeout)));
        trouble.hint = "does a server with TLS listen on that port?";
      } else if (seconds(CURLINFO_PRETRANSFER_TIME) == 0) {  // no connection either
        trouble.kind = base::Code::unreachable;
        trouble.cause = fmt::format("no connection within {}", in_seconds(std::min(config_->connect_timeout, config_->timeout)));
        trouble.hint = "is the address right, and does a firewall drop what goes there?";
      } else {
        trouble.cause =
            fmt::format("no answer in time ({})", in_seconds(request_.timeout > 0 ? request_.timeout : config_->timeout));
        if (!config_->words.timeout_option.empty()) trouble.hint = fmt::format("{} waits longer", config_->words.timeout_option);
        trouble.system = ETIMEDOUT;
      }
      break;
    case CURLE_OUT_OF_MEMORY:  // also for a header line longer than libcurl accepts
    case CURLE_WRITE_ERROR:    // also for a header line longer than we accept
    case kTooLarge:
      if (seconds(CURLINFO_PRETRANSFER_TIME) == 0) break;
      trouble.cause = "the header of the answer is too long";
      trouble.hint = asks_for_server();
      break;
    case CURLE_GOT_NOTHING:
      trouble.cause = "the connection was closed before an answer came";
      [[fallthrough]];
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      // A load balancer without servers behaves like this.
      if (seconds(CURLINFO_TOTAL_TIME) < kAtOnce) trouble.kind = base::Code::unreachable;
      if (!https && !identity_->answered)
        trouble.hint =
            fmt::format("does {} listen there, and does it use TLS: https:// instead of http://?", config_->words.server);
      if (long proxy_said = 0;
          curl_.easy_getinfo(handle_, CURLINFO_HTTP_CONNECTCODE, &proxy_said) == CURLE_OK && proxy_said >= 300) {
        trouble.cause = fmt::format("the proxy answered {}", proxy_said);
        const std::string_view option = config_->words.proxy_option;
        trouble.hint = option.empty() ? "https_proxy and http_proxy name it, with the user that it may ask for"
                       : proxy_said == 407
                           ? fmt::format("it asks for a user: {} http://USER:PASSWORD@HOST, in LOKI_HTTP_PROXY_URL", option)
                           : fmt::format("{} names another one", option);
      }
      break;
    case CURLE_PARTIAL_FILE:
      trouble.cause = "the connection was closed before the answer was whole";
      break;
    default:
      break;
  }
}

base::Error Exchange::failure(CURLcode code) {
  const std::string where = config_->base.display();
  if (aborted_) return base::fail(base::Code::interrupted, "cannot finish the request to {}: it was stopped", where);
  Trouble trouble{base::Code::network, error_[0] != '\0' ? error_ : curl_.easy_strerror(code), {}, 0};
  explain(code, trouble);
  if (!config_->environment_proxy.empty() && (trouble.kind == base::Code::unreachable || trouble.kind == base::Code::network)) {
    trouble.cause += fmt::format(" (through the proxy {} of the environment)", config_->environment_proxy);
    if (trouble.hint.empty()) trouble.hint = "no_proxy names the hosts that need none";
  }
  request_ = {};
  base::Error error = base::cannot(trouble.kind, fmt::format("reach {}", where), redacted(std::move(trouble.cause)))
                          .with_hint(std::move(trouble.hint));
  error.system = trouble.system;
  return error;
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

// False aborts the request.
bool Exchange::header_ended() {
  if (on_body_ == nullptr || !*on_body_) return true;
  long status = 0;  // 0 while a proxy answers, 1xx before the answer itself
  curl_.easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || (*on_body_)(static_cast<int>(status), {})) return true;
  aborted_ = true;
  return false;
}

std::size_t Exchange::take_header(char* data, std::size_t size, std::size_t count, void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  auto& response = exchange.response_;
  std::string_view line(data, size * count);
  exchange.header_bytes_ += line.size();
  if (exchange.header_bytes_ > kMostHeader) return 0;
  if (line == "\r\n" || line == "\n") return exchange.header_ended() ? size * count : 0;
  if (line.starts_with("HTTP/")) {  // another answer begins (100 Continue, or the proxy's answer to CONNECT)
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

// libcurl has an option for this since 8.9 only.
int Exchange::prepare_socket(void*, curl_socket_t fd, curlsocktype) {
  const int probes = kProbes;
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  return CURL_SOCKOPT_OK;
}

int Exchange::progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& exchange = *static_cast<Exchange*>(self);
  if (!exchange.config_->cancelled()) return 0;
  exchange.aborted_ = true;
  return 1;
}

}  // namespace weir::http
