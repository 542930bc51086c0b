// A configuration of Promtail (3.6, whose configuration is complete and final) as pipelines of weir.
//
// Each scrape job becomes a pipeline of its own, since jobs differ in what they read and in the labels they set: tail -> enrich ->
// filter -> buffer -> push. Targets of a job with the same labels are one tail. Several clients are several `push` of one spool,
// apart from clients with other external labels: their pipelines label the records anew.
#pragma once

#include "base/result.h"
#include "convert/conversion.h"

#include <string_view>

namespace weir::convert {

// Errors: Code::config for what is no YAML, and for what Promtail would refuse: "FILE:3:8: …" with the line and a caret.
[[nodiscard]] base::Result<Conversion> convert_promtail(std::string_view text, const Options& options);

}  // namespace weir::convert
