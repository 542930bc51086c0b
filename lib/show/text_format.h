// A record as a line for people: time, pod/container, the log line, and the labels that tell the records apart.
//
// Labels that are the same for all records seen so far are not repeated on every line: header() names them once. When a later
// record differs in one of them, that label stands on every line from then on, so what a line does not say the header does.
#pragma once

#include "record/record.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::show {

// Appends `text` with escapes for what base/visible.h says must not be shown as it is. With `indent`, a line break stays one and
// what follows is indented; a tab always stays one.
void append_visible(std::string& out, std::string_view text, bool indent);

// Not thread safe.
class TextFormat {
 public:
  struct Options {
    bool terminal = false;  // escape, indent and align
    bool color = false;
    int width = 0;  // of the terminal, in columns; 0 for unknown
  };
  explicit TextFormat(Options options) : options_(options) {}

  // Takes the labels of a batch into account; to be called before its records are appended.
  void learn(const record::Batch& batch);

  // `{namespace="shop", node="a"}`: what the records learned so far have in common and no line says. "" for nothing. To be called
  // once.
  [[nodiscard]] std::string header();

  // Appends the record and a newline. Decodes the line into the batch. Not for markers.
  void append(std::string& out, record::Batch& batch, record::Record& record);

 private:
  struct Shown {
    record::LabelSetRef set;  // keeps the address from being used again
    std::string who;
    std::string tail;         // the labels behind the line, with a space in front
    std::size_t columns = 0;  // of `who`
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
  std::set<std::string, std::less<>> announced_;  // names in the header: from then on their absence must be said
  std::uint64_t version_ = 1;                     // counts up whenever `shared_` shrinks
  std::unordered_map<const record::LabelSet*, Shown> cache_;
  std::size_t cache_bytes_ = 0;  // of the sets
  const record::LabelSet* last_set_ = nullptr;
  std::size_t who_columns_ = 0;
  base::Timestamp minute_ = 0;  // whose local form stands in minute_text_
  std::string minute_text_;
};

}  // namespace weir::show
