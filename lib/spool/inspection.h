// What `weir spool status` and `weir spool check` show.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/positions.h"
#include "spool/place.h"
#include "spool/status_file.h"
#include "spool/tables/losses.h"
#include "spool/watch.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::spool {

struct ConsumerStatus {
  std::string name, match;
  BlockPlace place;                  // everything before it is acknowledged
  std::uint64_t behind_records = 0;  // records that are not acknowledged, without held ones
  base::Timestamp oldest = 0;        // the oldest time in the blocks that are not fully acknowledged; 0 when there is none
  // Since when delivery to it is late: the earliest, over its undelivered records, of the later of a record's own time and the time
  // when it was stored. A line that was old when it was stored is late from then on. 0 when there is none.
  base::Timestamp late_since = 0;
  base::Timestamp updated = 0;
  bool connected = false;                // a process holds the name
  std::uint64_t pid = 0;                 // of this process
  std::optional<ProcessStatus> process;  // what it says of itself, or the latest one said; nullopt: nothing is known
};

struct ReleaseStatus {
  std::string id, query;
  base::Timestamp created = 0;  // when it was asked for
  base::Timestamp from = 0, to = 0;
  std::string_view state;  // "selecting", "releasing", "released" or "cancelled"
  // Records. matched = released + pending + left_out, but for one that is being selected.
  std::uint64_t matched = 0;
  std::uint64_t released = 0;  // undelivered since, or more than that: sent + refused + lost of them
  std::uint64_t pending = 0;   // still held, to be released
  std::uint64_t left_out = 0;  // stay held, or are gone: cancelled, released otherwise, evicted or damaged
  std::uint64_t sent = 0;      // acknowledged by every consumer, and not refused
  std::uint64_t refused = 0;
  std::uint64_t lost = 0;  // evicted or damaged before they were delivered
};

struct SpoolStatus {
  std::uint64_t id = 0;
  std::int64_t format = 0;
  base::Timestamp created = 0;
  std::uint64_t file_bytes = 0, log_bytes = 0, free_bytes = 0;  // the file, its write-ahead log, unused within the file
  std::uint64_t blocks = 0, records = 0, line_bytes = 0, body_bytes = 0;
  // Records by state. Without consumers `delivered` is 0 and `undelivered` counts records that wait for nobody.
  std::uint64_t undelivered = 0, delivered = 0, held = 0, rejected = 0;
  std::uint64_t held_bytes = 0;     // on disk, of blocks that hold held records alone
  base::Timestamp oldest_held = 0;  // of the records in such blocks; 0 when there are none
  base::Timestamp oldest = 0, newest = 0;
  std::uint64_t evicted_undelivered = 0;  // since the spool was made
  std::uint64_t evicted_rejected = 0;     // since the spool was made: with their block, for their age, or to make room
  std::uint64_t rejected_bytes = 0;       // of rejected records that are kept whole
  std::uint64_t damaged_blocks = 0, damaged_records = 0;  // set aside since the spool was made
  std::uint64_t reserve_bytes = 0;                        // disk space kept for the moment when the disk is full
  std::vector<std::string> set_aside;                     // files beside the spool that hold what was damaged
  bool writing = false;                                   // a process holds the writer's lock
  std::uint64_t writer_pid = 0;                           // of this process
  std::optional<ProcessStatus> writer;                    // as ConsumerStatus::process
  Losses losses;                                          // since the spool was made
  base::Timestamp evicted_last = 0;                       // when undelivered records were evicted the last time
  std::uint64_t evicted_held = 0;                         // held records that were evicted to make room, since the spool was made
  // How long it takes until the spool is full when nothing is delivered.
  std::uint64_t undelivered_bytes = 0;  // on disk, of blocks that some consumer has not acknowledged whole
  std::uint64_t max_size = 0;           // of the latest writer; 0: unknown
  bool drops_oldest = false;            // a full spool evicts undelivered records, and does not wait
  std::uint64_t room_bytes = 0;         // what undelivered records may still take, in the spool and on the disk; with max_size only
  double inflow = 0;  // bytes on disk a second that were stored in the last five minutes; 0: or seen for less than a minute
  [[nodiscard]] std::optional<base::Duration> full_in() const;  // nullopt: unknown, or nothing comes
  // The oldest record that some consumer has not acknowledged; 0: there is none.
  [[nodiscard]] base::Timestamp oldest_undelivered() const;
  // The earliest of ConsumerStatus::late_since; 0: nothing is undelivered.
  [[nodiscard]] base::Timestamp late_since() const;
  std::string missing;  // a sentence: what a copy without its write-ahead log lacks; "" for nothing
  std::vector<ConsumerStatus> consumers;
  std::vector<ReleaseStatus> releases;  // the oldest first
  record::Positions positions;
};

// Asks no process. Reads in one transaction, except blocks that are acknowledged in part. Errors: as Reader::open.
// `clock`: for the rate at which records come.
base::Result<SpoolStatus> read_status(const std::string& path, base::Duration wait = 30 * base::kSecond,
                                      const base::Clock& clock = base::Clock::system());

struct SpoolCheck {
  std::uint64_t blocks = 0, records = 0;
  std::vector<std::string> problems;  // one sentence each; empty: the spool is sound
};

// Reads everything: SQLite's own integrity check, then checksum and form of every block, positions and acknowledgements. `watch`
// counts the bytes of the file, and then those of the blocks.
base::Result<SpoolCheck> check_spool(const std::string& path, base::Duration wait = 30 * base::kSecond, const Watch& watch = {});

}  // namespace weir::spool
