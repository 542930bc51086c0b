// Explains why a query found nothing: which name or which time is wrong. It reads, or makes requests, only after the query
// found nothing.
#pragma once

#include "loki/query_client.h"
#include "scan/unmatched.h"
#include "spool/block_info.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::stages {

// Each function gives one line without a full stop, safe to print; "" when there is nothing to say. A failure while asking is
// not a failure of the query: it also gives "".

using scan::explain_no_values;
using scan::explain_nothing_in_spools;
using scan::nothing_in;

// The time of the newest record in `window` that the first selector of a query takes; nullopt: none. Errors: those of page().
[[nodiscard]] base::Result<std::optional<base::Timestamp>> newest_in_loki(loki::QueryClient& client, const std::string& query,
                                                                          const base::TimeRange& window);

// How far back a Loki is asked to explain that there is nothing in `window`.
[[nodiscard]] base::TimeRange reach_of_explanation(const base::TimeRange& window);

// For a Loki: `window` is the time that the query reads. It makes at most three requests, for the newest record of the selector in
// the last week, and then for a few of its records, or for the values of a label and for the names of labels.
[[nodiscard]] std::string explain_nothing_in_loki(loki::QueryClient& client, const std::string& query,
                                                  const base::TimeRange& window, base::Timestamp now);

// The spools of an error: "a.db", "a.db and 2 more".
[[nodiscard]] std::string spools_in_words(std::span<const std::string> paths);

}  // namespace weir::stages
