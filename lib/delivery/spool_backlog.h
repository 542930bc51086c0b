// How many records wait in a spool for one consumer, for messages.
#pragma once

#include "spool/reader.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace weir::delivery {

// Opens the spool at the first count(), so before an outage it costs nothing. Not thread safe.
class SpoolBacklog {
 public:
  SpoolBacklog(std::string spool, std::string consumer) : spool_(std::move(spool)), consumer_(std::move(consumer)) {}

  // A little too many: what was acknowledged behind the first open record is counted. Nullopt when the spool cannot be read.
  std::optional<std::uint64_t> count();

 private:
  const std::string spool_, consumer_;
  std::unique_ptr<spool::Reader> reader_;
};

}  // namespace weir::delivery
