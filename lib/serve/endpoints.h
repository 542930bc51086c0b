// What stands behind the paths of Loki's API: each function answers one request. The errors become refusals (call.h).
#pragma once

#include "base/result.h"
#include "serve/call.h"

namespace weir::serve {

using Answer = base::Result<httpd::Response>;

// ---- range_endpoints.cc: lines and points

Answer query_range(Call& call);    // /loki/api/v1/query_range
Answer query_instant(Call& call);  // /loki/api/v1/query
Answer query_legacy(Call& call);   // /api/prom/query

// ---- label_endpoints.cc: which streams there are

Answer labels(Call& call);               // /loki/api/v1/labels and /label
Answer label_values(Call& call);         // /loki/api/v1/label/{name}/values
Answer legacy_labels(Call& call);        // /api/prom/label
Answer legacy_label_values(Call& call);  // /api/prom/label/{name}/values
Answer series(Call& call);               // /loki/api/v1/series
Answer detected_labels(Call& call);      // /loki/api/v1/detected_labels

// ---- volume_endpoints.cc: how much there is. Numbers are exact, where Loki's are estimates out of its index.

Answer index_stats(Call& call);         // /loki/api/v1/index/stats
Answer index_volume(Call& call);        // /loki/api/v1/index/volume
Answer index_volume_range(Call& call);  // /loki/api/v1/index/volume_range

// ---- field_endpoints.cc: what is in the lines

Answer detected_fields(Call& call);        // /loki/api/v1/detected_fields
Answer detected_field_values(Call& call);  // /loki/api/v1/detected_field/{name}/values
Answer patterns(Call& call);               // /loki/api/v1/patterns: 404, as where Loki's pattern ingester is off

// ---- fixed_endpoints.cc: what needs no store

Answer format_query(Call& call);      // /loki/api/v1/format_query
Answer drilldown_limits(Call& call);  // /loki/api/v1/drilldown-limits

}  // namespace weir::serve
