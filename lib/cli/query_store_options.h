// --spool of `weir query`: whom it asks, where that is not a Loki.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weir::cli {

struct LokiOptions;

struct QueryStoreOptions {
  std::vector<std::string> spools;  // --spool, WEIR_SPOOL; none: a Loki is asked
  [[nodiscard]] bool asks_loki() const { return spools.empty(); }
};

// `options` must outlive the parse.
void declare(CLI::App& app, QueryStoreOptions& options);

// WEIR_SPOOL stands in when neither an option nor LOKI_ADDR says whom to ask. `environment` as in pipeline::Context.
void fill_in(QueryStoreOptions& options, const LokiOptions& loki, const char* (*environment)(const char* name));

}  // namespace weir::cli
