// HTTP requests to one server, over libcurl.
//
// libcurl is loaded when the first client is made, not when the process starts: it brings some thirty libraries, which a stage
// that speaks no HTTP shall not pay for. Errors never hold secrets: no credentials, no query strings.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "http/url.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

struct Header {
  std::string name;
  std::string value;
  friend bool operator==(const Header&, const Header&) = default;
};

// How to reach a server and who we are. A plain value.
struct ClientConfig {
  Url base;
  std::string user_agent = "weir";
  std::vector<Header> headers;  // go with every request; one of a request with the same name wins

  // At most one of the two ways; a file is read again when it changed, so that tokens can rotate. One that cannot be read any more
  // is said, and what it held last is used on.
  std::string username;
  std::string password;
  std::string password_file;
  std::string bearer_token;
  std::string bearer_token_file;

  std::string ca_file;              // PEM; "" for the system's
  std::string cert_file, key_file;  // client certificate
  bool tls_skip_verify = false;
  std::string proxy;  // "" for what http_proxy, https_proxy and no_proxy say

  base::Duration connect_timeout = 5 * base::kSecond;
  base::Duration timeout = 30 * base::kSecond;  // a whole request; one of 0 in Request means this

  base::Diagnostics* diagnostics =
      nullptr;  // for trouble with files, and for the secrets to hide; may be null, outlives the client

  // Asked about once a second, and after a signal, while a synchronous request waits; true aborts it with Code::interrupted.
  std::function<bool()> cancelled;
};

// Looks at the files that `config` names before anything is sent: secrets can be read, certificates and keys are in PEM form.
// Code::config.
base::Result<void> check_files(const ClientConfig& config);

struct Request {
  std::string method = "GET";
  std::string path;   // appended to the base, begins with "/"
  std::string query;  // without "?", escaped
  std::vector<Header> headers;
  std::string body;            // owned; sent when not empty or for POST and PUT
  std::string_view body_view;  // in place of `body`: bytes that outlive the request
  base::Duration timeout = 0;
  bool compressed = false;              // offer gzip & co. for the answer
  std::size_t max_response = 64 << 10;  // bytes of the answer's body that are kept; the rest is read and dropped
};

struct Response {
  int status = 0;
  std::string body;             // up to max_response, "" when streamed
  bool body_cut = false;        // there was more than max_response
  std::vector<Header> headers;  // names in lower case

  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;  // "" when absent
  // The server's own time, whole seconds; nullopt when it does not tell.
  [[nodiscard]] std::optional<base::Timestamp> date() const;
  // The wait that `Retry-After` asks for (seconds or a date, by the server's own clock where it tells its time), 0 without one.
  [[nodiscard]] base::Duration retry_after(base::Timestamp now) const;
  [[nodiscard]] bool ok() const { return status >= 200 && status < 300 && status != 260; }
};

// Called with pieces of the body as they come, once the status line was seen (`status` is final). False aborts the request, which
// then ends with Code::interrupted. Nothing is hidden in these pieces.
using OnBody = std::function<bool(int status, std::string_view piece)>;

// One request at a time on a kept connection. Not thread safe; a client a thread.
// An answer of any status is a Response; an Error means that none came (Code::unreachable where the server can have had no work
// with the request: no such name, no connection, or one that was closed at once; else Code::network; Code::config for what is wrong
// with a certificate, a token file or the missing libcurl; Code::io where this machine is short of something or forbids it;
// Code::interrupted when OnBody said so).
class Client {
 public:
  static base::Result<std::unique_ptr<Client>> create(ClientConfig config);
  virtual ~Client() = default;
  virtual base::Result<Response> perform(const Request& request) = 0;
  virtual base::Result<Response> perform(const Request& request, const OnBody& on_body) = 0;
  [[nodiscard]] virtual const ClientConfig& config() const = 0;
};

// What a sender of many requests needs of HTTP; the seam for tests.
class Transport {
 public:
  using Completion = std::function<void(base::Result<Response>)>;
  virtual ~Transport() = default;
  // Never blocks. The completion comes later on a thread of the transport's own, or never once the transport is destroyed.
  virtual void submit(Request request, Completion completion) = 0;
  // Asks that the transport's timer function be called soon.
  virtual void wake() = 0;
};

// Several requests in flight on kept connections, driven by one worker thread. Methods may be called from any thread, also
// from within completions and the timer. Destruction aborts what is in flight without calling back.
class AsyncClient : public Transport {
 public:
  struct Options {
    int max_connections = 8;
    // Called on the worker thread after completions, after wake() and when the time it returned last has come; returns when to call
    // again (base::kNever: no need). May be empty.
    std::function<base::Monotonic(base::Monotonic now)> timer;
  };
  static base::Result<std::unique_ptr<AsyncClient>> create(ClientConfig config, base::Clock& clock, Options options);
};

}  // namespace weir::http
