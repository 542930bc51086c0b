// Reads a spool as a tracked stream, for `push --spool SPOOL --as NAME`: a `begin` marker, what the consumer has not acknowledged
// yet in the order of storing (held and rejected records left out), a `block` marker after each block, `end`.
#pragma once

#include "pipeline/stage.h"

#include <memory>
#include <string>

namespace weir::stages {

struct SpoolSourceSpec {
  std::string spool;                        // path
  std::string consumer = "main";            // starts at this consumer's place; a name that is not registered has all in front of it
  bool follow = true;                       // false: ends when everything that was there has been emitted
  base::Duration poll = 250 * base::kMillisecond;
  base::Duration wait = 30 * base::kSecond; // for a spool that is not there yet (when following) or busy
};

base::Result<std::unique_ptr<pipeline::Source>> make_spool_source(const SpoolSourceSpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
