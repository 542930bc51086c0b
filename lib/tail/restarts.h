// Which of a container's logs is the latest: the kubelet numbers them, …/CONTAINER/0.log, 1.log, and only the last is written to.
#pragma once

#include "tail/log_reader.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::tail {

// Where a container's log stands among its container's logs: its folder, with a slash, and its number. Nothing for other paths.
// Views into `key`.
struct Restart {
  std::string_view folder;
  std::uint64_t number = 0;
};
[[nodiscard]] std::optional<Restart> restart_of(std::string_view key);

// The latest log of each container that is followed. Not thread safe.
class Restarts {
 public:
  // Of two logs of one container the reader of the older one: nothing more is written to it. Null where `reader` is the first, or
  // reads no container's log. The reader outlives its stay: remove() takes it out.
  [[nodiscard]] LogReader* add(LogReader& reader);
  void remove(LogReader& reader);

 private:
  std::unordered_map<std::string, LogReader*> latest_;  // by the container's folder
};

}  // namespace weir::tail
