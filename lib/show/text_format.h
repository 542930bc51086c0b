// Formats a record as a line for people: time, pod/container, the log line, and the labels that differ between records.
//
// Labels that were the same for all records so far are not repeated on every line: header() names them once. When a later
// record differs in one of them, every line shows that label from then on. So the header stays true for what a line does not
// show.
#pragma once

#include "record/record.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::show {

// Appends `text`, with escapes for what base/visible.h does not allow to be shown as it is. With `indent`, a line break stays
// one, and the text after it is indented. A tab always stays a tab.
void append_visible(std::string& out, std::string_view text, bool indent);

// Not thread safe.
class TextFormat {
 public:
  struct Options {
    bool terminal = false;  // escape, indent and align
    bool color = false;
    int width = 0;  // columns of the terminal; 0: unknown
  };
  explicit TextFormat(Options options) : options_(options) {}

  // Takes in the labels of a batch. Call it before the records of the batch are appended.
  void learn(const record::Batch& batch);

  // `{namespace="shop", node="a"}`: the labels that all records so far share and no line shows. "" for none. Call it once.
  [[nodiscard]] std::string header();

  // Appends the record and a newline. Decodes the line into the batch. Not for markers.
  void append(std::string& out, record::Batch& batch, record::Record& record);

 private:
  struct Shown {
    record::LabelSetRef set;  // keeps the address from being used again
    std::string who;
    std::string tail;         // the labels after the line, with a space in front
    std::size_t columns = 0;  // columns of `who`
    int color = 0;
    std::uint64_t version = 0;
  };
  void learn(const record::LabelSet& set);
  Shown& shown(const record::LabelSet* set);
  void append_time(std::string& out, base::Timestamp time);
  void append_notes(std::string& out, const record::Record& record);
  void append_sample(std::string& out, const record::Record& record);

  Options options_;
  bool learned_ = false;
  std::map<std::string, std::string, std::less<>> shared_;
  std::set<std::string, std::less<>> announced_;  // names in the header; from then on a line must show when they are absent
  std::uint64_t version_ = 1;                     // grows whenever `shared_` shrinks
  std::unordered_map<const record::LabelSet*, Shown> cache_;
  std::size_t cache_bytes_ = 0;  // bytes of the sets
  const record::LabelSet* last_set_ = nullptr;
  std::size_t who_columns_ = 0;
  base::Timestamp minute_ = 0;  // the minute whose local form is in minute_text_
  std::string minute_text_;
};

}  // namespace weir::show
