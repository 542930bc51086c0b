// Turns records into JSON lines in canonical form. The order of keys is timestamp, line, labels, metadata, tenant, source,
// marker, held, rejected, parsed, value, then unknown ones. Labels are sorted, and there are no spaces. A record with its `raw`
// text is printed as it was read.
#pragma once

#include "record/record.h"

#include <string>

namespace weir::record {

// Appends the record and a newline.
void append_jsonl(std::string& out, const Record& record);

}  // namespace weir::record
