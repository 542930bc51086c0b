#include "serve/answers.h"

#include "gotext/quantity.h"
#include "gotext/unicode.h"
#include "record/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace weir::serve {
namespace {

using record::append_json_string;

// What of Loki's statistics has a meaning here. The objects that clients look for are all there.
void append_stats(std::string& out, const Call& call, std::uint64_t entries) {
  const double seconds = static_cast<double>(call.taken()) / static_cast<double>(base::kSecond);
  const auto per_second = seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(call.bytes_read()) / seconds) : 0;
  fmt::format_to(
      std::back_inserter(out),
      R"("stats":{{"summary":{{"bytesProcessedPerSecond":{},"linesProcessedPerSecond":0,"totalBytesProcessed":{},)"
      R"("totalLinesProcessed":0,"execTime":{:.6f},"queueTime":0,"subqueries":0,"totalEntriesReturned":{},"splits":0,)"
      R"("shards":0,"totalPostFilterLines":0,"totalStructuredMetadataBytesProcessed":0}},)"
      R"("querier":{{"store":{{"totalChunksRef":0,"totalChunksDownloaded":0,"chunksDownloadTime":0,"chunk":{{}}}}}},)"
      R"("ingester":{{"totalReached":0,"totalChunksMatched":0,"totalBatches":0,"totalLinesSent":0,"store":{{"chunk":{{}}}}}},)"
      R"("cache":{{}},"index":{{}}}})",
      per_second, call.bytes_read(), seconds, entries);
}

constexpr std::string_view kHead = R"({"status":"success","data":{"resultType":)";

}  // namespace

std::vector<std::string> encoding_flags(const httpd::Request& request) {
  std::vector<std::string> flags;
  std::string_view rest = request.header("X-Loki-Response-Encoding-Flags");
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    const std::string_view flag = gotext::trim_space(one);
    if (!flag.empty() && std::ranges::find(flags, flag) == flags.end()) flags.emplace_back(flag);
  }
  return flags;
}

std::string streams_body(const Call& call, StreamGroups& groups, const std::vector<std::string>& flags) {
  const std::uint64_t entries = groups.entries();
  std::string out(kHead);
  out += R"("streams",)";
  if (!flags.empty()) out += fmt::format(R"("encodingFlags":{},)", string_array(flags));
  out += R"("result":)";
  groups.take_json(out);
  out += ',';
  append_stats(out, call, entries);
  out += "}}\n";
  return out;
}

std::string legacy_body(const Call& call, StreamGroups& groups) {
  const std::uint64_t entries = groups.entries();
  std::string out = R"({"streams":)";
  groups.take_json(out);
  out += ',';
  append_stats(out, call, entries);
  out += "}\n";
  return out;
}

base::Result<std::string> metric_body(const Call& call, const logql::MetricAnswer& answer) {
  using Kind = logql::MetricAnswer::Kind;
  std::string out(kHead);
  const auto append_point = [&](const logql::MetricPoint& point) {
    out += '[';
    append_seconds(out, point.time);
    out += ",\"";
    out += gotext::print_float_f(point.value);
    out += "\"]";
  };
  if (answer.kind == Kind::scalar) {
    out += R"("scalar","result":)";
    append_point(answer.series.front().points.front());
  } else {
    out += answer.kind == Kind::vector ? R"("vector","result":[)" : R"("matrix","result":[)";
    bool first = true;
    for (const auto& series : answer.series) {
      if (!std::exchange(first, false)) out += ',';
      out += R"({"metric":)";
      out += series.labels->json();
      if (answer.kind == Kind::vector) {
        out += R"(,"value":)";
        append_point(series.points.front());
      } else {
        out += R"(,"values":[)";
        for (std::size_t i = 0; i < series.points.size(); ++i) {
          if (i > 0) out += ',';
          append_point(series.points[i]);
        }
        out += ']';
      }
      out += '}';
      if (out.size() > call.limits().answer) return too_large(call);
    }
    out += ']';
  }
  out += ',';
  append_stats(out, call, answer.series.size());
  out += "}}\n";
  return out;
}

std::string string_array(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const std::string& value : values) {
    if (out.size() > 1) out += ',';
    append_json_string(out, value);
  }
  return out + ']';
}

std::string strings_body(const std::vector<std::string>& values) {
  if (values.empty()) return "{\"status\":\"success\"}\n";
  return fmt::format("{{\"status\":\"success\",\"data\":{}}}\n", string_array(values));
}

void append_seconds(std::string& out, base::Timestamp time) {
  std::int64_t ms = time / base::kMillisecond;
  if (time % base::kMillisecond < 0) --ms;
  if (ms < 0) {
    out += gotext::print_float_f(static_cast<double>(ms) / 1000);
    return;
  }
  fmt::format_to(std::back_inserter(out), "{}", ms / 1000);
  if (ms % 1000 == 0) return;
  fmt::format_to(std::back_inserter(out), ".{:03}", ms % 1000);
  while (out.back() == '0') out.pop_back();
}

}  // namespace weir::serve
