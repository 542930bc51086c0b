// Reads one log: its files one after the other, each to its end, as records.
//
// The files of a log are its generations, oldest first; the last is the live one. A generation is finished when it is read
// to its end and a newer one has data (plus a short grace, since the writer may still hold the old file), or when it was
// deleted. A file that became shorter, or whose bytes before the place of reading changed, was truncated: the rest of what it
// held is read from its copy, if a rotated sibling is one, and then the file from its start, as a new generation.
//
// What cannot be read is reported by a record with metadata weir_gap_bytes, and reading goes on behind it: a deleted file that was
// given up (held_files.h), a bad spot of a disk, a damaged compressed file, a generation that is gone after a restart.
//
// An open line is a part of a CRI line, or a line without its newline. It is passed on as far as it was written when nothing more
// of it is expected: the log ended, its container wrote its next log, nothing was added for a while (untracked only), or reading
// ends (untracked only).
//
// A group of lines that belong together (multiline.h) is passed on when nothing was added to the log for its time, also where
// reading is tracked, and when reading ends. While the last line of one is that of an earlier file, that file is not reported as
// done.
//
// A hole in the text (decoder.h) is a gap. At the beginning of a file it is only counted: a writer that goes on at its old place
// after a truncation leaves it. A UTF-16 file is not read; take_trouble() says so.
//
// Tracked reading introduces each generation with a marker and gives each record its source. Not thread safe.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "record/gap.h"
#include "record/label_set.h"
#include "record/pod_path.h"
#include "record/positions.h"
#include "record/record.h"
#include "tail/decoder.h"
#include "tail/handover.h"
#include "tail/held_files.h"
#include "tail/input_file.h"
#include "tail/journal_options.h"
#include "tail/read_files.h"
#include "tail/reader.h"
#include "tail/unreadable.h"

#include <array>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::tail {

// Where the path of the file goes. `automatic`: label `filename` for files outside a pod layout, nowhere for the others.
enum class FilenameMode : std::uint8_t { automatic, label, metadata };

struct ReadOptions {
  Format format = Format::automatic;
  std::size_t max_line = 256 << 10;  // bytes; Loki's default limit
  FilenameMode filename = FilenameMode::automatic;
  bool follow = false;
  bool tracked = false;
  base::Duration rotation_grace = 500 * base::kMillisecond;    // after the last line of the old file …
  base::Duration longest_rotation_grace = 10 * base::kSecond;  // … but no longer than this after the first of the new one
  base::Duration deletion_grace = 2 * base::kSecond;
  base::Duration unreadable_retry = 5 * base::kSecond;
  base::Duration patience = 5 * base::kSecond;  // with what is open, when reading is not tracked
  Multiline multiline;                          // which lines become one record
  base::Duration max_age = 0;                   // of a log without a position, lines that are older are not read; 0: all are
  std::vector<JournalField> journal_fields;     // of entries of the journal, what becomes metadata
  ReadFiles* read_files = nullptr;              // where files stay open until their records are safe; null: nowhere
  const LogRoots* roots = nullptr;              // of files that a reader opens by itself; null: every link is followed
};

struct ReadStats : DecodeStats {
  std::uint64_t gaps = 0;           // parts that could not be read, each reported by a record
  std::uint64_t gap_bytes = 0;      // of those whose size is known
  record::LostData lost;            // the same by log
  std::uint64_t truncated = 0;      // files that were truncated while they were read
  std::uint64_t leading_holes = 0;  // files that begin with zeros
  std::uint64_t generations = 0;
  std::uint64_t too_old_files = 0;     // of which something was older than max_age, so that it was not read …
  std::uint64_t too_old_bytes = 0;     // … and how much; of compressed files, as they are
  std::string latest_gap;              // the line of the record that reported it, for messages …
  std::vector<std::string> gap_lines;  // … and of the first few since somebody took them
};

// What cannot be read of a file.
struct Gap {
  std::string_view path;
  std::uint64_t from = 0;
  std::optional<std::uint64_t> to;  // nothing: unknown
  std::string_view cause;
};
inline constexpr std::string_view kHoleCause = "zeros stand there, as after a loss of power";
// Adds the record that reports it, and counts it. `metadata` lies in the batch; its last pair is free.
record::Record& put_gap(record::Batch& batch, const Gap& gap, base::Timestamp now, const record::LabelSet* labels,
                        std::span<record::Label> metadata, ReadStats& stats);
// The same, where `text` says what is lost, and `bytes` how much.
record::Record& put_gap(record::Batch& batch, std::string text, std::optional<std::uint64_t> bytes, base::Timestamp now,
                        const record::LabelSet* labels, std::span<record::Label> metadata, ReadStats& stats);

class LogReader final : public Reader, private Labeller {
 public:
  // `held`, which may be null: where files that this reader opens by itself are listed.
  LogReader(std::uint32_t number, std::string key, const ReadOptions& options, ReadStats& stats, const base::Clock& clock,
            HeldFiles* held = nullptr);

  // The place of a generation whose rest was reported as lost: behind everything that a file can hold. Lines that are still open
  // when a rest is lost get places from kAbandoned on.
  static constexpr std::uint64_t kReportedLost = std::numeric_limits<std::int64_t>::max();
  static constexpr std::uint64_t kAbandoned = kReportedLost - 4;

  // One more generation, from `offset` on, or from where lines are young enough (ReadOptions::max_age) if nothing is stored of the
  // log, without records older than `not_before`. `stored`: what the keeper knows it as.
  void add_file(std::shared_ptr<InputFile> file, std::uint64_t offset = 0,
                base::Timestamp not_before = std::numeric_limits<base::Timestamp>::min(),
                std::optional<record::FileIdentity> stored = std::nullopt);
  // Of the generation that was added last: up to which END records of stdout and of stderr are safe. Before it reads.
  [[nodiscard]] std::array<std::uint64_t, 2>& safe_ends() { return generations_.back().safe; }
  // The log's first file, which another log was done with at `offset`. While nothing is added to it nothing of it is unread, so
  // that it is not reported as lost when it goes.
  void add_done_with(std::shared_ptr<InputFile> file, std::uint64_t offset);
  // A stored generation that cannot be read any more from `offset` on: reported as a gap.
  void add_lost(const record::FileIdentity& stored, std::uint64_t offset, std::string cause);
  // So many generations that nobody could open: reported as one gap.
  void add_unopened(std::uint64_t files);
  // A stored generation of which nothing is unread: its position ends.
  void add_ended(const record::FileIdentity& stored);
  // A stored generation whose file was cut to its present size, which is less than `end`, up to where it was read, and goes on from
  // there: read from `offset`, for lines that were open, up to the cut, which is reported as a gap, and then on as a new
  // generation.
  void add_cut(std::shared_ptr<InputFile> file, std::uint64_t offset, std::uint64_t end, const record::FileIdentity& stored);
  // The keeper knows the log by this key instead of its own: its folder was renamed, or is reached by another path. Before it
  // reads.
  void set_stored_key(std::string key) { stored_key_ = std::move(key); }
  // Its position comes from somebody else (foreign_start.h), and the keeper is to know it from the first moment on. What stands
  // before it of lines that are open is read again. Before a file is added.
  void set_foreign() { foreign_ = true; }
  // An earlier file of the log had this inode.
  void add_used(std::uint64_t inode);
  // No further generation is expected (no file of the log is there any more): it ends with the last one, unless one is added after
  // all.
  void set_gone() { gone_ = true; }
  // Its container writes another log: of this one nothing more is expected.
  void set_succeeded();
  // Reading ends with what the file holds. Only where it is not tracked: otherwise what is open is left for the next time.
  void set_ending() { ending_ = true; }
  // Nobody wants it read at present: closes its files and forgets what is open. Then either come_back(), or set_gone() when nothing
  // is left of it: it ends, and its position with it, without a report of what was not read.
  void leave_alone();
  // It is read again, as one of which nothing was read before: add_file() follows. Its markers have the same log number, so that
  // its new position waits behind what was read before it was left alone.
  void come_back();
  // The live file's name is not there (true) or there again.
  void set_missing(bool missing);

  // Gives away the descriptors of its files where another reader of this log may not find all of them by name: where a file was
  // rotated or deleted, or the live name is missing, or where files that were read are not done with (ReadOptions::read_files).
  // Afterwards nothing can be read. Empty: there is nothing to give.
  [[nodiscard]] OpenFiles hand_over();

  // What is not read yet of its files, the oldest first, from `offset` on. No file: it is not there any more, and what was not read
  // of it will be reported as lost.
  struct Unread {
    std::shared_ptr<InputFile> file;
    std::uint64_t offset = 0;
  };
  [[nodiscard]] std::vector<Unread> unread() const;

  Outcome read(record::Batch& batch, Space& space) override;  // finished: the log has ended
  [[nodiscard]] base::Monotonic due() const override { return due_; }
  [[nodiscard]] std::string_view name() const override { return key_; }
  [[nodiscard]] std::optional<Cause> take_trouble() override { return std::exchange(trouble_, std::nullopt); }

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] std::uint64_t read_bytes() const { return read_bytes_; }  // of text, by this reader
  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] HeldFiles* held() const { return held_; }
  [[nodiscard]] const LogRoots* roots() const { return options_->roots; }
  [[nodiscard]] bool has(std::uint64_t inode, std::uint64_t device) const;
  // The smallest Space that read() gets along with.
  static std::size_t space_needed(const ReadOptions& options);

 private:
  // As many bytes as a check covers: with fewer, lines of one length that end alike would hide a truncation.
  static constexpr std::size_t kLead = record::kCheckBytes;

  struct Generation {
    std::shared_ptr<InputFile> file;  // null: lost or ended
    std::string lost;                 // why it cannot be read; "" with no file: ended
    std::uint32_t number = 0;         // within the stream; 0 until it is first used, so that they rise in the order of reading
    std::uint64_t offset = 0;         // of the next line
    base::Timestamp not_before = std::numeric_limits<base::Timestamp>::min();
    std::array<std::uint64_t, 2> safe{};  // ends of stdout and stderr before which everything is safe
    std::optional<record::FileIdentity> stored;
    record::FileIdentity announced;
    bool introduced = false;
    bool opening = false;    // reading of the log begins here, and no marker said so yet
    bool done_with = false;  // another log had read it to its end
    bool complete = false;   // a copy: nobody writes to it any more
    bool checked = false;    // it was read to its end and nothing stands behind that cannot be read
    bool troubled = false;   // it cannot be read, and this was reported
    struct Cut {
      std::uint64_t size = 0;  // read no further
      std::uint64_t end = 0;   // what was read before it was cut
    };
    std::optional<Cut> cut;
    std::string lead;             // the bytes before `offset`
    std::uint32_t head_size = 0;  // what head_hash covers, at most the bytes before `offset`
    std::uint64_t head_hash = record::kEmptyHash;
    base::Monotonic filled_since = 0;  // when it was first seen with data while an older one was still open; 0: not yet
    base::Monotonic grown_at = 0;      // when something new was read of it
    std::size_t rest = 0;              // bytes behind the last newline when it was last read to its end …
    base::Monotonic rest_at = 0;       // … and since when it is as many
  };

  const record::LabelSet* labels(Stream stream, record::Batch& batch) override;
  void hole(std::uint64_t from, std::uint64_t to, const record::Source& source, record::Batch& batch) override;
  std::span<record::Label> metadata(record::Batch& batch, std::size_t more = 0) const;
  Stamp stamp(record::Batch& batch, Generation& generation);
  Stamp stamp(record::Batch& batch, Generation& generation, std::uint64_t offset);
  std::uint32_t number_of(Generation& generation);
  void drop_front();
  std::uint64_t skip_old(InputFile& file, std::uint64_t offset);
  void take_open_parts(Generation& front, record::Batch& batch);
  void decide_format(std::string_view text);
  void forget_format();

  Outcome read_files(record::Batch& batch, Space& space);
  bool read_front(record::Batch& batch, Space& space, Outcome& outcome);
  void take(Generation& front, std::string_view text, std::size_t used, record::Batch& batch);
  bool at_end(std::string_view rest, record::Batch& batch, Outcome& outcome);
  bool may_finish(base::Monotonic now);
  bool give_out(std::string_view rest, record::Batch& batch);
  void close_idle_groups(record::Batch& batch);
  void close_groups(record::Batch& batch);
  bool refuse_utf16(record::Batch& batch, Outcome& outcome);
  void finish_front(std::string_view rest, record::Batch& batch, bool log_ends);

  // log_reader_loss.cc
  void truncated(record::Batch& batch);
  void go_on_in(Generation& generation, std::shared_ptr<InputFile> copy, record::Batch& batch);
  void take_given_up(InputFile::GivenUp given, record::Batch& batch);
  void end_stored(record::Batch& batch);
  bool unreadable(std::string_view rest, Cause cause, record::Batch& batch, Outcome& outcome);
  void finish_cut(record::Batch& batch);
  void lose_front(std::uint64_t from, std::optional<std::uint64_t> to, std::string_view cause, record::Batch& batch);
  void report_gap(const std::string& path, std::uint64_t from, std::optional<std::uint64_t> to, std::string_view cause,
                  const record::Source& source, record::Batch& batch);

  void introduce(Generation& generation, std::uint64_t known, std::uint64_t check_end, record::Batch& batch);
  void announce(Generation& generation, std::uint64_t known, std::uint64_t check_end, record::Batch& batch);
  void put_generation(Generation& generation, const record::FileIdentity& identity, record::Batch& batch);
  void put_done(Generation& generation, std::uint64_t end, bool gone, record::Batch& batch);
  void put_finished(record::Batch& batch);
  record::Source place(Generation& generation, std::uint8_t substream, std::uint64_t end);

  std::uint32_t number_;
  std::string key_;
  std::string stored_key_;              // "": as key_
  std::optional<record::PodPath> pod_;  // views into key_
  const ReadOptions* options_;
  ReadStats* stats_;
  const base::Clock* clock_;
  HeldFiles* held_;
  std::list<Generation> generations_;  // nearly always one, of a thousand logs
  std::uint32_t last_number_ = 0;
  // Generations that were read to their ends, the first of which has the end of a group that is still held.
  struct Finished {
    std::uint32_t number;
    std::uint64_t end;
    bool gone;
  };
  std::vector<Finished> finished_;
  base::Monotonic taken_at_ = 0;  // when something was last read of any generation
  std::uint64_t read_bytes_ = 0;
  bool known_ = false;                      // the keeper knows of the log, or is to know
  bool foreign_ = false;                    // it begins where somebody else stopped
  bool stored_ = false;                     // it did from the start: what is unread of it is to be read, however old it is
  std::vector<std::uint64_t> used_inodes_;  // of the latest files, as often as they had them
  Decoder decoder_;
  bool format_known_ = false;
  bool gone_ = false;
  bool ending_ = false;
  base::Monotonic succeeded_at_ = base::kNever;
  bool missing_ = false;
  base::Monotonic missing_since_ = 0;
  base::Monotonic due_ = base::kNever;
  std::optional<Cause> trouble_;
  std::array<record::LabelSetRef, 3> labels_;
};

}  // namespace weir::tail
