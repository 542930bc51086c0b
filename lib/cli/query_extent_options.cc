#include "cli/query_extent_options.h"

#include "cli/value_options.h"
#include "record/timestamp.h"
#include "stages/query.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

namespace weir::cli {
namespace {

constexpr std::uint64_t kLimitForPeople = 1000;  // records
constexpr std::uint64_t kLargestVolumes = 100;   // as Loki has it
constexpr std::uint64_t kMostFields = 1000;      // as Loki has it

}  // namespace

void declare(CLI::App& app, QueryExtentOptions& options) {
  add_number(
      app, "--limit", options.limit,
      "at most N records, volumes, fields or values, 0 for all (default: 1000, but all records in jsonl and csv, and 100 volumes)");
  app.add_flag("--forward", options.forward, "with a limit, take the oldest records instead of the newest");
  app.add_flag("--instant", options.instant, "evaluate a metric query at one time, which is --now, --to or the present");
  add_time(app, "--now", options.now, "the end of the time, from which times such as 15m count back");
  add_duration(app, "--step", options.step, "time between the points of a metric query (default: a 250th of the time)",
               {.least = base::kMillisecond});
  app.add_option("--by,--targetLabels", options.by, "of `volume`: sums for the values of these labels (default: those of LOGQL)")
      ->type_name("LABEL,...")
      ->delimiter(',');
  app.add_flag("--by-name,--aggregateByLabels", options.by_name, "of `volume`: a sum for each name of a label");
  add_number(app, "--line-limit", options.lines, "of `fields` and `values`: look at the newest N records (default: 1000)",
             kAtLeastOne);
  add_number(app, "--batch", options.page, "at most N records in one answer of Loki (default: as many as it gives, up to 5000)",
             NumberBounds{.least = 2});
}

std::string_view QueryExtentOptions::of_queries() const {
  if (step) return "--step";
  if (forward) return "--forward";
  if (!by.empty()) return "--by";
  if (by_name) return "--by-name";
  if (lines) return "--line-limit";
  return page ? "--batch" : "";
}

base::Result<void> check(const QueryExtentOptions& options, stages::QuerySpec::What what) {
  using What = stages::QuerySpec::What;
  if (what != What::volume && (options.by_name || !options.by.empty())) {
    return base::fail(base::Code::usage, "cannot take {} without volume", options.by_name ? "--by-name" : "--by")
        .with_hint("bytes for the values of a label: weir query volume --by LABEL; of a metric query: sum by (LABEL) (…)");
  }
  if (options.lines && what != What::fields && what != What::values) {
    return base::fail(base::Code::usage, "cannot take --line-limit without fields or values")
        .with_hint("--limit says how many records are shown");
  }
  return {};
}

void apply(const QueryExtentOptions& options, bool everything, stages::QuerySpec& spec) {
  using What = stages::QuerySpec::What;
  std::uint64_t standard = everything ? 0 : kLimitForPeople;
  if (spec.what == What::volume) standard = kLargestVolumes;
  if (spec.what == What::fields || spec.what == What::values) standard = kMostFields;
  spec.limit = options.limit.value_or(standard);
  spec.forward = options.forward;
  spec.instant = options.instant;
  spec.step = options.step.value_or(0);
  spec.by = options.by;
  spec.by_name = options.by_name;
  spec.lines = options.lines.value_or(spec.lines);
  spec.page = options.page.value_or(0);
}

base::Result<base::TimeRange> time_range(const TimeFlags& flags, const QueryExtentOptions& options, base::Timestamp now) {
  if (options.now) now = options.now->at(now);
  auto range = time_range(flags, now);
  if (range && range->to == base::TimeRange::kForever && (options.now || options.instant)) {
    range->to = now;
    if (range->from >= now) {
      return base::fail(base::Code::usage, "cannot take records from {} to {}: the end is not after the start",
                        record::to_rfc3339(range->from), options.now ? fmt::format("--now {}", record::to_rfc3339(now)) : "now");
    }
  }
  return range;
}

}  // namespace weir::cli
