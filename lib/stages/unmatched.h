// Explains why a query found nothing: which name or which time is wrong. It reads, or makes requests, only after the query
// found nothing.
#pragma once

#include "loki/query_client.h"
#include "spool/block_info.h"

#include <string>
#include <vector>

namespace weir::stages {

// Each function gives one line without a full stop, safe to print; "" when there is nothing to say. A failure while asking is
// not a failure of the query: it also gives "".

// For a spool: reads the labels of its streams. Ages count from `now`.
[[nodiscard]] std::string explain_nothing_in_spool(const std::string& path, const std::string& query, const spool::TimeRange& range,
                                                   base::Timestamp now);

// For a label without values. `names` are the labels that have some.
[[nodiscard]] std::string explain_no_values(const std::string& label, std::vector<std::string> names);

// For a Loki: makes at most two requests, for the values of a label and for the names of labels in the window.
[[nodiscard]] std::string explain_nothing_in_loki(loki::QueryClient& client, const std::string& query,
                                                  const base::TimeRange& window);

}  // namespace weir::stages
