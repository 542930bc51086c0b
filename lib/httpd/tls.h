// TLS of a server, by the system's OpenSSL. It is loaded when the first server is started with TLS, and never otherwise.
//
// A TlsSession is the TLS of one connection. It reads and writes the socket itself and never waits: where it cannot go on, it says
// what the socket must become first. The connection waits for that, and calls the same again.
#pragma once

#include "base/diagnostics.h"
#include "base/result.h"
#include "httpd/server.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::httpd {

class TlsSession {
 public:
  enum class State : std::uint8_t {
    done,         // as far as `size` says
    want_read,    // again when the socket is readable
    want_write,   // again when the socket is writable
    end,          // the client says that nothing follows
    failed,       // the connection cannot be used any more
    plain_client  // of a handshake: what came is HTTP without TLS
  };
  struct Step {
    State state = State::failed;
    std::size_t size = 0;
  };

  virtual ~TlsSession() = default;
  virtual Step handshake() = 0;
  virtual Step read(void* out, std::size_t size) = 0;
  // After want_write with the same bytes, which may stand elsewhere.
  virtual Step write(const void* bytes, std::size_t size) = 0;
  // Tells the client that nothing follows, if the socket takes that at once.
  virtual void end() = 0;
};

// Certificate and key of a server. Not thread safe: for the server's thread.
class Tls {
 public:
  // Errors: config; the message names the file. OpenSSL is missing, a file cannot be read or is not what it should be, the two do
  // not belong together, or everybody may read the key.
  static base::Result<std::unique_ptr<Tls>> create(const TlsFiles& files, base::Diagnostics* diagnostics);
  virtual ~Tls() = default;

  // For a connection that was taken; `socket` outlives it. Reads the files again when they changed; new ones that cannot be used
  // keep the old ones, which is said once a change. Null: no memory.
  virtual std::unique_ptr<TlsSession> accept(int socket) = 0;
};

}  // namespace weir::httpd
