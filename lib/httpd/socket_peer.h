// A connection that became a WebSocket. It belongs to the server's thread; the WebSocket that the route got belongs to whoever
// writes, on any thread.
//
// States:
//   accepting  the answer to the upgrade is written; then the route gets its WebSocket
//   open       frames are written in their order, one at a time; what comes is read and thrown away; a timer pings
//   closing    a close frame is written behind what is queued, and the one of the client awaited
//   closed     the route was told; nothing happens any more
//
// A time limit holds in all of them: of accepting Limits::read; of open and closing Limits::write since the last frame that came,
// and since the frame began that is being written.
#pragma once

#include "httpd/peer.h"
#include "httpd/wire.h"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>

namespace weir::httpd {

using Upgrade = beast::http::request<beast::http::empty_body>;

// Adds it to parts.peers. `header` is the one of `request`. `route` outlives it.
void take_socket(ServerParts& parts, Wire wire, Upgrade header, Request request, const Route& route);

}  // namespace weir::httpd
