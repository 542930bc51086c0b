// The record at hand while a pipeline runs over it: its line, its labels by category, its error.
//
// Loki's rules of names live here. A name is looked up among the parsed labels, then structured metadata, then the stream. What a
// parser extracts under the name of a stream label or of metadata is called <name>_extracted; a name that was set once is not
// extracted again, even when it was dropped meanwhile. Views it hands out stand until the next begin().
#pragma once

#include "gotemplate/budget.h"
#include "gotext/scratch.h"
#include "record/record.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

class LabelFilter;

inline constexpr std::string_view kErrorLabel = "__error__";
inline constexpr std::string_view kErrorDetailsLabel = "__error_details__";

// Values of __error__.
inline constexpr std::string_view kJsonError = "JSONParserErr";
inline constexpr std::string_view kLogfmtError = "LogfmtParserErr";
inline constexpr std::string_view kTemplateError = "TemplateFormatErr";
inline constexpr std::string_view kLabelFilterError = "LabelFilterErr";

// A filter on one label that is also tested as soon as a parser extracts that label.
struct EarlyFilter {
  std::string_view name;
  const LabelFilter* filter = nullptr;
};

// Labels with unique names in the order in which they came. Few are compared one by one, many are looked up in an index.
class LabelSlots {
 public:
  struct Slot {
    std::string_view name;
    std::string_view value;
    bool gone = false;
  };
  [[nodiscard]] Slot* find(std::string_view name) {
    if (slots_.size() > kFew) return find_in_index(name);
    for (Slot& slot : slots_) {
      if (slot.name == name) return &slot;
    }
    return nullptr;
  }
  void add(std::string_view name, std::string_view value) { slots_.push_back({name, value, false}); }
  void set(std::string_view name, std::string_view value) {
    if (Slot* slot = find(name)) {
      slot->value = value;
    } else {
      add(name, value);
    }
  }
  void clear() {
    slots_.clear();
    if (!index_.empty()) forget();
  }
  [[nodiscard]] bool empty() const { return slots_.empty(); }
  [[nodiscard]] auto begin() { return slots_.begin(); }
  [[nodiscard]] auto end() { return slots_.end(); }

 private:
  static constexpr std::size_t kFew = 16;
  Slot* find_in_index(std::string_view name);
  void forget();
  std::vector<Slot> slots_;
  // Of the first so many slots. A tree, not a hash table: names come from log lines, and somebody may choose them to collide.
  std::map<std::string_view, std::size_t> index_;
};

class Scope {
 public:
  // What a query asks of parsers. With `names` set, other labels need not be extracted (errors must still be noticed).
  struct Demand {
    bool everything = true;
    std::vector<std::string> names;
    // Parsers stop once all names were found, so that they notice no error behind that place: so Loki evaluates metric queries.
    bool until_found = false;
  };

  // Whether metadata of the record goes by another name or not at all: it collides with a label, or Loki would write it otherwise.
  [[nodiscard]] static bool changes_metadata(const record::Record& record);

  void begin(record::Record& record, record::Batch& batch, const Demand& demand, std::span<const EarlyFilter> early, bool explain);

  // ---- line
  [[nodiscard]] std::string_view line();  // as the stages before left it
  void set_line(std::string_view line) {
    line_ = line;
    has_line_ = true;
  }
  [[nodiscard]] base::Timestamp timestamp() const { return record_->timestamp; }

  // ---- labels
  [[nodiscard]] bool find(std::string_view name, std::string_view& value);
  [[nodiscard]] std::string_view get(std::string_view name) {
    std::string_view value;
    return find(name, value) ? value : std::string_view();
  }
  // Whether a parser would have to call this name <name>_extracted.
  [[nodiscard]] bool collides(std::string_view name);
  // Whether anybody asks for a label extracted under this name.
  [[nodiscard]] bool wants(std::string_view name) const;
  [[nodiscard]] bool wants_below(std::string_view prefix) const;  // for names that begin with `prefix` and go on with `_`
  // Parsers have found all that is asked for, and are to stop there.
  [[nodiscard]] bool satisfied() const { return until_found_ && missing_ == 0; }
  // A parser found name=value; both must outlive the record. False: an early filter drops the record.
  [[nodiscard]] bool extract(std::string_view name, std::string_view value);
  // Sets a parsed label whatever was there before; takes the name out of the other categories.
  void put(std::string_view name, std::string_view value);
  // The name that a parser has to use for `name`: itself, or <name>_extracted where it collides.
  [[nodiscard]] std::string_view free_name(std::string_view name) { return collides(name) ? extracted_name(name) : name; }
  // Whether a label of this name was parsed, formatted or set once, also when it was dropped since.
  [[nodiscard]] bool was_set(std::string_view name) { return parsed(name) != nullptr; }
  // As extract() and put() under exactly this name. False: an early filter drops the record.
  [[nodiscard]] bool extract_as(std::string_view name, std::string_view value);
  [[nodiscard]] bool put_as(std::string_view name, std::string_view value);
  // Asks the early filter for `name`, if there is one. False: it drops the record.
  [[nodiscard]] bool passes_early(std::string_view name);
  void remove(std::string_view name);
  template <typename Keep>
  void retain(Keep keep);  // keep(name, value) for every label; what has the name of an error label stays

  template <typename Visit>
  void each(Visit visit);  // visit(name, value) for every label, each name once

  // ---- error
  [[nodiscard]] std::string_view error() const { return error_; }
  [[nodiscard]] std::string_view error_details() const { return details_; }
  [[nodiscard]] bool errored() const { return !error_.empty(); }
  // `details` is copied, and only when somebody will see it. Without, those of an earlier error stay, as in Loki.
  void set_error(std::string_view error, std::string_view details);
  void set_error(std::string_view error) { error_ = error; }
  void clear_error() { error_ = {}; }
  void clear_error_details() { details_.clear(); }
  [[nodiscard]] bool explains() const { return explain_; }

  // ---- the value of a metric query's sample, as `unwrap` has read it
  [[nodiscard]] double value() const { return value_; }
  void set_value(double value) { value_ = value; }

  [[nodiscard]] gotext::Scratch& scratch() { return scratch_; }
  [[nodiscard]] gotemplate::Budget& budget() { return budget_; }

  // ---- results, by category
  [[nodiscard]] std::span<const record::Label> stream_labels(std::vector<record::Label>& buffer);
  [[nodiscard]] std::span<const record::Label> metadata_labels(std::vector<record::Label>& buffer);
  [[nodiscard]] std::span<const record::Label> parsed_labels(std::vector<record::Label>& buffer);

 private:
  using Slot = LabelSlots::Slot;
  void load_metadata();
  void note_found(std::string_view name);
  Slot* parsed(std::string_view name) { return parsed_.find(name); }
  bool find_in_stream(std::string_view name, std::size_t& index) const;
  void remove_from_stream(std::string_view name);
  void remove_from_metadata(std::string_view name);
  std::string_view extracted_name(std::string_view name);

  record::Record* record_ = nullptr;
  record::Batch* batch_ = nullptr;
  const Demand* demand_ = nullptr;
  std::span<const EarlyFilter> early_;
  std::string_view line_;
  bool has_line_ = false;
  bool explain_ = false;
  bool metadata_loaded_ = false;
  std::span<const record::Label> stream_;
  std::vector<bool> stream_gone_;  // empty: none
  LabelSlots metadata_;
  LabelSlots parsed_;
  std::string_view error_;
  std::string details_;
  double value_ = 0;
  bool until_found_ = false;
  std::uint64_t missing_ = 0;  // a bit for each name of demand_ that no parser has found
  gotext::Scratch scratch_;
  gotemplate::Budget budget_;
};

template <typename Keep>
void Scope::retain(Keep keep) {
  load_metadata();
  const auto goes = [&](std::string_view name, std::string_view value) {
    return name != kErrorLabel && name != kErrorDetailsLabel && !keep(name, value);
  };
  for (Slot& slot : parsed_) slot.gone = slot.gone || goes(slot.name, slot.value);
  for (Slot& slot : metadata_) slot.gone = slot.gone || goes(slot.name, slot.value);
  stream_gone_.resize(stream_.size());
  for (std::size_t i = 0; i < stream_.size(); ++i) stream_gone_[i] = stream_gone_[i] || goes(stream_[i].name, stream_[i].value);
}

template <typename Visit>
void Scope::each(Visit visit) {
  load_metadata();
  for (Slot& slot : parsed_) {
    if (!slot.gone) visit(slot.name, slot.value);
  }
  for (Slot& slot : metadata_) {
    if (!slot.gone) visit(slot.name, slot.value);
  }
  for (std::size_t i = 0; i < stream_.size(); ++i) {
    if (stream_gone_.empty() || !stream_gone_[i]) visit(stream_[i].name, stream_[i].value);
  }
}

// One step of a pipeline. Immutable once built.
class Stage {
 public:
  virtual ~Stage() = default;
  // False: the record is dropped.
  [[nodiscard]] virtual bool process(Scope& scope) const = 0;
};

// `name` as parsers make label names of keys: white space around it cut, `_` before a leading digit when it is the first
// part of a name, `_` for every character that is no letter, digit or `_`. The result is `name` itself or in `scratch`.
[[nodiscard]] std::string_view sanitize_name(std::string_view name, bool first_part, gotext::Scratch& scratch);

// `value` with every U+FFFD and every byte that is not UTF-8 turned into a space, as Loki's parsers do.
[[nodiscard]] std::string_view clean_value(std::string_view value, gotext::Scratch& scratch);

}  // namespace weir::logql
