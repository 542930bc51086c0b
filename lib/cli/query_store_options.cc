#include "cli/query_store_options.h"

#include "base/visible.h"
#include "cli/loki_options.h"
#include "cli/value_options.h"
#include "stages/query.h"

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <set>
#include <utility>

namespace weir::cli {

using base::Code;
using base::fail;

void declare(CLI::App& app, QueryStoreOptions& options) {
  app.add_option("--spool", options.spools,
                 "read this spool instead of Loki; several are merged in the order of time (repeatable; default: WEIR_SPOOL, when "
                 "neither --addr nor LOKI_ADDR is given)")
      ->type_name("SPOOL");
  app.add_option("--with-spool", options.with_spool, "ask Loki, and take from this spool what Loki does not have")
      ->type_name("SPOOL");
  app.add_flag("--stdin", options.input, "read records from standard input, as JSON lines of weir, instead of Loki");
  add_size(app, "--memory", options.memory, "about how much memory reading a spool may take (default: 32MiB)", {.least = 8 << 20});
}

namespace {

// Nullopt: there is no such file.
std::optional<std::pair<dev_t, ino_t>> file_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return std::pair(status.st_dev, status.st_ino);
}

}  // namespace

base::Result<void> check(const QueryStoreOptions& options, const LokiOptions& loki) {
  if (options.input && !options.spools.empty()) return fail(Code::usage, "cannot use --stdin together with --spool");
  if (!options.with_spool.empty() && !options.asks_loki()) {
    return fail(Code::usage, "cannot use --with-spool together with {}", options.input ? "--stdin" : "--spool")
        .with_hint("--with-spool asks Loki and fills in what it lacks; --spool alone asks no Loki");
  }
  if (!options.asks_loki() && !loki.url.empty()) {
    return fail(Code::usage, "cannot use --addr together with {}", options.input ? "--stdin" : "--spool")
        .with_hint("--with-spool SPOOL asks Loki and fills in what it lacks; without --addr no Loki is asked");
  }
  std::set<std::pair<dev_t, ino_t>> files;
  for (const std::string& path : options.spools) {
    const auto file = file_of(path);
    if (file && !files.insert(*file).second)
      return fail(Code::usage, "cannot read the spool '{}' twice", base::escape_control(path)).with_hint("name each spool once");
  }
  return {};
}

void fill_in(QueryStoreOptions& options, const LokiOptions& loki, const char* (*environment)(const char* name)) {
  const auto variable = [&](const char* name) {
    const char* value = environment(name);
    return value == nullptr ? std::string() : std::string(value);
  };
  if (!options.asks_loki() || !options.with_spool.empty() || !loki.url.empty() || !variable("LOKI_ADDR").empty()) return;
  if (auto spool = variable("WEIR_SPOOL"); !spool.empty()) options.spools.push_back(std::move(spool));
}

void apply(const QueryStoreOptions& options, stages::QuerySpec& spec) {
  spec.spools = options.spools;
  spec.with_spool = options.with_spool;
  if (options.input) spec.input = STDIN_FILENO;
  if (options.memory) spec.scan.memory = *options.memory;
}

}  // namespace weir::cli
