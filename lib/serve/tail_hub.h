// All tails of a server: clients that listen to what is stored, over WebSockets.
//
// One thread serves them, however many there are. It starts with the first and ends with the last. Four times a second it asks the
// spool whether somebody has committed, which costs a look at shared memory. It reads each new block once, and asks the query of
// each tail about its records.
//
// A tail is in one of these states:
//
//   joining   its client has upgraded; the thread has not seen it yet
//   history   another thread looks for the newest entries of before; new ones wait behind them
//   live      entries go out in frames, after the delay that the client asked for
//   closed    its client is gone, its time is up, or the server ends
//
// The page has a tail of its own, which takes `{}` and whose frames say more (tail_frames.h). Everything else is Loki's.
//
// A client that reads too slowly: first its frames wait in the server, then entries wait here, both bounded, and then entries are
// dropped. The next frame that goes out says which.
//
// When the spool is replaced by another, tails go on with all that is in the new one. While there is none, they wait.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "httpd/message.h"
#include "httpd/websocket.h"
#include "metrics/registry.h"
#include "serve/tail_frames.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace weir::serve {

struct TailLimits {
  std::size_t tails = 64;                // at once; Loki's max_concurrent_tail_requests is 10
  base::Duration longest = base::kHour;  // querier.tail_max_duration
  base::Duration poll = 250 * base::kMillisecond;
  std::uint64_t history = 5000;                        // most entries of before, whatever the client asks for; and 1 MiB of them
  std::size_t unsent = 128 << 10;                      // bytes that wait in the server for one client; then entries wait here
  base::Duration patience = 200 * base::kMillisecond;  // for a client that was not slow before, when a block has more than fits
  TailFrames::Limits frames = {};
};

// Thread safe.
class TailHub {
 public:
  // The clock, the diagnostics and the registry (may be null) outlive it. `spool` need not exist yet.
  static std::unique_ptr<TailHub> create(std::string spool, const TailLimits& limits, const base::Clock& clock,
                                         base::Diagnostics& diagnostics, metrics::Registry* registry = nullptr);
  // Closes all tails.
  virtual ~TailHub() = default;
  TailHub(const TailHub&) = delete;
  TailHub& operator=(const TailHub&) = delete;

  // GET /loki/api/v1/tail, /api/prom/tail and /weir/api/v1/tail. They refer to this object.
  [[nodiscard]] virtual std::vector<httpd::Route> routes() = 0;
  // Closes all tails with 1001, and takes no more.
  virtual void stop() = 0;
  // Tails that are open.
  [[nodiscard]] virtual std::size_t count() const = 0;

 protected:
  TailHub() = default;
};

}  // namespace weir::serve
