// HTTP requests to one server, over libcurl.
//
// libcurl is loaded when the first client is made, not when the process starts. It brings some thirty libraries, and a stage
// without HTTP must not pay for them. Errors never hold secrets: no credentials, no query strings.
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

// What the hints of errors call the server, and the options that set what they advise. Texts that live as long as the process; an
// option that does not exist is "".
struct Words {
  std::string_view server = "Loki";
  std::string_view ca_option = "--ca-cert FILE";
  std::string_view certificate_options = "--cert, --key";  // the client certificate
  std::string_view timeout_option = "--timeout";
  std::string_view proxy_option = "--proxy-url";
};

// How to reach a server, and with which credentials. A plain value.
struct ClientConfig {
  Url base;
  std::string user_agent = "weir";
  std::vector<Header> headers;  // sent with every request; a header of the request with the same name wins

  // Use at most one of the two ways. A file is read again after it has changed, so that tokens can rotate. When a file cannot
  // be read any longer, that is reported, and its last content stays in use.
  std::string username;
  std::string password;
  std::string password_file;
  std::string bearer_token;
  std::string bearer_token_file;

  std::string ca_file;              // PEM; "" for the system's file
  std::string cert_file, key_file;  // the client certificate
  bool tls_skip_verify = false;
  std::string proxy;    // "" for the proxy of http_proxy, https_proxy and no_proxy
  bool direct = false;  // through no proxy, whatever the environment says
  // For messages: the proxy that the environment names, without its user; "" where that is none, or not known.
  std::string environment_proxy;

  base::Duration connect_timeout = 5 * base::kSecond;
  base::Duration timeout = 30 * base::kSecond;  // for a whole request; a Request with timeout 0 uses this
  // The kernel ends a connection whose other side has not been heard of for about so long, with probes of TCP that wake nobody. 0:
  // after some ten minutes, as libcurl asks for.
  base::Duration dead_after = 0;

  Words words;

  // For trouble with files, and for secrets to hide; may be null, must outlive the client.
  base::Diagnostics* diagnostics = nullptr;

  // Called about once a second, and after a signal, while a synchronous request waits. True aborts the request with
  // Code::interrupted.
  std::function<bool()> cancelled;
};

// Checks the files that `config` names before anything is sent: secrets can be read, certificates and keys are PEM. Error:
// Code::config.
base::Result<void> check_files(const ClientConfig& config);

struct Request {
  std::string method = "GET";
  std::string path;   // appended to the base; begins with "/"
  std::string query;  // without "?", escaped
  std::vector<Header> headers;
  std::string body;            // owned; sent when it is not empty, and always with POST and PUT
  std::string_view body_view;  // used instead of `body`: bytes that outlive the request
  base::Duration timeout = 0;
  bool compressed = false;              // accept a compressed answer (gzip and others)
  std::size_t max_response = 64 << 10;  // bytes of the answer's body that are kept; the rest is read and dropped
};

struct Response {
  int status = 0;
  std::string body;             // up to max_response; "" when streamed
  bool body_cut = false;        // the body was larger than max_response
  std::vector<Header> headers;  // names in lower case

  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;  // "" when absent
  // The server's own time in whole seconds; nullopt when the answer does not give it.
  [[nodiscard]] std::optional<base::Timestamp> date() const;
  // The wait that `Retry-After` asks for: seconds or a date. A date is compared with the server's own time when the answer
  // gives it. 0: no wait.
  [[nodiscard]] base::Duration retry_after(base::Timestamp now) const;
  [[nodiscard]] bool ok() const { return status >= 200 && status < 300 && status != 260; }
};

// Called with the pieces of the body as they come, after the status line (`status` is final). False aborts the request, which
// then ends with Code::interrupted. Secrets are not hidden in these pieces. A piece is valid for the time of the call. The first
// one is empty and comes with the end of the header, so that a stream which has nothing to say yet is known to be open.
using OnBody = std::function<bool(int status, std::string_view piece)>;

// Makes one request at a time, on a connection that is kept. Not thread safe; one client for each thread.
//
// An answer of any status is a Response. An Error means that no answer came:
// - Code::unreachable: the server had no work with the request. No such name, no connection, or a connection that was closed at
//   once.
// - Code::config: a certificate, a token file or the missing libcurl is the cause.
// - Code::io: this machine is short of something, or forbids it.
// - Code::interrupted: OnBody said so.
// - Code::network: everything else.
class Client {
 public:
  static base::Result<std::unique_ptr<Client>> create(ClientConfig config);
  virtual ~Client() = default;
  virtual base::Result<Response> perform(const Request& request) = 0;
  virtual base::Result<Response> perform(const Request& request, const OnBody& on_body) = 0;
  [[nodiscard]] virtual const ClientConfig& config() const = 0;
};

// What a sender of many requests needs from HTTP. Tests replace it.
class Transport {
 public:
  using Completion = std::function<void(base::Result<Response>)>;
  virtual ~Transport() = default;
  // Never blocks. The completion is called later on a thread of the transport. It is not called after the transport is
  // destroyed.
  virtual void submit(Request request, Completion completion) = 0;
  // Asks for a call of the transport's timer function soon.
  virtual void wake() = 0;
};

// Several requests in flight on kept connections, driven by one worker thread. Any thread may call the methods, also from
// within completions and the timer. Destruction aborts the requests in flight without a completion.
class AsyncClient : public Transport {
 public:
  using Transport::submit;
  // The same with a body that is streamed: `on_body` is called on the worker thread, for a body of any status and size.
  virtual void submit(Request request, OnBody on_body, Completion completion) = 0;
  // The requests that are on their way now end soon, with Code::interrupted, and so do their connections.
  virtual void abandon() = 0;

  struct Options {
    int max_connections = 8;
    // Called on the worker thread: after completions, after wake(), and at the time that the last call returned. Returns when
    // to call again (base::kNever: no need). May be empty.
    std::function<base::Monotonic(base::Monotonic now)> timer;
  };
  static base::Result<std::unique_ptr<AsyncClient>> create(ClientConfig config, base::Clock& clock, Options options);
};

}  // namespace weir::http
