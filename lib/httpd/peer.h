// The connections of a server, and what they share. For the server's thread, but for what says otherwise.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "httpd/beast.h"
#include "httpd/budget.h"
#include "httpd/loop.h"
#include "httpd/routes.h"
#include "httpd/server.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>

namespace weir::httpd {

// While the server drains: what a client has to send the rest of a request, or to answer a close frame.
inline constexpr base::Duration kDrainPatience = 2 * base::kSecond;

// One connection: HTTP (connection.h) or a WebSocket (socket_peer.h).
class Peer {
 public:
  // What it costs to close it for a new one, the cheapest first.
  enum class Worth : std::uint8_t { ending, idle, reading, busy };

  virtual ~Peer() = default;
  [[nodiscard]] virtual Worth worth() const = 0;
  // At once. It leaves its Peers.
  virtual void close() = 0;
  // The server takes no more requests: ends as soon as nobody loses anything.
  virtual void drain() = 0;

 private:
  friend class Peers;
  std::list<std::shared_ptr<Peer>>::iterator place_;
};

// All of them, by the time of their last step, the oldest first.
class Peers {
 public:
  void add(std::shared_ptr<Peer> peer);
  void remove(Peer& peer) { all_.erase(peer.place_); }
  // It made a step: it is the latest now.
  void moved(Peer& peer) { all_.splice(all_.end(), all_, peer.place_); }
  [[nodiscard]] std::size_t size() const { return all_.size(); }

  // Closes the one that is worth least, the oldest of these. False: all are busy.
  bool make_room();
  void drain();
  void close();

 private:
  std::list<std::shared_ptr<Peer>> all_;
};

// What a connection uses of its server.
struct ServerParts {
  ServerParts(Address listens_on, std::vector<Route> all_routes, const base::Clock& a_clock, Options options)
      : address(std::move(listens_on)),
        routes(std::move(all_routes), std::move(options.not_found)),
        clock(a_clock),
        limits(options.limits),
        access(std::move(options.access)),
        diagnostics(options.diagnostics),
        budget(std::make_shared<Budget>(limits.bodies)),
        header_budget(std::make_shared<Budget>(limits.long_headers)),
        answer_budget(std::make_shared<Budget>(limits.answers)) {}

  Address address;
  const Routes routes;
  const base::Clock& clock;
  const Limits limits;
  const std::unique_ptr<Access> access;         // null: everybody may ask
  base::Diagnostics* const diagnostics;         // may be null
  const std::shared_ptr<Budget> budget;         // of bodies
  const std::shared_ptr<Budget> header_budget;  // of long headers
  const std::shared_ptr<Budget> answer_budget;  // of long answers
  std::shared_ptr<Loop> loop;
  Peers peers;
  bool draining = false;
};

}  // namespace weir::httpd
