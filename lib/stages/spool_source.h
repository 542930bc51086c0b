// Reads a spool as a tracked stream, for `push --spool SPOOL --as NAME`. The stream is a `begin` marker, then the records that
// the consumer has not acknowledged, in the order of storing (without held and rejected records), with a `block` marker after
// each block, then `end`.
#pragma once

#include "pipeline/stage.h"

#include <cstdint>
#include <memory>
#include <string>

namespace weir::stages {

struct SpoolSourceSpec {
  std::string spool;  // the spool's path
  // The stream starts at this consumer's place; for a new name, at the beginning of the spool.
  std::string consumer = "main";
  bool follow = true;  // false: end when everything that was there has been emitted
  // Becomes about how many records the stream will have, before the first of them; null where nobody asks. Outlives the source.
  std::uint64_t* all = nullptr;
  base::Duration poll = 250 * base::kMillisecond;
  base::Duration wait = 30 * base::kSecond;  // for a spool that does not exist yet (when following) or is busy
};

base::Result<std::unique_ptr<pipeline::Source>> make_spool_source(const SpoolSourceSpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
