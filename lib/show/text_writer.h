// Log records as text: lines as TextFormat has them, with a histogram above them where one is asked for.
#pragma once

#include "show/histogram.h"
#include "show/text_format.h"
#include "show/writer.h"

namespace weir::show {

// `--` between groups of context (record/context_mark.h), as grep has it.
class GroupBreaks {
 public:
  // Appends it where `record` begins a group behind another one.
  void append(std::string& out, const record::Record& record);

 private:
  std::string group_;  // of the latest record
};

// For a histogram, lines are held: for a second, and up to 4 MiB. An answer that takes longer or is larger is written on, and its
// histogram comes below it.
class TextWriter : public Writer {
 public:
  TextWriter(const TextFormat::Options& format, bool histogram) : format_(format), canvas_(format.canvas), histogram_(histogram) {}

  void begin(const record::Batch& batch) override;
  void add(std::string& out, record::Batch& batch, record::Record& record) override;
  [[nodiscard]] bool holds() const override { return !held_.empty(); }
  [[nodiscard]] base::Duration patience() const override { return base::kSecond; }
  void release(std::string& out) override;
  void finish(std::string& out) override;
  void resize(std::size_t width) override;
  std::string header() override;

 private:
  TextFormat format_;
  GroupBreaks breaks_;
  Canvas canvas_;
  const bool histogram_;
  Histogram counted_;
  std::string held_;
  bool released_ = false, headed_ = false;
  std::string header_;
};

// Lines alone, and the values of samples. On a terminal, each stays one line.
class RawWriter : public Writer {
 public:
  explicit RawWriter(bool terminal) : terminal_(terminal) {}
  void add(std::string& out, record::Batch& batch, record::Record& record) override;

 private:
  const bool terminal_;
  GroupBreaks breaks_;
};

}  // namespace weir::show
