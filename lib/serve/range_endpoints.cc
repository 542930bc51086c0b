#include "serve/endpoints.h"

#include "gotext/unicode.h"
#include "logql/range_vector.h"
#include "serve/answers.h"
#include "serve/log_pages.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::serve {
namespace {

using base::Code;
using base::fail;
using base::Result;
using record::Batch;
using record::Record;

// Fills `groups` with what the request asks for.
Result<void> gather(Call& call, const RangeRequest& request, logql::LogExpr query, StreamGroups& groups) {
  const std::uint64_t most = call.limits().entries;
  if (most > 0 && request.limit > most) {
    return fail(Code::usage, "max entries limit per query exceeded, limit > max_entries_limit_per_query ({} > {})", request.limit,
                most);
  }
  // With an interval they come newest first.
  std::optional<base::Error> wrong;
  auto more = read_page(call,
                        {.query = std::move(query),
                         .range = request.range,
                         .limit = request.limit,
                         .backward = request.backward,
                         .interval = request.interval},
                        [&](Record& record, Batch& batch) {
                          groups.add(record, batch);
                          if (groups.bytes() > call.limits().answer) wrong = too_large(call);
                          return !wrong;
                        });
  if (wrong) return std::move(*wrong);
  if (!more) return std::move(more).error();
  return {};
}

Answer answer_points(Call& call, const RangeRequest& request) {
  const base::Duration step = request.step / base::kMillisecond * base::kMillisecond;
  if (step <= 0) return fail(Code::usage, "zero or negative query resolution step widths are not accepted. Try a positive integer");
  const logql::MetricTimes times = {request.range.from, request.range.to, step};
  auto answer = call.evaluate(request.query, times.aligned(), false, call.limits().series);
  if (!answer) return std::move(answer).error();
  auto body = metric_body(call, *answer);
  if (!body) return std::move(body).error();
  return json_answer(std::move(*body));
}

}  // namespace

Answer query_range(Call& call) {
  auto request = range_request(call.form(), call.now());
  if (!request) return std::move(request).error();
  auto query = parse_query(request->query);
  if (!query) return std::move(query).error();
  if (auto ok = check_length(call, request->range); !ok) return std::move(ok).error();
  if (!query->is_log()) return answer_points(call, *request);

  const auto flags = encoding_flags(call.request());
  const bool categorize = std::ranges::find(flags, kCategorize) != flags.end();
  StreamGroups groups({.categorize = categorize, .backward = request->backward && request->interval == 0});
  auto ok = gather(call, *request, std::get<logql::LogExpr>(std::move(query->node)), groups);
  if (!ok) return std::move(ok).error();
  return json_answer(streams_body(call, groups, flags));
}

Answer query_instant(Call& call) {
  const std::string text(call.form().get("query"));
  if (auto limit = limit_of(call.form(), "limit", 100); !limit) return std::move(limit).error();
  auto time = parse_time(call.form().get("time"), call.now());
  if (!time) return std::move(time).error();
  if (auto backward = is_backward(call.form()); !backward) return std::move(backward).error();
  auto query = parse_query(text);
  if (!query) return std::move(query).error();
  if (query->is_log()) {
    return fail(Code::usage,
                "log queries are not supported as an instant query type, please change your query to a range query type");
  }
  auto answer = call.evaluate(text, {*time, *time, base::kSecond}, true, call.limits().series);
  if (!answer) return std::move(answer).error();
  auto body = metric_body(call, *answer);
  if (!body) return std::move(body).error();
  return json_answer(std::move(*body));
}

Answer query_legacy(Call& call) {
  auto request = range_request(call.form(), call.now());
  if (!request) return std::move(request).error();
  if (const std::string_view regexp = call.form().get("regexp"); !regexp.empty()) {
    request->query += " |~ ";
    gotext::append_quoted(request->query, regexp);
  }
  auto query = parse_query(request->query);
  if (!query) return std::move(query).error();
  if (!query->is_log())
    return fail(Code::usage, "rpc error: code = Code(400) desc = legacy endpoints only support streams result type");
  if (auto ok = check_length(call, request->range); !ok) return std::move(ok).error();
  StreamGroups groups({.backward = request->backward && request->interval == 0, .legacy = true});
  auto ok = gather(call, *request, std::get<logql::LogExpr>(std::move(query->node)), groups);
  if (!ok) return std::move(ok).error();
  return json_answer(legacy_body(call, groups));
}

}  // namespace weir::serve
