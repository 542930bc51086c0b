// Disk space kept free for the moment when the disk is full: the file `SPOOL-reserve`, at least as large as the write-ahead log.
//
// A log can be written from its start again only when all of it has been copied into the spool, which may have to grow for that.
// When the reserve is released, the disk has room for this. From then on, acknowledging and evicting need no more disk space. So
// every process that finds the disk full releases the reserve, also a consumer. Only the writer makes it again, before it stores
// records.
#pragma once

#include <cstdint>
#include <string>

namespace weir::spool {

class Reserve {
 public:
  Reserve() = default;
  explicit Reserve(const std::string& spool);

  // Makes the file at least `bytes` large. False when the disk has no room for it. True also when the file system cannot reserve
  // space at all.
  [[nodiscard]] bool make(std::uint64_t bytes);

  // True when there was a reserve: try the failed operation again.
  static bool release(const std::string& spool);
  // The bytes that the reserve holds now.
  [[nodiscard]] static std::uint64_t size(const std::string& spool);

 private:
  std::string path_;
};

}  // namespace weir::spool
