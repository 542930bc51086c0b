// A WebSocket (RFC 6455) of which the server only writes: text frames to a client that listens.
//
// What the client sends is read and thrown away, but for close and ping. The server pings every Limits::ping, and closes the
// connection when the client answers nothing for three of these times, or reads nothing for Limits::write while something waits to
// be sent. The methods may be called from any thread. A WebSocket may outlive its server: then the client is gone.
#pragma once

#include "httpd/message.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::httpd {

class WebSocket {
 public:
  virtual ~WebSocket() = default;

  [[nodiscard]] virtual const Request& request() const = 0;

  // Queues one text frame (UTF-8). Never waits. False, and nothing is queued: the client is gone, or more than Limits::unsent bytes
  // wait for it already.
  virtual bool send(std::string text) = 0;
  // Bytes that wait to be sent.
  [[nodiscard]] virtual std::size_t unsent() const = 0;
  // Sends what is queued, then a close frame (RFC 6455, 7.4: 1000 normal, 1001 going away, 1011 internal error). `reason`: at most
  // 123 bytes.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  [[nodiscard]] virtual bool gone() const = 0;
  // `call` runs once, on the server's thread, when the client is gone; at once when it is. For who waits on something else.
  virtual void when_gone(std::function<void()> call) = 0;
};

}  // namespace weir::httpd
