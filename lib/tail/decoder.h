// Turns blocks of a log file into records: finds lines, takes them apart by format, joins the parts of CRI and docker lines,
// splits lines that are too long.
//
// One decoder serves one log over all its files, because a line may begin in one and end in the next. Lines are views into
// the block, which must lie in memory of the batch (or live as long as it); only joined lines are copied. The result does not
// depend on where blocks end, with two exceptions: zero bytes in a line that is longer than a block, and a line of docker or of
// Format::rfc3339 that is longer than enough(), which is passed as it is unless its end is in the block. Where lines are joined
// (multiline.h), the order of the records of one stream does not depend on it, that of two streams does. Not thread safe.
//
// A byte order mark at offset 0 is no part of the first line.
//
// A hole is zero bytes where text should stand, as a loss of power leaves them: any in front of a line of CRI or docker, kHole of
// them anywhere else. What stands before a hole is a line of its own, also a part that was to go on; what stands behind it is read
// as a line; the hole itself is reported.
#pragma once

#include "base/clock.h"
#include "record/positions.h"
#include "record/record.h"
#include "tail/format.h"
#include "tail/journal_options.h"
#include "tail/multiline.h"

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::tail {

// What was decoded, summed over all logs.
struct DecodeStats {
  std::uint64_t records = 0, bytes = 0;
  std::uint64_t malformed = 0;  // lines of a CRI or docker file without its format: passed on as they are, with the time of reading
  std::uint64_t split = 0;      // lines longer than max_line
  std::uint64_t before_start = 0;  // records older than the time reading was to start from: dropped
  std::uint64_t joined = 0;        // lines that became part of the record of a line before them (multiline.h)
};

// Whoever the decoder works for.
class Labeller {
 public:
  // The label set for the lines of one log and stream, held by the batch in use. Asked once a block and stream.
  virtual const record::LabelSet* labels(Stream stream, record::Batch& batch) = 0;
  // The bytes from `from` to `to` of the file are zeros. `source` is the place behind them.
  virtual void hole(std::uint64_t from, std::uint64_t to, const record::Source& source, record::Batch& batch) = 0;

 protected:
  ~Labeller() = default;
};

// What the records of a block get. `metadata` lies in the batch.
struct Stamp {
  Labeller* labeller = nullptr;
  std::span<const record::Label> metadata;
  bool tracked = false;  // records get a source
  std::uint32_t log = 0;
  record::Place place;      // generation, and offset of the block's first byte
  base::Timestamp now = 0;  // time of lines that have none
  base::Timestamp not_before = std::numeric_limits<base::Timestamp>::min();
  std::array<std::uint64_t, 2> safe{};  // records of stdout and stderr that end up to there are safe: they are not joined to others
};

class Decoder final : private Joiner::Sink {
 public:
  // A line of more than `max_line` bytes becomes several records, cut between characters, with metadata weir_split: 1, 2, …,
  // and n/n on the last. Where `multiline`, which outlives the decoder, asks for it, lines are joined. `reader`: whose it is.
  Decoder(std::size_t max_line, DecodeStats& stats, const Multiline* multiline = nullptr, Reader* reader = nullptr);
  ~Decoder();
  Decoder(const Decoder&) = delete;  // blocks are decoded by the one that began
  Decoder& operator=(const Decoder&) = delete;

  // `fields`, of Format::journal, outlive it.
  void set_format(Format format, const std::vector<JournalField>& fields = kNoJournalFields);
  [[nodiscard]] Format format() const { return format_; }

  // Decodes what is complete in `block`, which begins where the former call stopped, and returns how many bytes that was. The rest
  // is to come again with more behind it. Stops early when the batch has kMaxRecords. Otherwise never 0 when the block is
  // larger than enough().
  static constexpr std::size_t kMaxRecords = 8192;
  std::size_t decode(std::string_view block, const Stamp& stamp, record::Batch& batch);
  [[nodiscard]] std::size_t enough() const { return longest(format_, max_line_); }
  // How many bytes of a file a line of `max_line` bytes may take.
  [[nodiscard]] static std::size_t longest(Format format, std::size_t max_line) {
    return format == Format::journal ? 4 * max_line + kLongestFields : max_line + kLongestHeader;  // a byte may be a number
  }

  static constexpr std::size_t kHole = 16;

  // So many bytes, which begin where the former call stopped and are zeros, are not given to decode(). Not within_line().
  void skip_zeros(std::uint64_t count) { zeros_ += count; }
  // A long line was begun, and its newline has not come.
  [[nodiscard]] bool within_line() const { return inside_; }

  // Whether `rest`, a line without its newline, has text to give out: no torn header, no zeros that a writer may still fill.
  [[nodiscard]] bool has_text(std::string_view rest) const;
  // Gives out what came of the lines that are open and of `rest`, all of which is taken. What comes of them later are lines of
  // their own. In tracked streams their END is the end of `rest`; an open line for which it would be the END of another record
  // stays open.
  void give_out(std::string_view rest, const Stamp& stamp, record::Batch& batch);

  // The file ended and nothing will follow: `rest` is a line without its newline.
  void end_of_file(std::string_view rest, const Stamp& stamp, record::Batch& batch);
  // The log ended, or a new file begins in mid-air (truncated, or the way to it is lost): emits the lines that are still open, as
  // far as they came.
  void end_of_log(const Stamp& stamp, record::Batch& batch);

  // Where the oldest open line, or group of lines, begins; nothing when none is open.
  [[nodiscard]] const record::Place* open() const;
  [[nodiscard]] bool has_open_line() const { return open_lines_ > 0; }

  // Groups of lines that belong together, which wait for more (multiline.h).
  [[nodiscard]] bool has_groups() const { return joiner_ != nullptr && joiner_->holds_any(); }
  [[nodiscard]] bool has_group_of(std::uint32_t generation) const { return joiner_ != nullptr && joiner_->holds(generation); }
  // They are to be given out, because their memory is needed (group_budget.h).
  [[nodiscard]] bool groups_are_asked() const { return joiner_ != nullptr && joiner_->is_asked(); }
  // Gives them out. Of `stamp` the place is not used.
  void close_groups(const Stamp& stamp, record::Batch& batch);

  // The source of the last record that was dropped because of Stamp::not_before since take_dropped() was last called; kind none
  // without one. A record that was emitted later stands for it.
  [[nodiscard]] record::Source take_dropped() { return std::exchange(dropped_, {}); }

 private:
  static constexpr std::size_t kLongestHeader = 256;
  static constexpr std::size_t kLongestFields = 64 << 10;  // of an entry of the journal, besides the message

  // A line whose end has not come yet.
  struct Line {
    bool open = false;
    std::string bytes;  // what was not emitted of it
    record::Place start;
    base::Timestamp timestamp = 0;
    std::uint32_t pieces = 0;  // records made of it so far
  };

  void line(std::string_view text, std::size_t begin, std::size_t end);
  void line_with_zeros(std::string_view text, std::size_t begin, std::size_t end);
  void whole_line(std::string_view text, std::size_t begin, std::size_t end);
  std::size_t take_zeros(std::string_view rest, std::size_t begin);
  void report_hole(std::size_t end);
  [[nodiscard]] std::size_t least_hole() const { return format_ == Format::cri || format_ == Format::docker ? 1 : kHole; }
  void cri(std::string_view text, std::size_t begin, std::size_t end);
  void docker(std::string_view text, std::size_t begin, std::size_t end);
  void journal(std::string_view text, std::size_t begin, std::size_t end);
  void stand_alone(std::size_t begin, std::size_t end);
  void rfc3339(std::string_view text, std::size_t begin, std::size_t end);
  void malformed(std::string_view text, std::size_t begin, std::size_t end);
  void raw(std::string_view text, std::size_t begin, std::size_t end);
  void begin_long_line(std::string_view text, std::size_t begin);
  void add(Stream stream, base::Timestamp timestamp, std::string_view content, std::size_t begin, std::size_t content_begin,
           std::size_t end, bool closes);
  void emit(Stream stream, base::Timestamp timestamp, std::string_view text, record::Place start, std::size_t end,
            std::uint32_t piece, bool last);
  void join(const Joiner::Line& line, std::uint32_t piece, bool last);
  void put(Stream stream, base::Timestamp timestamp, std::string_view text, record::Place end, std::uint32_t piece, bool last);
  void put_record(const Joiner::Line& line) override;
  char* allocate_text(std::size_t size) override { return batch_->allocate(size); }
  void settle() {
    if (joiner_ != nullptr) joiner_->settle(*this);
  }
  [[nodiscard]] record::Place place_of(std::size_t at) const { return {stamp_->place.generation, stamp_->place.offset + at}; }
  std::string_view unescaped(std::string_view escaped);
  base::Timestamp read_time();
  [[nodiscard]] Line& state(Stream stream) { return lines_[static_cast<std::size_t>(stream)]; }

  std::size_t max_line_;
  DecodeStats* stats_;
  Format format_ = Format::raw;
  struct Foreign;
  std::unique_ptr<Foreign> foreign_;  // of Format::journal and Format::rfc3339; null otherwise
  std::array<Line, 3> lines_;
  int open_lines_ = 0;
  SecondCache second_;
  base::Timestamp last_read_time_ = std::numeric_limits<base::Timestamp>::min();
  record::Source dropped_;
  std::unique_ptr<Joiner> joiner_;           // null: no lines are joined
  const record::Place* arriving_ = nullptr;  // where the line begins that is about to be held or passed on

  // Within a physical line that is longer than a block.
  bool inside_ = false;
  Stream inside_stream_ = Stream::none;
  base::Timestamp inside_timestamp_ = 0;
  bool inside_closes_ = true;

  std::uint64_t zeros_ = 0;      // that were taken in front of the next byte, and not reported yet
  bool has_zeros_ = false;       // the block in use holds some
  record::Place malformed_end_;  // of the last malformed line while others were open

  // Of the call in progress.
  void enter(const Stamp& stamp, record::Batch& batch);
  const Stamp* stamp_ = nullptr;
  std::array<const record::LabelSet*, 3> labels_{};
  record::Batch* batch_ = nullptr;
};

}  // namespace weir::tail
