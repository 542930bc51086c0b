// A release: held records of a spool become undelivered ones, once for each release id.
//
// Who asks selects the records (scan/held_selection.h), leaves their places in the file, and rings (spool/bell.h). The writer
// copies them, one held block a transaction: the records go into a new block, not held; `released` gets their places; the request's
// row goes. So a kill at any moment neither loses a record nor copies it twice, and whoever writes the spool next goes on.
//
//   selecting   the asking process holds SPOOL-lock.release and adds rows; when it dies, the writer forgets them
//   open        the writer copies; blocks that are still to be copied are not evicted
//   cancelled   what was not copied by then stays held; asking again with the same id selects it again
//
// A copied record names its release: in the metadata `weir_release`, or in a label of that name when it may be too far behind its
// stream for Loki, which measures the distance to the newest record for each stream alone. The writer knows that when it copies: of
// a stream, only what was stored before goes to Loki before, and that is no newer than now. So what is younger than the window need
// not move to another stream, however long its delivery takes.
#pragma once

#include "base/clock.h"
#include "base/diagnostics.h"
#include "base/result.h"
#include "base/stop.h"
#include "base/time_range.h"
#include "spool/lock_file.h"
#include "spool/ordinal_set.h"
#include "spool/spool_file.h"
#include "spool/tables/releases.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::spool {

inline constexpr std::string_view kReleaseName = "weir_release";  // of the label and of the metadata

// Loki's default: a record may be so far behind the newest of its stream.
inline constexpr base::Duration kMaxBehind = base::kHour;

// Whether a record that is copied at `now` needs a stream of its own. The newest of its stream may be some minutes ahead of the
// clock, so a sixth of the window is left for that.
[[nodiscard]] constexpr bool needs_own_stream(base::Timestamp time, base::Timestamp now, base::Duration max_behind) {
  return time < now - max_behind + max_behind / 6;
}

struct ReleaseOrder {
  std::string id;  // 1 to 64 characters out of letters, digits, `-`, `_`, `.`, `:`
  std::string query;
  base::TimeRange range;
};

[[nodiscard]] base::Result<void> check_release_id(std::string_view id);

// A release that is being asked for. When it goes without finish(), nothing was asked. Not thread safe.
class ReleaseRequest {
 public:
  // Nullopt when the release is known already and was not cancelled: it is not done again. Waits up to `wait` for another process
  // that asks. Errors: usage (no spool, a bad id), busy, io, version, full, interrupted.
  static base::Result<std::optional<ReleaseRequest>> begin(const std::string& spool, const ReleaseOrder& order, base::Duration wait,
                                                           const base::Clock& clock, const base::Stop* stop);
  ReleaseRequest(ReleaseRequest&& other) noexcept;
  ReleaseRequest& operator=(ReleaseRequest&&) = delete;
  ~ReleaseRequest();

  // These held records of the block. Keeps at most some hundred KiB in memory. Errors: io, busy, full.
  base::Result<void> add(std::uint64_t block, OrdinalSet ordinals);
  // From here on the writer copies; it is rung for. Errors as add()'s.
  base::Result<ReleaseRow> finish();

 private:
  ReleaseRequest(LockFile lock, SpoolFile file, std::string spool, ReleaseRow row);
  base::Result<void> store();

  LockFile lock_;
  SpoolFile file_;
  std::string spool_;
  ReleaseRow row_;
  std::vector<ReleaseRequestRow> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool open_ = true;  // neither finished nor moved from
};

// What was not copied yet stays held. So many records that is; 0 when all of them are copied already. Errors: usage (no such
// release: those that are known are named; or no spool), busy, io, version, full.
base::Result<std::uint64_t> cancel_release(const std::string& spool, std::string_view id);

// Who copies what was asked for.
enum class Releaser : std::uint8_t {
  writer,       // the process that writes the spool
  here,         // it is done
  next_writer,  // there is no room now; the next process that writes the spool goes on
};

// Copies what is asked for where no process writes the spool. Evicts nothing, and leaves a part of the disk free, since the limits
// of whoever writes it are not known. Errors: those of Writer::open() and append().
base::Result<Releaser> release_here(const std::string& spool, const base::Clock& clock, const base::Stop* stop,
                                    base::Diagnostics& diagnostics);

// Of whoever asks for a release.
[[nodiscard]] std::string release_lock_path(const std::string& spool);

// Takes back what a process began to ask for and did not finish. Within a transaction.
base::Result<void> abandon_release(sqlite::Database& database, std::string_view id);

}  // namespace weir::spool
