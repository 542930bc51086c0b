// Records -> JSON lines, canonical: keys in the order timestamp, line, labels, metadata, tenant, source, marker, held, rejected,
// parsed, value, then unknown ones; labels sorted; no spaces. A record whose `raw` stands is printed as it was read.
#pragma once

#include "record/record.h"

#include <string>

namespace weir::record {

// Appends the record and a newline.
void append_jsonl(std::string& out, const Record& record);

}  // namespace weir::record
