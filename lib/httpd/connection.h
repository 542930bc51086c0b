// A connection that speaks HTTP. server.h says its states.
#pragma once

#include "httpd/peer.h"
#include "httpd/wire.h"

#include <memory>

namespace weir::httpd {

struct Welcome {
  bool from_here = false;
  bool is_refused = false;  // there are too many: its first answer is 503
};

// Adds it to parts.peers, and begins. `parts` outlives it.
void take_connection(ServerParts& parts, Wire wire, Welcome welcome);

}  // namespace weir::httpd
