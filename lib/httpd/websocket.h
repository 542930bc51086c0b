// A WebSocket (RFC 6455) of which the server only writes: text frames to a client that listens.
//
// What the client sends is read and thrown away, but for close and ping. The server pings every Limits::ping, which keeps proxies
// from closing the connection. It closes it when the client answers nothing for Limits::write (a program that a user stops for a
// moment is not cut), or does not take a frame for Limits::write.
//
// The methods may be called from any thread. When the last reference goes without close(), the client gets 1011. A WebSocket may
// outlive its server: then the client is gone.
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
  // `call` runs once, on the server's thread, when the client is gone, and also where it is gone already; on this thread where the
  // server has ended. Only the latest `call` counts. For who waits on something else.
  virtual void when_gone(std::function<void()> call) = 0;
};

}  // namespace weir::httpd
