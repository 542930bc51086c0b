// A diagnostics that remembers what it is told.
#pragma once

#include "base/diagnostics.h"

#include <mutex>
#include <string>
#include <vector>

namespace weir::httpd {

class Said : public base::Diagnostics {
 public:
  void say(std::string_view text) override {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(text);
  }
  void warn(std::string_view /*key*/, std::string_view text) override { say(text); }
  [[nodiscard]] std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace weir::httpd
