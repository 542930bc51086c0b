// Reads one log: its files one after the other, each to its end, as records.
//
// The files of a log are its generations, oldest first; the last is the live one. A generation is finished when it is read
// to its end and a newer one has data (plus a short grace, since the writer may still hold the old file), or when it was
// deleted. A file that became shorter, or whose bytes before the place of reading changed, was truncated: it is read from
// its start, as a new generation. Tracked reading introduces each generation with a marker and gives each record its source.
// Not thread safe.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/label_set.h"
#include "record/positions.h"
#include "record/record.h"
#include "tail/decoder.h"
#include "tail/input_file.h"
#include "tail/pod_path.h"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::tail {

// Where the path of the file goes. `automatic`: label `filename` for files outside a pod layout, nowhere for the others.
enum class FilenameMode : std::uint8_t { automatic, label, metadata };

struct ReadOptions {
  Format format = Format::automatic;
  std::size_t max_line = 256 << 10;  // bytes; Loki's default limit
  FilenameMode filename = FilenameMode::automatic;
  bool follow = false;
  bool tracked = false;
  base::Duration rotation_grace = 500 * base::kMillisecond;
  base::Duration deletion_grace = 2 * base::kSecond;
};

struct ReadStats : DecodeStats {
  std::uint64_t gaps = 0;       // stretches that could not be read, each told by a record
  std::uint64_t gap_bytes = 0;  // of those whose size is known
  std::uint64_t truncated = 0;  // files that were truncated while they were read
  std::uint64_t generations = 0;
};

// A piece of memory of the batch that blocks are read into.
struct Space {
  char* at = nullptr;
  std::size_t left = 0;
  bool whole = false;  // nothing of it was used yet
};

class LogReader final : private Labeller {
 public:
  LogReader(std::uint32_t number, std::string key, const ReadOptions& options, ReadStats& stats, const base::Clock& clock);

  // One more generation, from `offset` on, without records older than `not_before`. `stored`: what the keeper knows it as.
  void add_file(std::unique_ptr<InputFile> file, std::uint64_t offset = 0,
                base::Timestamp not_before = std::numeric_limits<base::Timestamp>::min(),
                std::optional<record::FileIdentity> stored = std::nullopt);
  // A stored generation that cannot be read any more. It was not read from `offset` to its end: told as a gap, unless `read_out`.
  void add_lost(const record::FileIdentity& stored, std::uint64_t offset, bool read_out);
  // No further generation will come (not followed, or the folder is gone): the log ends with the last one.
  void set_gone() { gone_ = true; }
  // The live file's name is not there (true) or there again.
  void set_missing(bool missing);

  enum class Outcome : std::uint8_t {
    more,      // call again: there may be more to read now
    full,      // `space` or the batch has no room left: emit and call again
    idle,      // nothing to read until it changes, or until due()
    finished,  // the log has ended
  };
  base::Result<Outcome> read(record::Batch& batch, Space& space);
  [[nodiscard]] base::Monotonic due() const { return due_; }

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] bool has(std::uint64_t inode, std::uint64_t device) const;
  // The smallest Space that read() gets along with.
  static std::size_t space_needed(const ReadOptions& options);

  // Set by the one who drives several logs: whether this one is in his queue.
  bool queued = false;

 private:
  static constexpr std::size_t kLead = 16;

  struct Generation {
    std::unique_ptr<InputFile> file;  // null: lost
    std::uint32_t number = 0;         // within the stream; 0 until it is first used, so that they rise in the order of reading
    std::uint64_t offset = 0;         // of the next line
    base::Timestamp not_before = 0;
    std::optional<record::FileIdentity> stored;
    record::FileIdentity announced;
    bool introduced = false;
    bool skipped = false;             // reading begins behind the start, and no marker said so yet
    bool read_out = false;            // lost, but nothing of it was unread
    std::array<char, kLead> lead{};   // the bytes before `offset`
    std::size_t lead_size = 0;
    base::Monotonic filled_since = 0; // when it was first seen with data while an older one was still open; 0: not yet
  };

  const record::LabelSet* labels(Stream stream, record::Batch& batch) override;
  std::span<record::Label> metadata(record::Batch& batch, std::size_t more = 0) const;
  Stamp stamp(record::Batch& batch, Generation& generation);
  std::uint32_t number_of(Generation& generation);
  void decide_format(std::string_view text);
  base::Result<bool> read_front(record::Batch& batch, Space& space, Outcome& outcome);
  base::Result<bool> at_end(std::string_view rest, record::Batch& batch, Outcome& outcome);
  base::Result<void> finish_front(std::string_view rest, record::Batch& batch, bool log_ends);
  base::Result<void> introduce(Generation& generation, std::uint64_t known, record::Batch& batch);
  base::Result<void> announce(Generation& generation, std::uint64_t known, std::uint64_t check_end, record::Batch& batch);
  base::Result<void> restart(record::Batch& batch);
  void tell_lost(Generation& generation, record::Batch& batch);
  void put_generation(Generation& generation, const record::FileIdentity& identity, record::Batch& batch);
  record::Marker* put_marker(record::Batch& batch, const record::Source& source, record::Marker::Type type, bool gone);
  record::Source place(Generation& generation, std::uint8_t substream, std::uint64_t end);

  std::uint32_t number_;
  std::string key_;
  std::optional<PodPath> pod_;  // views into key_
  const ReadOptions* options_;
  ReadStats* stats_;
  const base::Clock* clock_;
  std::deque<Generation> generations_;
  std::uint32_t last_number_ = 0;
  Decoder decoder_;
  bool format_known_ = false;
  bool gone_ = false;
  bool missing_ = false;
  base::Monotonic missing_since_ = 0;
  base::Monotonic due_ = base::kNever;
  std::array<record::LabelSetRef, 3> labels_;
};

}  // namespace weir::tail
