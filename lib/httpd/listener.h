// The socket that a server listens on, and whom it takes connections from.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "httpd/address.h"

#include <sys/socket.h>

#include <cstddef>

namespace weir::httpd {

// A listening socket that never waits. Sets address.port where it was 0. Errors: io ("cannot listen on '127.0.0.1:9123': Address
// already in use"). A Unix socket gets the mode 0600; one that nobody listens on any more is replaced, nothing else is.
// `backlog`: connections that may wait to be taken.
base::Result<base::UniqueFd> listen_on(Address& address, std::size_t backlog);

// The peer of a TCP connection is this machine.
[[nodiscard]] bool is_here(const sockaddr_storage& peer);

}  // namespace weir::httpd
