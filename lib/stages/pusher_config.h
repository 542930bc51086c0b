// How push sets up its pusher: what the options say, and the defaults that depend on where the records come from.
#pragma once

#include "loki/pusher.h"
#include "stages/push.h"

#include <string>

namespace weir::stages {

// What is known when the first record or marker has come.
struct PusherInput {
  std::string url;           // for messages
  bool tracked = false;      // positions are kept
  bool listens = false;      // the ledger must learn the fate of records
  bool in_spool = false;     // the records come from a spool
  bool follows = true;       // more records come
  bool doubt_clock = false;  // the spool's last time makes the wall clock doubtful
};

[[nodiscard]] loki::PusherConfig pusher_config(const PushSpec& spec, const PusherInput& input);

// How long a record waits for company, unless the spec says.
inline constexpr base::Duration kBatchWait = base::kSecond;

}  // namespace weir::stages
