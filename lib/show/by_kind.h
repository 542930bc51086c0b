// Log records for one writer, samples for another: an answer is all of one kind, which its first record shows.
#pragma once

#include "show/writer.h"

#include <memory>
#include <utility>

namespace weir::show {

class ByKind : public Writer {
 public:
  ByKind(std::unique_ptr<Writer> logs, std::unique_ptr<Writer> samples) : logs_(std::move(logs)), samples_(std::move(samples)) {}

  void begin(const record::Batch& batch) override {
    for (const record::Record& record : batch.records) {
      if (chosen_ == nullptr && !record.is_marker()) chosen_ = record.sample ? samples_.get() : logs_.get();
    }
    if (chosen_ != nullptr) chosen_->begin(batch);
  }
  void add(std::string& out, record::Batch& batch, record::Record& record) override { chosen_->add(out, batch, record); }
  [[nodiscard]] bool holds() const override { return chosen_ != nullptr && chosen_->holds(); }
  [[nodiscard]] base::Duration patience() const override { return chosen_ == nullptr ? base::kNever : chosen_->patience(); }
  void release(std::string& out) override {
    if (chosen_ != nullptr) chosen_->release(out);
  }
  void finish(std::string& out) override {
    if (chosen_ != nullptr) chosen_->finish(out);
  }
  void resize(std::size_t width) override {
    logs_->resize(width);
    samples_->resize(width);
  }
  std::string header() override { return chosen_ == nullptr ? std::string() : chosen_->header(); }

 private:
  const std::unique_ptr<Writer> logs_, samples_;
  Writer* chosen_ = nullptr;
};

}  // namespace weir::show
