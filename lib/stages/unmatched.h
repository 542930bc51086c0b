// Explains why a query found nothing: which name or which time is wrong. It reads, or makes requests, only after the query
// found nothing.
#pragma once

#include "loki/query_client.h"
#include "spool/block_info.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::stages {

// Each function gives one line without a full stop, safe to print; "" when there is nothing to say. A failure while asking is
// not a failure of the query: it also gives "".

// For spools: reads the labels of their streams. Of a metric query the first selector counts, and `range` is the time that it
// reads. Ages count from `now`.
[[nodiscard]] std::string explain_nothing_in_spools(std::span<const std::string> paths, const std::string& query,
                                                    const spool::TimeRange& range, base::Timestamp now);

// For a label without values. `names` are the labels that have some.
[[nodiscard]] std::string explain_no_values(const std::string& label, std::vector<std::string> names);

// Where nothing better can be said.
[[nodiscard]] std::string nothing_in(const base::TimeRange& range);

// The time of the newest record in `window` that the first selector of a query takes; nullopt: none. Errors: those of page().
[[nodiscard]] base::Result<std::optional<base::Timestamp>> newest_in_loki(loki::QueryClient& client, const std::string& query,
                                                                          const base::TimeRange& window);

// For a Loki: `window` is the time that the query reads. It makes at most three requests, for the newest record of the selector in
// the last week, for the values of a label and for the names of labels.
[[nodiscard]] std::string explain_nothing_in_loki(loki::QueryClient& client, const std::string& query,
                                                  const base::TimeRange& window, base::Timestamp now);

// The spools of an error: "a.db", "a.db and 2 more".
[[nodiscard]] std::string spools_in_words(std::span<const std::string> paths);

}  // namespace weir::stages
