// The options of whoever writes a spool (buffer, serve), each with one wording. All bind to `store`, which must outlive the parse.
#pragma once

#include "spool/writer.h"

namespace CLI {
class App;
}

namespace weir::cli {

void declare_sync(CLI::App& app, spool::WriterOptions& store);
// Under the heading `group`.
void declare_max_size(CLI::App& app, spool::WriterOptions& store, const char* group);
void declare_min_free(CLI::App& app, spool::WriterOptions& store, const char* group);
void declare_retain(CLI::App& app, spool::WriterOptions& store, const char* group);
void declare_on_full(CLI::App& app, spool::WriterOptions& store, const char* group);

}  // namespace weir::cli
