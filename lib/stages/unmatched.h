// Why a query found nothing, said once it did: which name is wrong, or which time. Costs reads or requests of its own, and none before.
#pragma once

#include "loki/query_client.h"
#include "spool/block_info.h"

#include <string>
#include <vector>

namespace weir::stages {

// One line without a full stop, safe to print; "" where there is nothing to say. Trouble while asking is no trouble of the query: "".

// Of a spool: reads the labels of its streams. `now` is what ages count from.
[[nodiscard]] std::string explain_nothing_in_spool(const std::string& path, const std::string& query, const spool::TimeRange& range,
                                                   base::Timestamp now);

// Of a label without values: `names` are those of the labels that have some.
[[nodiscard]] std::string explain_no_values(const std::string& label, std::vector<std::string> names);

// Of a Loki: at most two requests, for the values of a label and for the names of labels within the window.
[[nodiscard]] std::string explain_nothing_in_loki(loki::QueryClient& client, const std::string& query, const base::TimeRange& window);

}  // namespace weir::stages
