// The bytes of a SQLite file or of its write-ahead log, to rescue what SQLite itself cannot read.
//
// The file is opened through SQLite's own system layer, because closing a descriptor of ours would drop the locks that
// connections of this process hold on the same file.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>

namespace weir::sqlite {

// Not thread safe.
class RawFile {
 public:
  static base::Result<RawFile> open(const std::string& path);
  RawFile(RawFile&&) noexcept;
  RawFile& operator=(RawFile&&) noexcept;
  ~RawFile();

  [[nodiscard]] std::uint64_t size() const;
  // Reads exactly `size` bytes from `offset`. False when they do not exist or cannot be read.
  [[nodiscard]] bool read(std::uint64_t offset, char* out, std::size_t size) const;

 private:
  struct State;
  explicit RawFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::sqlite
