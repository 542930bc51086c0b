// Disk space kept free for the moment when the disk is full: the file `SPOOL-reserve`, at least as large as the write-ahead log.
//
// A log can be used from its start again only when all of it has been copied into the spool, which may have to grow for that. With
// the reserve given up there is room for it, and from then on acknowledging and evicting need no more of the disk. So whoever meets
// a full disk releases it, also a consumer in another process; only the writer makes it again, before it stores further records.
#pragma once

#include <cstdint>
#include <string>

namespace weir::spool {

class Reserve {
 public:
  Reserve() = default;
  explicit Reserve(const std::string& spool);

  // Makes it `bytes` large at least. False when the disk has no room for it; true as well where the file system refuses for another
  // reason, since then there is nothing to keep.
  [[nodiscard]] bool make(std::uint64_t bytes);

  // True when there was one: trying again is worth while.
  static bool release(const std::string& spool);
  // Bytes it holds now.
  [[nodiscard]] static std::uint64_t size(const std::string& spool);

 private:
  std::string path_;
};

}  // namespace weir::spool
