// The options of logcli that `weir query` has only for those who come from there, and what it says of the others.
#pragma once

#include "base/result.h"
#include "cli/command.h"

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

struct QueryLogcliOptions {
  bool quiet = false;
  std::string query_tags;                    // --query-tags, LOKI_QUERY_TAGS: sent as X-Query-Tags
  bool no_cache = false;                     // --nocache, LOKI_NO_CACHE: Loki's caches are not used
  std::optional<std::uint64_t> retries;      // --retries, LOKI_CLIENT_RETRIES
  std::optional<std::uint64_t> least, most;  // --min-backoff, --max-backoff, LOKI_CLIENT_…: seconds
  bool no_labels = false;
  std::vector<std::string> include, exclude;
  std::vector<std::string> without_effect;  // values that nothing asks for
};

// In the group "As in logcli". `options` must outlive the parse.
void declare(CLI::App& app, QueryLogcliOptions& options);

// The environment stands in for what is not given. Code::usage: a variable that is no number.
[[nodiscard]] base::Result<void> apply(const QueryLogcliOptions& options, const char* (*environment)(const char* name),
                                       stages::QuerySpec& spec);

// Options of logcli that weir has under another name, or not.
[[nodiscard]] std::vector<ForeignOption> logcli_options();

}  // namespace weir::cli
