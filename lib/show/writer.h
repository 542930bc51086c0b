// Turns the records of one output into text for people: one object for one form of it (text, raw, csv, table, chart).
#pragma once

#include "base/clock.h"
#include "record/record.h"

#include <cstddef>
#include <memory>
#include <string>

namespace weir::show {

// Not thread safe. What it writes it appends to `out`. Markers are no records: nobody gives it one.
class Writer {
 public:
  virtual ~Writer() = default;

  // Takes in a batch whose records are added next.
  virtual void begin(const record::Batch& batch) { static_cast<void>(batch); }
  // Writes the record, or holds it. May decode its line into the batch.
  virtual void add(std::string& out, record::Batch& batch, record::Record& record) = 0;

  // Whether something is held, and how long it may be: then release() is called. base::kNever: as long as records come.
  [[nodiscard]] virtual bool holds() const { return false; }
  [[nodiscard]] virtual base::Duration patience() const { return base::kNever; }
  virtual void release(std::string& out) { static_cast<void>(out); }

  // No further record comes. What is held is written.
  virtual void finish(std::string& out) { release(out); }

  // The terminal has so many columns now. What is held may still have the old width.
  virtual void resize(std::size_t width) { static_cast<void>(width); }
  // Labels that all records share and no line shows, for standard error; "" for none, and once they were given.
  [[nodiscard]] virtual std::string header() { return {}; }
};

}  // namespace weir::show
