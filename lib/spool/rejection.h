// A record that Loki, or a limit of weir, refused for good, on its way to the rejected store of a spool.
#pragma once

#include <string_view>

namespace weir::spool {

// Views. The store copies them.
struct Rejection {
  int status = 0;                // HTTP status, 0 when weir itself refused it
  std::string_view reason = {};  // Loki's message, or weir's
  std::string_view url = {};     // without credentials
  std::string_view tenant = {};
  std::string_view record = {};  // the whole record as one JSON line (no newline), with its `rejected` object and without `source`;
                                 // not used where the record stays in its block
};

}  // namespace weir::spool
