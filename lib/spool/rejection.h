// A record that Loki (or a limit of ours) refused for good, as it goes to the rejected store of a spool.
#pragma once

#include <string_view>

namespace weir::spool {

// Views, copied by whoever takes it.
struct Rejection {
  int status = 0;                // HTTP status, 0 when refused by our own check
  std::string_view reason = {};  // Loki's words, or ours
  std::string_view url = {};     // without credentials
  std::string_view tenant = {};
  std::string_view record = {};  // the whole record as one JSON line (no newline), with its `rejected` object and without `source`;
                                 // not used where the record stays in its block
};

}  // namespace weir::spool
