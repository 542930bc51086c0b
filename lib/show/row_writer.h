// Records as rows whose columns are the labels: CSV for programs, a table for people.
//
// Which columns there are is fixed by the first records: the first 1000, those of the first MiB, or those of the first second where
// records come slowly. A label that only later records have has no column; both forms still show it.
#pragma once

#include "show/local_time.h"
#include "show/style.h"
#include "show/writer.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::show {

// The labels of a record: those of its stream, its metadata, and what was parsed out of its line. Of equal names the latest counts.
class Fields {
 public:
  using Pair = std::pair<std::string_view, std::string_view>;
  // They hold until the next call, and as long as the record does.
  const std::vector<Pair>& of(const record::Record& record);

 private:
  void set(std::string_view name, std::string_view value);
  std::vector<Pair> pairs_;
  std::vector<std::string> texts_;  // what had escapes
};

class RowWriter : public Writer {
 public:
  // `waits`: the answer has an end that is near, so the first second does not count.
  explicit RowWriter(bool waits) : waits_(waits) {}
  void add(std::string& out, record::Batch& batch, record::Record& record) final;
  [[nodiscard]] bool holds() const final { return !fixed_ && !held_.empty(); }
  [[nodiscard]] base::Duration patience() const final { return waits_ ? base::kNever : base::kSecond; }
  void release(std::string& out) final;

 protected:
  // What is known of a label among the first records.
  struct Seen {
    std::size_t widest = 0;  // columns of a terminal
    std::size_t records = 0;
    std::string value;  // of the first
    bool differs = false;
  };
  // Columns are fixed: writes the heads. `first` is one of the records.
  virtual void begin_rows(std::string& out, const std::map<std::string, Seen>& labels, std::size_t records,
                          const record::Record& first) = 0;
  virtual void row(std::string& out, record::Batch& batch, record::Record& record, const std::vector<Fields::Pair>& fields) = 0;

 private:
  const bool waits_;
  bool fixed_ = false;
  record::Batch held_;
  std::map<std::string, Seen> seen_;
  Fields fields_;
};

// RFC 4180, with \n at the end of a line: `timestamp`, a column a label in the order of names, `line` (or `value` of samples), and
// `other_labels`, a JSON object of the labels without a column, "" for none. A label with one of these names gets `label_` in
// front.
class CsvWriter : public RowWriter {
 public:
  // `terminal`: escape what could drive it.
  CsvWriter(bool terminal, bool waits) : RowWriter(waits), terminal_(terminal) {}

 protected:
  void begin_rows(std::string& out, const std::map<std::string, Seen>& labels, std::size_t records,
                  const record::Record& first) override;
  void row(std::string& out, record::Batch& batch, record::Record& record, const std::vector<Fields::Pair>& fields) override;

 private:
  void append_cell(std::string& out, std::string_view value) const;

  const bool terminal_;
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<std::string_view> cells_;
  LocalTime time_;
};

// Time, the labels that differ, and the line. On a screen, cells are cut and lines wrapped to its width.
class LogTable : public RowWriter {
 public:
  // `terminal`: escape what could drive it. `screen`: and the day in a line of its own.
  LogTable(bool terminal, bool screen, const Canvas& canvas, bool waits)
      : RowWriter(waits), terminal_(terminal), screen_(screen), canvas_(canvas) {}
  void resize(std::size_t width) override { canvas_.width = width; }

 protected:
  void begin_rows(std::string& out, const std::map<std::string, Seen>& labels, std::size_t records,
                  const record::Record& first) override;
  void row(std::string& out, record::Batch& batch, record::Record& record, const std::vector<Fields::Pair>& fields) override;

 private:
  struct Column {
    std::string name;
    std::size_t width = 0;
  };
  void append_day(std::string& out);

  const bool terminal_, screen_;
  Canvas canvas_;
  std::vector<Column> columns_;
  std::map<std::string, std::string> shared_;  // labels of the first records that are no column
  std::string heads_, day_;
  LocalTime time_;
};

// CSV text of one cell.
void append_csv_cell(std::string& out, std::string_view value);

}  // namespace weir::show
