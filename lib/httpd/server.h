// An HTTP/1.1 server for a handful of clients: /metrics and probes, and the API of `serve`.
//
// One thread does all of it: it accepts, reads, calls the handlers, and writes. Nothing runs while nobody asks: the thread sleeps
// in one epoll_wait without a timeout, and a timer runs only while a connection is open. Every connection is in one of these
// states:
//
//   idle       no byte of a request has come; closed after Limits::idle, or earlier when its place is needed
//   reading    a request comes; closed when it is not whole after Limits::read
//   answering  its answer is written; closed when it is not gone after Limits::write
//   ending     refused: what still comes is thrown away for a while, so that the client reads the refusal
//
// When there are as many connections as Limits::connections, a new one takes the place of the one that has been idle longest, or
// else of the one that has been reading longest. Where all others work, the new one gets 503.
//
// A Route with `later` gets an Exchange (exchange.h): its connection is in a further state, *working*, in which only the end of the
// client is noticed. A Route with `socket` gets a WebSocket (websocket.h) behind the upgrade. TLS (tls.h) wraps the stream of a
// connection; OpenSSL is loaded when a server is started with it.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "httpd/access.h"
#include "httpd/address.h"
#include "httpd/message.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::httpd {

struct Limits {
  std::uint32_t header = 8 << 10;     // bytes, with the request line; beyond: 431
  std::uint64_t body = 64 << 10;      // bytes; beyond: 413
  std::uint64_t bodies = 64 << 20;    // bytes of all bodies that are read or worked on at once; beyond: 503 with Retry-After
  std::size_t connections = 64;       // at once
  base::Duration idle = base::kHour;  // far beyond the pause between two scrapes
  base::Duration read = 10 * base::kSecond;
  base::Duration write = 30 * base::kSecond;
  std::size_t unsent = 1 << 20;         // bytes that may wait for one client, of an answer in pieces or a WebSocket
  base::Duration ping = base::kSecond;  // between two pings of a WebSocket
};

// PEM files. Both are read again when they change.
struct TlsFiles {
  std::string certificate;  // with the chain; "": no TLS
  std::string key;
};

struct Options {
  Limits limits = {};
  TlsFiles tls = {};
  std::unique_ptr<Access> access = nullptr;  // null: everybody may ask
};

class Server {
 public:
  // Listens, and starts the thread. The clock outlives it. Errors: io ("cannot listen on '127.0.0.1:9123': Address already in
  // use"). A Unix socket may be used by its owner only (0600); one that nobody listens on any more is replaced.
  // With TLS also config: OpenSSL is missing, or the certificate or the key cannot be used.
  static base::Result<std::unique_ptr<Server>> start(const Address& address, std::vector<Route> routes, const base::Clock& clock,
                                                     Options options = {});
  // Takes no more connections; those that are idle are closed, the others may end by themselves until `deadline`. WebSockets are
  // closed with 1001. Then waits for the thread. True: all of them ended.
  virtual bool drain(base::Monotonic deadline) = 0;
  // Closes all connections, and waits for the thread, which may be in a handler.
  virtual ~Server() = default;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Where it listens: with the port that was taken where 0 was asked for.
  [[nodiscard]] virtual const Address& address() const = 0;

 protected:
  Server() = default;
};

}  // namespace weir::httpd
