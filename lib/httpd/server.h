// An HTTP/1.1 server for a handful of clients: /metrics and probes, and the API of `serve`.
//
// One thread does all of it: it accepts, reads, calls the handlers, and writes. Nothing runs while nobody asks: the thread sleeps
// in one epoll_wait without a timeout, and a timer runs only while a connection is open. Every connection is in one of these
// states:
//
//   shaking    TLS is agreed upon (tls.h); closed when that is not done after Limits::read
//   idle       no byte of a request has come; closed after Limits::idle, or earlier when its place is needed
//   reading    a request comes; closed when its header is not whole after Limits::read, or when less than 64 KiB of its body come
//   in
//              such a time
//   working    a handler of `later` has the request (exchange.h); only the end of the client is noticed. No time limit
//   answering  an answer, or a part of one, is written; closed when the client takes neither all of it nor 64 KiB in Limits::write
//   ending     refused, or the last answer is sent: what still comes is thrown away for 2 s, so that the client reads the answer
//   socket     a WebSocket behind its upgrade (websocket.h)
//
// When there are as many connections as Limits::connections, a new one takes the place of one that is ending, or else of the one
// that has been idle longest, or else of the one that has been reading or shaking longest. Where all others work, are answered or
// are WebSockets, the new one gets 503.
//
// What is refused before a handler sees it: two Host headers, two lengths, a length beside Transfer-Encoding or any coding but
// "chunked" (RFC 9112, 6: two readings of where a request ends let one be hidden in another), a header or a body that is too long,
// and what Access refuses, which is checked before the body is read. Long headers have a budget of their own: who may not ask
// cannot use up that of the bodies.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "httpd/access.h"
#include "httpd/address.h"
#include "httpd/message.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::httpd {

struct Limits {
  std::uint32_t header = 8 << 10;  // bytes, with the request line; beyond, and beyond 256 lines: 431
  // Bytes of memory that headers longer than 8 KiB take, all that are read or answered at once; beyond: 503 with Retry-After.
  std::uint64_t long_headers = 16 << 20;
  std::uint64_t body = 64 << 10;    // bytes; beyond: 413
  std::uint64_t bodies = 64 << 20;  // bytes of all bodies that are read or worked on at once; beyond: 503 with Retry-After
  // Bytes of whole answers that wait to be sent, of those longer than 64 KiB; beyond, 503 with Retry-After is sent instead.
  std::uint64_t answers = 64 << 20;
  std::size_t connections = 64;       // at once; the process needs as many descriptors
  base::Duration idle = base::kHour;  // far beyond the pause between two scrapes
  base::Duration read = 10 * base::kSecond;
  base::Duration write = 30 * base::kSecond;
  std::size_t unsent = 1 << 20;         // bytes that may wait for one client, of an answer in pieces or a WebSocket
  base::Duration ping = base::kSecond;  // between two pings of a WebSocket
};

// PEM files. Both are read again when they change: the next connection gets the new ones. Only the owner and its group may be able
// to read the key.
struct TlsFiles {
  std::string certificate;  // with the chain; "": no TLS
  std::string key;
};

struct Options {
  Limits limits = {};
  TlsFiles tls = {};
  std::unique_ptr<Access> access = nullptr;  // null: everybody may ask
  std::string not_found = {};                // the body of a 404 where no route has the path; "": "Not Found" and a line end
  base::Diagnostics* diagnostics = nullptr;  // outlives the server; gets what goes wrong while it serves
};

class Server {
 public:
  // Listens, and starts the thread. The clock outlives it. Errors: io ("cannot listen on '127.0.0.1:9123': Address already in
  // use"). A Unix socket may be used by its owner only (0600); one that nobody listens on any more is replaced.
  // With TLS also config: OpenSSL is missing, or the certificate or the key cannot be used.
  static base::Result<std::unique_ptr<Server>> start(const Address& address, std::vector<Route> routes, const base::Clock& clock,
                                                     Options options = {});
  // Takes no more connections; those that are idle are closed, the others may end by themselves until `deadline`. WebSockets are
  // closed with 1001. A client that has begun a request, or does not answer the close frame, has two seconds. Then waits for the
  // thread. True: all of them ended. Once, and not on the server's thread. `hurry`, which may be null, is asked again and again:
  // once it says true, the deadline is now.
  virtual bool drain(base::Monotonic deadline, const std::function<bool()>& hurry = {}) = 0;
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
