// `weir push`: delivers records to Loki and acknowledges them to whoever keeps their positions.
//
// 'Safe' means: Loki said 2xx, or the record was refused for good, counted and said. Behind a buffer (its `begin` marker names a
// spool) the spool's consumer is told; with a checkpoint file the positions of tail are kept there; otherwise nothing is tracked, and
// delivery is given up after a while. Records that come out of a rejected store leave it when they are delivered.
//
// A backlog is what an outage of the target has left, or what a spool holds from over a minute before the start. It is delivered at a
// pace (loki/catch_up.h); records behind a spool that do not fit meanwhile, or whose stream Loki limits, stay there and are read again, so
// that streams without a backlog go on as if there were none.
#pragma once

#include "http/client.h"
#include "loki/pusher.h"
#include "pipeline/stage.h"
#include "stages/spool_source.h"

#include <memory>
#include <optional>
#include <string>

namespace weir::stages {

struct PushSpec {
  http::ClientConfig http;
  std::string tenant;                          // for records that name none
  loki::PushLimits limits;
  std::size_t batch_bytes = 1 << 20;           // of one request
  std::size_t batch_records = 20'000;
  std::optional<base::Duration> wait;          // unset: 1 s, and 0 behind a buffer
  int parallel = 4;
  std::size_t memory = 4 << 20;                // of records not acknowledged yet
  std::optional<base::Duration> give_up;       // unset: 5 min where nothing is tracked, else never (0)
  std::optional<std::uint64_t> drain_rate;     // of a backlog, bytes a second above the inflow; 0 for no limit. Unset: 1 MiB where something
                                               // is tracked and goes on, else 0
  std::optional<base::Duration> start_jitter;  // before the first request of a backlog. Unset: 30 s behind a spool, else 4 s
  base::Backoff::Limits backoff;
  loki::PusherConfig::Metadata metadata = loki::PusherConfig::Metadata::automatic;
  std::string checkpoint;                      // "" for none
  std::string consumer = "main";               // --as: behind a buffer
  std::string match;                           // LogQL; what does not match is not delivered and counts as acknowledged
  bool progress = false;                       // stderr is a terminal
};

// Checks what needs no I/O. Code::usage and Code::config.
[[nodiscard]] base::Result<void> check(const PushSpec& spec);

// Connects to nothing before the first record.
[[nodiscard]] base::Result<std::unique_ptr<pipeline::Stage>> make_push(const PushSpec& spec, const pipeline::Context& context);

// `push --spool`: the spool is read and delivered by this source, which emits nothing itself. One that does not follow has no limit for a
// backlog unless it is given one.
[[nodiscard]] base::Result<std::unique_ptr<pipeline::Source>> make_push_from_spool(const PushSpec& spec, SpoolSourceSpec spool,
                                                                                   const pipeline::Context& context);

}  // namespace weir::stages
