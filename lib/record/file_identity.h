// What identifies one file of a log, before and after a restart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir::record {

// Two identities are the same file when the inode and the hash of the first head_size bytes agree and, when check_end is not 0 in
// both, also the hash of the (up to) 256 bytes before check_end. The device only decides between equal files: it changes at boot.
// `Path` is a std::string, or a view into a batch.
template <typename Path>
struct BasicFileIdentity {
  Path path;  // at the time of opening
  std::uint64_t inode = 0;
  std::uint64_t device = 0;
  std::uint32_t head_size = 0;  // how many first bytes head_hash covers, up to 1024
  std::uint64_t head_hash = 0;  // FNV-1a 64 of them
  std::uint64_t check_end = 0;  // check_hash covers the (up to) 256 bytes before this offset; 0 for none
  std::uint64_t check_hash = 0;

  // The same identity, with `other`, the same path in another place.
  template <typename Other>
  [[nodiscard]] BasicFileIdentity<Other> with_path(Other other) const {
    return {std::move(other), inode, device, head_size, head_hash, check_end, check_hash};
  }
  friend bool operator==(const BasicFileIdentity&, const BasicFileIdentity&) = default;
};

using FileIdentity = BasicFileIdentity<std::string>;
using FileIdentityView = BasicFileIdentity<std::string_view>;

}  // namespace weir::record
