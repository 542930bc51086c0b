// Formats a record as a line for people: time, pod/container, the log line, and the labels that differ between records.
//
// Labels that were the same for all records so far are not repeated on every line: header() names them once. When a later
// record differs in one of them, every line shows that label from then on. So the header stays true for what a line does not
// show.
//
// Into a pipe a record is one line: what base/visible.h would not show, such as a line break, is an escape. A tab in the log line
// stays.
//
// On a screen (a terminal that people look at), lines are wrapped under themselves. They show the time of day, and a line of its
// own says the day, with the time zone and the header, whenever the day changes.
#pragma once

#include "record/record.h"
#include "show/level.h"
#include "show/line_writer.h"
#include "show/local_time.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::show {

// Not thread safe.
class TextFormat {
 public:
  struct Options {
    bool terminal = false;  // indent and align
    bool screen = false;    // and the day in a line of its own
    bool wrap = true;       // the lines of records at the width of the canvas
    Canvas canvas = {};
  };
  explicit TextFormat(const Options& options) : options_(options) {}

  // Takes in the labels of a batch. Call it before the records of the batch are appended.
  void learn(const record::Batch& batch);

  // `{namespace="shop", node="a"}`: the labels that all records so far share and no line shows. "" for none. Call it once, before
  // the first append(). On a screen append() shows it, and what is returned is "".
  [[nodiscard]] std::string header();

  // Appends the record and a newline. Decodes the line into the batch. Not for markers. The level of a record that is no sample is
  // found only where lines are coloured: see level().
  void append(std::string& out, record::Batch& batch, record::Record& record);

  // Of a record that is no sample.
  [[nodiscard]] Level level(record::Batch& batch, record::Record& record);

  void resize(std::size_t width) { options_.canvas.width = width; }

 private:
  struct Shown {
    record::LabelSetRef set;  // keeps the address from being used again
    std::string who;
    std::string tail;         // the labels after the line, with a space in front
    std::size_t columns = 0;  // columns of `who`
    Style style = Style::plain;
    Level level = Level::unknown;  // that the labels give
    std::uint64_t version = 0;
  };
  void learn(const record::LabelSet& set);
  Shown& shown(const record::LabelSet* set);
  void append_plain(std::string& out, record::Batch& batch, record::Record& record);
  void append_on_terminal(std::string& out, record::Batch& batch, record::Record& record);
  void append_day(std::string& out);
  // The time, as this output shows it.
  [[nodiscard]] std::string_view time_text(base::Timestamp time);
  // The labels and remarks behind the line, each with a space in front, without those that rejected() gives.
  [[nodiscard]] std::string_view notes(const record::Record& record);

  Options options_;
  bool learned_ = false;
  std::map<std::string, std::string, std::less<>> shared_;
  std::set<std::string, std::less<>> announced_;  // names in the header; from then on a line must show when they are absent
  std::uint64_t version_ = 1;                     // grows whenever `shared_` shrinks
  std::unordered_map<const record::LabelSet*, Shown> cache_;
  std::size_t cache_bytes_ = 0;  // bytes of the sets
  const record::LabelSet* last_set_ = nullptr;
  std::size_t who_columns_ = 0;
  LocalTime time_;
  std::string day_, pending_header_;
  std::string time_text_, notes_;  // used again
};

}  // namespace weir::show
