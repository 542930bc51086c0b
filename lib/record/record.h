// One log record, and the batch that owns its bytes. weir-record.5 describes the JSON form.
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

// The keys that few records have. Raw JSON, views into the batch, written back as they came.
struct Extra {
  std::string_view unknown;   // members with unknown keys, `"k":v,"k2":v2`, in their order; every stage keeps them
  std::string_view rejected;  // the object of `rejected`
  std::string_view parsed;    // the object of `parsed`
  std::string_view value;     // the JSON string of `value`, with its quotes
};

// A view into a Batch. Cheap to copy, useless without its batch.
//
// `raw` is the JSON text that the record was read from. While it is set, the writer prints it instead of the fields. So a stage
// that changes any field calls touch(), before or after the change.
struct Record {
  base::Timestamp timestamp = 0;     // nanoseconds, UTC
  const LabelSet* labels = nullptr;  // never null in a batch; held by the batch
  Text line;
  std::span<const Label> metadata;  // names and order as given; values may be empty
  std::string_view tenant;          // "" for none
  Source source;                    // Kind::none in a chain that tracks nothing
  const Extra* extra = nullptr;     // null when the record has none of these keys
  const Marker* marker = nullptr;   // not null: this is a marker, without a line, never shown to people or sent to Loki
  std::string_view raw;             // the JSON object as it was read; "" when the record was made or changed
  bool held = false;
  bool sample = false;   // it has `value` and no line
  bool invalid = false;  // made from an input line that was not a record (metadata weir_error)

  void touch() { raw = {}; }
  [[nodiscard]] bool is_marker() const { return marker != nullptr; }
};

// Records and all the bytes they point to. The owner uses it again and again: clear() keeps the memory. Not thread safe;
// movable.
class Batch {
 public:
  Batch();
  ~Batch();
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;
  Batch(const Batch&) = delete;  // records point into it
  Batch& operator=(const Batch&) = delete;

  std::vector<Record> records;

  // `size` uninitialised bytes that do not move until clear(). Aligned for any type up to 8 bytes.
  char* allocate(std::size_t size);
  // Returns the unused end of the latest allocate().
  void shrink(char* allocation, std::size_t used);
  std::string_view copy(std::string_view bytes);
  std::span<Label> allocate_labels(std::size_t count);
  template <typename T>
  T* make() {  // T is trivially destructible
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T))) T();
  }

  // Keeps `set` alive until clear(). Returns the pointer for Record::labels.
  const LabelSet* hold(const LabelSetRef& set);

  // Appends a marker without labels. Its members are views: copy() into this batch what they are set to.
  Marker& append_marker(Marker::Type type, const Source& source);

  // Appends a copy of a record of another batch, with all its bytes, `raw` included.
  Record& add_copy(const Record& other);

  // The line as decoded bytes. A line that needs decoding is decoded once into this batch, and the record remembers the result:
  // its Text becomes Form::bytes and keeps the escaped form. `raw` is not touched.
  std::string_view line(Record& record);

  [[nodiscard]] bool empty() const { return records.empty(); }
  [[nodiscard]] std::size_t bytes() const;  // bytes used in the arena
  void clear();

 private:
  struct Arena;
  std::unique_ptr<Arena> arena_;
};

// The first value of `name` in `metadata`; "" when absent.
[[nodiscard]] std::string_view find(std::span<const Label> metadata, std::string_view name);

// The metadata of a record that reports a loss, in place of the bytes that are lost: their number, or "unknown".
inline constexpr std::string_view kGapBytes = "weir_gap_bytes";
[[nodiscard]] inline bool is_gap(const Record& record) {
  return !record.metadata.empty() && !find(record.metadata, kGapBytes).empty();
}

// Sets name=value in the record's metadata, in place of an equal name, and calls touch(). Copies both into the batch.
void set_metadata(Batch& batch, Record& record, std::string_view name, std::string_view value);

}  // namespace weir::record
