// The files that stored positions name, for finding them after a restart under whatever names they have by then.
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
    std::string_view log;  // its key; "" for a file that nobody knows
    std::uint32_t generation = 0;
    std::uint32_t newer = 0;  // how many later generations of the log are known
    bool to_be_read = false;  // reading goes on in it, or behind it
    bool gone = false;        // the log has ended
    std::uint64_t end = 0;    // up to where it was read
  };
  // Of which log the file was a generation: by inode, head and check. Of several logs, that whose key is the file's path, or else
  // the one that is to go on with it, or read the most of it.
  [[nodiscard]] Owner owner(InputFile& file) const;
  // Whether a file with this number may be one of another log than `key`: worth opening it.
  [[nodiscard]] bool may_be_of_another(std::uint64_t inode, std::string_view key) const;
  [[nodiscard]] bool has_log(std::string_view key) const { return logs_.contains(key); }
  [[nodiscard]] bool empty() const { return logs_.empty(); }
  // Forgets the logs for which `keep` is false.
  void retain(const std::function<bool(const std::string& key)>& keep);

 private:
  struct File {
    Owner owner;                    // its log is one of logs_
    record::FileIdentity identity;  // without its path
  };
  std::set<std::string, std::less<>> logs_;
  std::unordered_multimap<std::uint64_t, File> by_inode_;
};

}  // namespace weir::tail
