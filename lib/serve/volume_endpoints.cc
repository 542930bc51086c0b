#include "serve/endpoints.h"

#include "gotext/quantity.h"
#include "scan/metric_points.h"
#include "scan/stream_sums.h"
#include "scan/volume.h"
#include "serve/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::serve {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Timestamp;

struct VolumeRequest {
  logql::LogExpr selector;
  base::TimeRange range;
  std::uint64_t limit = 0;
  base::Duration step = 0;  // 0: one sum
  scan::VolumeSum::Options options;
};

Result<base::TimeRange> range_of(const Call& call) {
  auto range = bounds_of(call.form(), call.now());
  if (!range) return range;
  if (range->to < range->from) return fail(Code::usage, "end timestamp must not be before or equal to start time");
  return range;
}

scan::StreamSums sums_of(Call& call, const base::TimeRange& range, base::Duration cell) {
  return {.range = range, .cell = cell, .tenant = call.tenant(), .limits = call.scan_limits(), .watch = [&call](const scan::Work&) {
            return !call.over();
          }};
}

std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find(','));
    list.remove_prefix(std::min(one.size() + 1, list.size()));
    if (!one.empty()) words.emplace_back(one);
  }
  return words;
}

Result<VolumeRequest> volume_request(const Call& call, bool with_step) {
  VolumeRequest request;
  auto range = range_of(call);
  if (!range) return std::move(range).error();
  // As Loki, which splits a range with steps before it looks at its length.
  if (auto ok = with_step ? Result<void>() : check_length(call, *range, Rounding::seconds); !ok) return std::move(ok).error();
  request.range = *range;
  auto selector = parse_selector(std::string(call.form().get("query")), true);
  if (!selector) return std::move(selector).error();
  request.selector = std::move(*selector);
  for (const auto& matcher : request.selector.matchers) request.options.selector.insert(matcher.name);
  // Loki takes 0 for the default here.
  const std::string_view limit = call.form().get("limit");
  auto number = limit.empty() ? Result<std::int64_t>(0) : parse_number(limit);
  if (!number) return std::move(number).error();
  if (*number < 0) return fail(Code::usage, "limit must be a positive value");
  request.limit = *number == 0 ? 100 : static_cast<std::uint64_t>(*number);
  if (call.limits().volume_series > 0) request.limit = std::min(request.limit, call.limits().volume_series);
  request.options.by = words_of(call.form().get("targetLabels"));
  const std::string_view aggregate = call.form().get("aggregateBy");
  if (!aggregate.empty() && aggregate != "series" && aggregate != "labels") return fail(Code::usage, "invalid aggregation option");
  request.options.by_name = aggregate == "labels";
  if (!with_step) return request;
  auto step = step_of(call.form(), *range);
  if (!step) return std::move(step).error();
  request.step = *step / base::kMillisecond * base::kMillisecond;
  if (request.step <= 0 || length_of(*range) / request.step > scan::kMostPoints) {
    return fail(Code::usage,
                "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter");
  }
  return request;
}

// A millisecond that has begun counts.
Timestamp end_of(const base::TimeRange& range) {
  const Timestamp rest = range.to % base::kMillisecond;
  return rest > 0 ? range.to - rest + base::kMillisecond : range.to;
}

logql::MetricAnswer::Series series_of(scan::Volume volume, const VolumeRequest& request) {
  logql::MetricAnswer::Series series;
  series.labels = volume.labels;
  if (request.step == 0) {
    series.points.push_back({end_of(request.range), static_cast<double>(volume.bytes)});
    return series;
  }
  // A point stands at the last millisecond of its cell, the last one at the end of the range.
  for (const auto& [cell, bytes] : volume.cells) {
    const Timestamp end = std::min(cell + request.step - base::kMillisecond, end_of(request.range));
    series.points.push_back({end, static_cast<double>(bytes)});
  }
  return series;
}

// A set of labels has no empty values, but this answer has: {"app":""}.
void name_labels(std::string& body, const std::vector<std::string>& names) {
  constexpr std::string_view kNone = R"({"metric":{})";
  std::size_t at = 0;
  for (const std::string& name : names) {
    at = body.find(kNone, at);
    if (at == std::string::npos) return;
    const std::string metric = fmt::format(R"({{"metric":{{{}:""}})", string_array({name}).substr(1, name.size() + 2));
    body.replace(at, kNone.size(), metric);
    at += metric.size();
  }
}

Answer answer_volume(Call& call, bool with_step) {
  auto request = volume_request(call, with_step);
  if (!request) return std::move(request).error();
  scan::VolumeSum sum(request->options);
  const auto cell_of = [step = request->step](Timestamp time) { return step == 0 ? 0 : time - (time % step + step) % step; };
  auto read =
      scan::sum_streams(call.spools(), request->selector, sums_of(call, request->range, request->step), call.shared().diagnostics,
                        [&](const scan::StreamSum& part) { sum.add(*part.labels, part.bytes, cell_of(part.time)); });
  if (!read) return of_store(std::move(read).error());
  using Kind = logql::MetricAnswer::Kind;
  logql::MetricAnswer answer = {.kind = with_step ? Kind::matrix : Kind::vector};
  std::vector<std::string> names;
  for (scan::Volume& volume : sum.largest(request->limit)) {
    if (request->options.by_name) names.push_back(volume.name);
    answer.series.push_back(series_of(std::move(volume), *request));
  }
  auto body = metric_body(call, answer);
  if (!body) return std::move(body).error();
  name_labels(*body, names);
  return json_answer(std::move(*body));
}

}  // namespace

Answer index_stats(Call& call) {
  auto range = range_of(call);
  if (!range) return std::move(range).error();
  if (auto ok = check_length(call, *range, Rounding::milliseconds_end_up); !ok) return std::move(ok).error();
  auto selector = parse_selector(std::string(call.form().get("query")), false);
  if (!selector) return std::move(selector).error();
  std::set<std::string> streams;  // their labels
  record::LabelSetRef latest;     // held, or the next set might come to stand in its place
  std::uint64_t records = 0, bytes = 0;
  auto blocks = scan::sum_streams(call.spools(), *selector, sums_of(call, *range, 0), call.shared().diagnostics,
                                  [&](const scan::StreamSum& part) {
                                    if (part.labels != latest.get()) {
                                      streams.emplace(part.labels->json());
                                      latest = record::LabelSetRef::share(part.labels);
                                    }
                                    records += part.records;
                                    bytes += part.bytes;
                                  });
  if (!blocks) return of_store(std::move(blocks).error());
  return json_answer(
      fmt::format("{{\"streams\":{},\"chunks\":{},\"bytes\":{},\"entries\":{}}}\n", streams.size(), *blocks, bytes, records));
}

Answer index_volume(Call& call) { return answer_volume(call, false); }
Answer index_volume_range(Call& call) { return answer_volume(call, true); }

}  // namespace weir::serve
