#include "cli/query_store_options.h"

#include "cli/loki_options.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

void declare(CLI::App& app, QueryStoreOptions& options) {
  app.add_option("--spool", options.spools,
                 "read this spool instead of Loki (default: WEIR_SPOOL, when neither --addr nor LOKI_ADDR is given)")
      ->expected(1)
      ->type_name("SPOOL");
}

void fill_in(QueryStoreOptions& options, const LokiOptions& loki, const char* (*environment)(const char* name)) {
  const auto variable = [&](const char* name) {
    const char* value = environment(name);
    return value == nullptr ? std::string() : std::string(value);
  };
  if (!options.asks_loki() || !loki.url.empty() || !variable("LOKI_ADDR").empty()) return;
  if (auto spool = variable("WEIR_SPOOL"); !spool.empty()) options.spools.push_back(std::move(spool));
}

}  // namespace weir::cli
