// Watches how much of its file a connection reads, for work that is one statement and takes long: an integrity check reads the
// whole file, and SQLite does not say how far it is.
#pragma once

#include "sqlite/database.h"

#include <cstdint>
#include <functional>
#include <memory>

namespace weir::sqlite {

// The Database must outlive it, and may not be closed or moved onto meanwhile. One thread, that of the Database.
class ReadWatch {
 public:
  // Called about once a MiB that is read from the file itself, not from its write-ahead log, with the bytes so far. False ends the
  // statement that runs, with an error.
  using OnRead = std::function<bool(std::uint64_t bytes)>;
  ReadWatch(Database& database, OnRead on_read);
  ~ReadWatch();
  ReadWatch(const ReadWatch&) = delete;
  ReadWatch& operator=(const ReadWatch&) = delete;

 private:
  struct Methods;
  std::unique_ptr<Methods> methods_;
};

}  // namespace weir::sqlite
