// `weir push`: delivers records to Loki, and acknowledges them to the keeper of their positions.
//
// 'Safe' means that Loki answered 2xx, or that the record was refused for good, counted and reported. Behind a buffer (its
// `begin` marker names a spool) the acknowledgements go to the spool's consumer. With a checkpoint file, tail's positions are
// kept in it. Otherwise nothing is tracked, and push gives up after a while. Records from a rejected store leave it when they
// are delivered.
//
// A backlog is what an outage of the target has left, or what a spool holds from over a minute before the start. It is
// delivered at a limited rate (loki/catch_up.h). Records behind a spool that do not fit into memory meanwhile, or whose stream
// Loki limits, stay in the spool and are read again. So streams without a backlog are not delayed.
#pragma once

#include "http/client.h"
#include "loki/pusher.h"
#include "pipeline/stage.h"
#include "record/source.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace weir::stages {

struct PushSpec {
  http::ClientConfig http;
  std::string tenant;  // for records without a tenant
  loki::PushLimits limits;
  std::size_t batch_bytes = 1 << 20;  // bytes of one request
  std::size_t batch_records = 20'000;
  std::optional<base::Duration> wait;  // unset: 1 s, but 0 behind a buffer
  int parallel = 4;
  std::size_t memory = 4 << 20;           // bytes of records that are not acknowledged
  std::optional<base::Duration> give_up;  // unset: 5 min when nothing is tracked, otherwise never (0)
  // The rate of a backlog in bytes per second above the inflow; 0: no limit. Unset: 1 MiB when something is tracked and the
  // input goes on, otherwise 0.
  std::optional<std::uint64_t> drain_rate;
  // The longest wait before the first request of a backlog; unset: 30 s behind a spool, otherwise 4 s.
  std::optional<base::Duration> start_jitter;
  base::Backoff::Limits backoff;
  loki::PusherConfig::Metadata metadata = loki::PusherConfig::Metadata::automatic;
  std::string checkpoint;  // "" for none
  // With a checkpoint: called with the source of each file that is done with (spool::Keeper::on_done), by any thread. May be empty.
  std::function<void(const record::Source&)> file_done;
  std::string consumer = "main";  // --as: the consumer's name behind a buffer
  std::string match;              // LogQL; a record that does not match is not delivered and counts as acknowledged
};

// Checks what needs no I/O. Errors: Code::usage and Code::config.
[[nodiscard]] base::Result<void> check(const PushSpec& spec);

// What push does depends on where its records come from.
struct PushInput {
  bool direct = false;  // no stage or program stands between the spool and push
  bool follows = true;  // more records come; otherwise a backlog has no limit unless one is given
  // How many records the source gives until it ends; 0 while that is not known. Outlives the stage; null where nobody knows.
  const std::uint64_t* all = nullptr;
};

// Does not connect before the first record. Errors: those of check().
[[nodiscard]] base::Result<std::unique_ptr<pipeline::Stage>> make_push(const PushSpec& spec, const pipeline::Context& context,
                                                                       const PushInput& input = {});

}  // namespace weir::stages
