// One log record, and the batch that owns its bytes. The JSON form is weir-record.5.
#pragma once

#include "base/clock.h"
#include "record/label_set.h"
#include "record/source.h"
#include "record/text.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace weir::record {

// Keys that few records carry. Raw JSON, views into the batch, written back as they came.
struct Extra {
  std::string_view unknown;   // members of unknown keys, `"k":v,"k2":v2`, in their order; kept by every stage
  std::string_view rejected;  // the object of `rejected`
  std::string_view parsed;    // the object of `parsed`
  std::string_view value;     // the JSON string of `value`, with its quotes
};

// A view into a Batch; cheap to copy, worth nothing without its batch.
//
// A stage that changes any field calls touch() first or afterwards: `raw` is the JSON text the record was read from, and
// while it stands the writer prints that text instead of the fields.
struct Record {
  base::Timestamp timestamp = 0;       // nanoseconds, UTC
  const LabelSet* labels = nullptr;    // never null in a batch; held by the batch
  Text line;
  std::span<const Label> metadata;     // names as given, values may be empty; order as given
  std::string_view tenant;             // "" for none
  Source source;                       // Kind::none in chains that track nothing
  const Extra* extra = nullptr;        // null when none of its keys were there
  const Marker* marker = nullptr;      // not null: a marker, no line, never shown to people or sent to Loki
  std::string_view raw;                // the JSON object as read, "" once the record was made or changed
  bool held = false;
  bool sample = false;                 // has `value` and no line
  bool invalid = false;                // made of an input line that was no record (metadata weir_error)

  void touch() { raw = {}; }
  [[nodiscard]] bool is_marker() const { return marker != nullptr; }
};

// Records and everything they point at. Reused by its owner: clear() keeps the memory. Not thread safe; movable.
class Batch {
 public:
  Batch();
  ~Batch();
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;
  Batch(const Batch&) = delete;  // records point into it
  Batch& operator=(const Batch&) = delete;

  std::vector<Record> records;

  // `size` bytes, uninitialised, that stay where they are until clear(). Any alignment up to 8.
  char* allocate(std::size_t size);
  // Gives back the unused rest of the latest allocate().
  void shrink(char* allocation, std::size_t used);
  std::string_view copy(std::string_view bytes);
  std::span<Label> allocate_labels(std::size_t count);
  template <typename T>
  T* make() {  // T is trivially destructible
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T))) T();
  }

  // Keeps `set` alive as long as this batch holds records, and returns the pointer for Record::labels.
  const LabelSet* hold(const LabelSetRef& set);

  // Appends a copy of a record of another batch, with all its bytes (raw included).
  Record& add_copy(const Record& other);

  // The line as decoded bytes: the view itself, or decoded once into this batch (and remembered in the record, without
  // touching `raw`; the record's Text becomes Form::bytes and keeps the escaped form).
  std::string_view line(Record& record);

  [[nodiscard]] bool empty() const { return records.empty(); }
  [[nodiscard]] std::size_t bytes() const;  // arena bytes in use
  void clear();

 private:
  struct Arena;
  std::unique_ptr<Arena> arena_;
};

// The first value of `name` in `metadata`, "" when absent.
[[nodiscard]] std::string_view find(std::span<const Label> metadata, std::string_view name);

// Puts name=value into the record's metadata (replacing an equal name) and touches it. Copies both into the batch.
void set_metadata(Batch& batch, Record& record, std::string_view name, std::string_view value);

}  // namespace weir::record
