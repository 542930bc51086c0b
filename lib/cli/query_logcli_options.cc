#include "cli/query_logcli_options.h"

#include "base/visible.h"
#include "cli/value_options.h"
#include "stages/query.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>

namespace weir::cli {
namespace {

using base::Code;
using base::fail;
using base::Result;

std::string variable(const char* (*environment)(const char* name), const char* name) {
  const char* value = environment != nullptr ? environment(name) : nullptr;
  return value == nullptr ? std::string() : std::string(value);
}

Result<std::optional<std::uint64_t>> number(const std::optional<std::uint64_t>& given, const char* (*environment)(const char* name),
                                            const char* name) {
  if (given) return given;
  const std::string text = variable(environment, name);
  if (text.empty()) return std::optional<std::uint64_t>();
  auto read = read_number(text);
  if (!read) return fail(Code::usage, "cannot use '{}' of {}: {}", base::escape_control(text), name, read.error().message);
  return std::optional(*read);
}

}  // namespace

void declare(CLI::App& app, QueryLogcliOptions& options) {
  constexpr const char* kGroup = "As in logcli";
  const auto flag = [&](const char* names, bool& value, const char* what) { app.add_flag(names, value, what)->group(kGroup); };
  const auto list = [&](const char* names, std::vector<std::string>& values, const char* what) {
    app.add_option(names, values, what)->type_name("LABEL")->group(kGroup);
  };
  flag("-q,--quiet", options.quiet, "no summary on standard error");
  flag("--no-labels", options.no_labels, "leave out all labels and metadata of records");
  list("--include-label", options.include, "leave out all labels and metadata but this (repeatable)");
  list("--exclude-label", options.exclude, "leave out this label or metadata (repeatable)");
  app.add_option("--query-tags", options.query_tags, "tags for Loki's log of queries (default: LOKI_QUERY_TAGS)")
      ->type_name("TAGS")
      ->group(kGroup);
  flag("--nocache", options.no_cache, "ask Loki not to use its caches (default: LOKI_NO_CACHE)");
  add_number(app, "--retries", options.retries, "repeat a request N times (default: LOKI_CLIENT_RETRIES, else 5)",
             NumberBounds{.most = 1000})
      ->group(kGroup);
  add_number(app, "--min-backoff", options.least, "the first wait between requests, in seconds (default: LOKI_CLIENT_MIN_BACKOFF)",
             NumberBounds{.most = 3600})
      ->group(kGroup);
  add_number(app, "--max-backoff", options.most, "the longest wait between requests, in seconds (default: LOKI_CLIENT_MAX_BACKOFF)",
             NumberBounds{.most = 3600})
      ->group(kGroup);
  const auto ignored = [&](const char* name) {
    app.add_option(name, options.without_effect, "taken, without an effect")->type_name("VALUE")->group("");
  };
  for (const char* name : {"--log.level", "--labels-length", "--parallel-duration", "--parallel-max-workers"}) ignored(name);
  app.add_flag("--colored-output,--compress,--envproxy,--include-common-labels")
      ->description("taken, without an effect")
      ->group("");
}

Result<void> apply(const QueryLogcliOptions& options, const char* (*environment)(const char* name), stages::QuerySpec& spec) {
  spec.quiet = options.quiet;
  spec.labels = {options.no_labels, options.include, options.exclude};
  std::string tags = options.query_tags.empty() ? variable(environment, "LOKI_QUERY_TAGS") : options.query_tags;
  const auto line_end = [](char c) { return static_cast<unsigned char>(c) < ' '; };
  if (std::any_of(tags.begin(), tags.end(), line_end)) {
    return fail(Code::usage, "cannot use '{}' for --query-tags: it holds a control byte", base::escape_control(tags));
  }
  if (!tags.empty()) spec.loki.http.headers.push_back({"X-Query-Tags", std::move(tags)});
  const std::string no_cache = variable(environment, "LOKI_NO_CACHE");
  if (options.no_cache || no_cache == "true" || no_cache == "1") spec.loki.http.headers.push_back({"Cache-Control", "no-cache"});
  const auto retries = number(options.retries, environment, "LOKI_CLIENT_RETRIES");
  const auto least = number(options.least, environment, "LOKI_CLIENT_MIN_BACKOFF");
  const auto most = number(options.most, environment, "LOKI_CLIENT_MAX_BACKOFF");
  for (const auto* one : {&retries, &least, &most}) {
    if (!one->ok()) return one->error();
  }
  if (*retries) spec.loki.attempts = static_cast<int>(std::min<std::uint64_t>(**retries, 1000)) + 1;
  const auto seconds = [](std::uint64_t count) {
    return static_cast<base::Duration>(std::min<std::uint64_t>(count, 3600)) * base::kSecond;
  };
  if (*least && **least > 0) spec.loki.backoff.base = seconds(**least);
  if (*most && **most > 0) spec.loki.backoff.ceiling = seconds(**most);
  return {};
}

std::vector<ForeignOption> logcli_options() {
  constexpr std::string_view kParts = "query writes one answer in the order of time: … -o jsonl > FILE";
  constexpr std::string_view kStore = "weir asks Loki itself, not its store; --spool reads a spool of weir";
  return {{"--stats", "Loki's figures of a query are not shown; how much there is: weir query stats '{{…}}'"},
          {"--output-timestamp-format", "-o jsonl has the whole time, as RFC 3339 with nanoseconds"},
          {"--auth-header", "for another header with a token: --header '{}: Bearer …'"},
          {"--tail", "for the newest {0} records and then new ones: -f --limit {0}"},
          {"--follow", "for the newest {0} records and then new ones: -f --limit {0}"},
          {"--delay-for", "for records that come late: --late {}s"},
          {"--interval", "for points in time: a metric query with --step {}"},
          {"--analyze-labels", "for what labels there are: weir query labels, weir query volume --by-name"},
          {"--part-path-prefix", kParts},
          {"--overwrite-completed-parts", kParts},
          {"--merge-parts", kParts},
          {"--keep-parts", kParts},
          {"--store-config", kStore},
          {"--remote-schema", kStore},
          {"--schema-store", kStore},
          {"--cpuprofile", "for a profile: perf record weir query …"},
          {"--memprofile", "for the memory it takes: /usr/bin/time -v weir query …"}};
}

}  // namespace weir::cli
