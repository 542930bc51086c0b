// A secret in a file that may change while we run (Kubernetes rotates tokens).
#pragma once

#include "base/result.h"

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace weir::http {

// Not thread safe.
class SecretFile {
 public:
  explicit SecretFile(std::string path) : path_(std::move(path)) {}

  // The content without white space at its end. Read again when size, time or inode of the file has changed.
  base::Result<std::string> read();

  [[nodiscard]] const std::string& path() const { return path_; }
  // The latest result of read(); null when read() never gave one.
  [[nodiscard]] const std::string* last() const { return loaded_ ? &value_ : nullptr; }

 private:
  std::string path_;
  std::string value_;
  struct ::stat seen_ {};
  bool loaded_ = false;
};

}  // namespace weir::http
