// The files that stored positions speak of, for recognising them after a restart, whatever their names are by then.
#pragma once

#include "record/positions.h"
#include "tail/input_file.h"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::tail {

class KnownFiles {
 public:
  KnownFiles() = default;
  explicit KnownFiles(const record::Positions& positions);

  struct Owner {
    std::string_view log;         // its key; "" for a file that nobody knows
    std::uint32_t generation = 0;
    bool to_be_read = false;      // reading goes on in it, or behind it
  };
  // Of which log the file was a generation: by inode, head and check. Of several logs, that whose key is the file's path.
  [[nodiscard]] Owner owner(InputFile& file) const;
  [[nodiscard]] bool has_log(std::string_view key) const { return logs_.contains(key); }
  [[nodiscard]] bool empty() const { return logs_.empty(); }
  // Forgets the logs for which `keep` is false.
  void retain(const std::function<bool(const std::string& key)>& keep);

 private:
  struct File {
    const std::string* log;  // in logs_
    std::uint32_t generation;
    bool to_be_read;
    record::FileIdentity identity;  // without its path
  };
  std::set<std::string, std::less<>> logs_;
  std::unordered_multimap<std::uint64_t, File> by_inode_;
};

}  // namespace weir::tail
