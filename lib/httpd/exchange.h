// A request that is answered later, from any thread: of a query that takes a while, or whose answer comes in pieces.
//
//   [exchange] { exchange->answer(work(exchange->request())); }                    // on another thread
//
//   exchange->begin({.status = 200, .content_type = "application/x-ndjson"});      // or in pieces
//   while (…) if (!exchange->write(piece)) return;                                 // nobody reads any more
//   exchange->end();
//
// An answer of a KiB or more, and one in pieces, is compressed with gzip on the caller's thread where the client takes that and is
// not on this machine.
//
// When the last reference goes before an answer, the client gets 500. The methods may be called from any thread, by one at a time.
// An Exchange may outlive its server: then the client is gone.
#pragma once

#include "httpd/message.h"

#include <string>

namespace weir::httpd {

class Exchange {
 public:
  virtual ~Exchange() = default;

  [[nodiscard]] virtual const Request& request() const = 0;
  // The request's body, for who wants to change or keep it. Once.
  [[nodiscard]] virtual std::string take_body() = 0;

  // The whole answer. Never waits.
  virtual void answer(Response response) = 0;

  // An answer in pieces (Transfer-Encoding: chunked; with HTTP/1.0 the connection ends with it). The body of `head` comes first.
  virtual void begin(Response head) = 0;
  // Waits while more than Limits::unsent bytes are not sent; so never on the server's thread, which sends them. False: the client
  // is gone, or has not read for Limits::write; what follows is pointless.
  virtual bool write(std::string piece) = 0;
  virtual void end() = 0;

  // The client closed the connection, or the server ends. Cheap: ask between two steps of long work.
  [[nodiscard]] virtual bool gone() const = 0;
};

}  // namespace weir::httpd
