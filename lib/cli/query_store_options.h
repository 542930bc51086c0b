// --spool, --with-spool, --stdin and --memory of `weir query`: whom it asks, where that is not a Loki alone.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}
namespace weir::stages {
struct QuerySpec;
}

namespace weir::cli {

struct LokiOptions;

struct QueryStoreOptions {
  std::vector<std::string> spools;  // --spool, WEIR_SPOOL; none: a Loki is asked
  std::string with_spool;
  bool input = false;
  std::optional<std::uint64_t> memory;  // bytes

  [[nodiscard]] bool asks_loki() const { return spools.empty() && !input; }
};

// `options` must outlive the parse.
void declare(CLI::App& app, QueryStoreOptions& options);

// Code::usage: more than one of them, one spool twice, or a Loki named by `loki` that is not asked. To be called after fill_in().
[[nodiscard]] base::Result<void> check(const QueryStoreOptions& options, const LokiOptions& loki);

// WEIR_SPOOL stands in when neither an option nor LOKI_ADDR says whom to ask. `environment` as in pipeline::Context.
void fill_in(QueryStoreOptions& options, const LokiOptions& loki, const char* (*environment)(const char* name));

void apply(const QueryStoreOptions& options, stages::QuerySpec& spec);

}  // namespace weir::cli
