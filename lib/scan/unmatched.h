// Explains why a query over spools found nothing: which name or which time is wrong. It reads only after the query found nothing.
#pragma once

#include "base/time_range.h"
#include "logql/ast.h"
#include "record/record.h"
#include "scan/block_search.h"
#include "scan/missing_name.h"
#include "spool/block_info.h"

#include <span>
#include <string>
#include <vector>

namespace weir::scan {

// Each function gives one line without a full stop, safe to print; "" when there is nothing to say. A failure while asking is
// not a failure of the query: it also gives "".

// Reads the labels of the streams, and a few records where the selector takes some. Of a metric query the first selector counts,
// and `range` is the time that it reads. Ages count from `now`.
[[nodiscard]] std::string explain_nothing_in_spools(std::span<const std::string> paths, const std::string& query,
                                                    const base::TimeRange& range, base::Timestamp now,
                                                    const WantedTenant& tenant = {});

// The first selector of each of `queries` that takes no stream of these spools: the name or value that is wrong, "" for the others.
// Reads the labels of the spools once. Of one tenant, its streams alone count.
[[nodiscard]] std::vector<std::string> explain_selectors_in_spools(std::span<const std::string> paths,
                                                                   std::span<const std::string> queries,
                                                                   const WantedTenant& tenant = {});

// For a label without values. `names` are the labels that have some.
[[nodiscard]] std::string explain_no_values(const std::string& label, std::vector<std::string> names);

// Where nothing better can be said.
[[nodiscard]] std::string nothing_in(const base::TimeRange& range);

// ---- parts of these, for who asks somebody else

// There are records of the selector from `oldest` to `newest`, none of them in the range.
[[nodiscard]] std::string explain_time(const base::TimeRange& range, base::Timestamp oldest, base::Timestamp newest,
                                       base::Timestamp now);
// None of the records of the selector in this time passes the rest.
inline constexpr std::string_view kRestOfTheQuery =
    "there are records of these labels in this time, but none passes the rest of the query";
// None of the records that the selector takes passes the rest: `sample` has the first kLooksAtRecords of them (missing_name.h).
[[nodiscard]] std::string explain_rest(const logql::LogExpr& query, record::Batch& sample);
// The log query of the first range of a query, the query itself when it is a log query; null when there is none.
[[nodiscard]] const logql::LogExpr* first_log_query(const logql::Expr& expr);

}  // namespace weir::scan
