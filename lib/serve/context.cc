#include "serve/context.h"

#include "logql/printer.h"
#include "serve/level_of.h"
#include "serve/line_objects.h"
#include "serve/stream_groups.h"
#include "serve/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace weir::serve {
namespace {

using base::Code;
using base::fail;
using base::Result;
using record::Batch;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;

struct ContextRequest {
  base::Timestamp time = 0;
  LabelSetRef labels;  // null: a selector
  logql::LogExpr query;
  std::uint64_t before = 0, after = 0;
};

Result<std::uint64_t> count_of(const Call& call, std::string_view name) {
  const std::string_view text = call.form().get(name);
  if (text.empty()) return std::uint64_t{50};
  auto number = parse_number(text);
  if (!number) return std::move(number).error();
  if (*number < 0) return fail(Code::usage, "limit must be a positive value");
  const auto count = static_cast<std::uint64_t>(*number);
  return call.limits().entries > 0 ? std::min(count, call.limits().entries) : count;
}

Result<LabelSetRef> labels_of(std::string_view object) {
  const Pairs pairs = pairs_of(object);
  if (pairs.empty()) return fail(Code::usage, "cannot read 'stream': it is neither an object of labels nor a selector");
  std::vector<record::Label> labels;
  for (const auto& [name, value] : pairs) labels.push_back({name, value});
  return LabelSet::intern(labels);
}

Result<ContextRequest> context_request(const Call& call) {
  ContextRequest request;
  auto time = parse_time(call.form().get("ts"), base::TimeRange::kForever);
  if (!time) return std::move(time).error();
  if (*time == base::TimeRange::kForever) return fail(Code::usage, "cannot show the lines around a record: 'ts' is missing");
  request.time = *time;
  for (auto& [name, count] : {std::pair("before", &request.before), std::pair("after", &request.after)}) {
    auto number = count_of(call, name);
    if (!number) return std::move(number).error();
    *count = *number;
  }
  const std::string stream(call.form().get("stream"));
  if (stream.starts_with("{\"")) {
    auto labels = labels_of(stream);
    if (!labels) return std::move(labels).error();
    request.labels = std::move(*labels);
    for (const record::Label& label : request.labels->labels())
      request.query.matchers.push_back({std::string(label.name), logql::MatchOp::equal, std::string(label.value)});
  } else {
    auto selector = parse_selector(stream, false);
    if (!selector) return std::move(selector).error();
    request.query.matchers = std::move(selector->matchers);
  }
  if (const std::string text(call.form().get("query")); !text.empty()) {
    auto rest = parse_log_query(text.starts_with('{') ? text : logql::print_selector(request.query.matchers) + ' ' + text);
    if (!rest) return std::move(rest).error();
    request.query.stages = std::move(rest->stages);
  }
  return request;
}

class Side {
 public:
  Side(Call& call, const ContextRequest& request, Levels& levels) : call_(call), request_(request), levels_(levels) {}

  // The lines of the range, the newest or the oldest `count`: an array. `more`: there are others.
  Result<std::string> lines(const base::TimeRange& range, std::uint64_t count, bool newest, bool& more) {
    std::string out = "[";
    more = false;
    if (count == 0 || range.from >= range.to) return out + ']';
    auto scan = call_.scan(request_.query, range);
    if (!scan) return std::move(scan).error();
    if (request_.labels) (*scan)->take_streams([set = request_.labels](const LabelSet& labels) { return &labels == set.get(); });
    if (newest) {
      auto older = (*scan)->keep_newest(count);
      if (!older) return std::move(older).error();
      more = *older;
    }
    std::uint64_t taken = 0;
    auto read = (*scan)->run([&](Batch& batch) -> Result<bool> {
      for (Record& record : batch.records) {
        if (taken++ == count) return more = true, false;
        if (out.size() > 1) out += ',';
        out += '{';
        if (record.labels != request_.labels.get()) out += fmt::format("\"labels\":{},", record.labels->json());
        append_line_members(out, record, batch, levels_.of(record, batch));
        out += '}';
      }
      return out.size() <= call_.limits().answer && !call_.over();
    });
    if (!read) return std::move(read).error();
    if (out.size() > call_.limits().answer) return too_large(call_);
    return out + ']';
  }

 private:
  Call& call_;
  const ContextRequest& request_;
  Levels& levels_;
};

Answer answer_context(Call& call) {
  auto request = context_request(call);
  if (!request) return std::move(request).error();
  Levels levels;
  Side side(call, *request, levels);
  bool more_before = false, more_after = false;
  auto before = side.lines({base::TimeRange::kBeginning, request->time}, request->before, true, more_before);
  if (!before) return std::move(before).error();
  auto after = side.lines({request->time, base::TimeRange::kForever}, request->after, false, more_after);
  if (!after) return std::move(after).error();
  return json_answer(fmt::format("{{\"labels\":{},\"before\":{},\"after\":{},\"more_before\":{},\"more_after\":{}}}\n",
                                 request->labels ? request->labels->json() : "{}", *before, *after, more_before, more_after));
}

}  // namespace

Answer context(Call& call) {
  auto answer = answer_context(call);
  if (!answer) return json_refusal(answer.error());
  return answer;
}

}  // namespace weir::serve
