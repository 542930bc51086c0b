// What `weir spool status` and `weir spool check` tell of a spool.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/positions.h"
#include "spool/place.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::spool {

struct ConsumerStatus {
  std::string name, match;
  BlockPlace place;                  // everything before it is acknowledged
  std::uint64_t behind_records = 0;  // not acknowledged, held ones left out
  base::Timestamp oldest = 0;        // of the records in the first block that is not acknowledged whole; 0 when there is none
  base::Timestamp updated = 0;
  bool connected = false;  // a process holds the name
};

struct SpoolStatus {
  std::uint64_t id = 0;
  std::int64_t format = 0;
  base::Timestamp created = 0;
  std::uint64_t file_bytes = 0, log_bytes = 0, free_bytes = 0;  // the file, its write-ahead log, unused within the file
  std::uint64_t blocks = 0, records = 0, line_bytes = 0, body_bytes = 0;
  std::uint64_t undelivered = 0, delivered = 0, held = 0, rejected = 0;  // records by state
  base::Timestamp oldest = 0, newest = 0;
  std::uint64_t evicted_undelivered = 0;  // since the spool was made
  std::uint64_t evicted_rejected = 0;     // since the spool was made: gone with their block, over their time, or for want of room
  std::uint64_t rejected_bytes = 0;       // of rejected records that are kept whole
  std::uint64_t damaged_blocks = 0, damaged_records = 0;  // set aside since the spool was made
  std::uint64_t reserve_bytes = 0;                        // disk space kept for the moment when the disk is full
  std::vector<std::string> set_aside;                     // files beside the spool that hold what was damaged
  bool writing = false;                                   // some process holds the writer's lock
  std::string missing;  // what a copy without its write-ahead log lacks, a sentence; "" for nothing
  std::vector<ConsumerStatus> consumers;
  record::Positions positions;
};

// One read transaction, but for blocks that are acknowledged in part. Errors: as Reader::open.
base::Result<SpoolStatus> read_status(const std::string& path, base::Duration wait = 30 * base::kSecond);

struct SpoolCheck {
  std::uint64_t blocks = 0, records = 0;
  std::vector<std::string> problems;  // one sentence each; empty: all is well
};

// Reads everything: SQLite's own integrity check, then checksum and form of every block, positions and acknowledgements.
base::Result<SpoolCheck> check_spool(const std::string& path, base::Duration wait = 30 * base::kSecond);

}  // namespace weir::spool
