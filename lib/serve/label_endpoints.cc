#include "serve/endpoints.h"

#include "record/json.h"
#include "serve/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::serve {
namespace {

using base::Code;
using base::fail;
using base::Result;
using record::Label;
using record::LabelSetRef;

using Sets = std::vector<LabelSetRef>;

Result<base::TimeRange> label_range(const Call& call) {
  auto range = bounds_of(call.form(), call.now());
  if (!range) return range;
  // Loki's words for a range that ends before it begins.
  if (range->to < range->from)
    return fail(Code::usage, "this data is no longer available, it is past now - max_query_lookback (0s)");
  if (auto ok = check_length(call, *range); !ok) return std::move(ok).error();
  return range;
}

Result<Sets> streams(Call& call, logql::LogExpr selector, const base::TimeRange& range) {
  auto scan = call.scan(std::move(selector), range);
  if (!scan) return std::move(scan).error();
  return (*scan)->series();
}

// The streams that the request's query selects.
Result<Sets> selected(Call& call, const base::TimeRange& range) {
  const std::string query(call.form().get("query"));
  logql::LogExpr selector;
  if (!query.empty()) {
    auto parsed = parse_selector(query, false);
    if (!parsed) return std::move(parsed).error();
    selector = std::move(*parsed);
  }
  return streams(call, std::move(selector), range);
}

Result<std::vector<std::string>> names(Call& call) {
  auto range = label_range(call);
  if (!range) return std::move(range).error();
  auto sets = selected(call, *range);
  if (!sets) return std::move(sets).error();
  std::set<std::string_view> found;
  for (const LabelSetRef& set : *sets) {
    for (const Label& label : set->labels()) found.insert(label.name);
  }
  return std::vector<std::string>(found.begin(), found.end());
}

Result<std::vector<std::string>> values(Call& call) {
  auto range = label_range(call);
  if (!range) return std::move(range).error();
  auto sets = selected(call, *range);
  if (!sets) return std::move(sets).error();
  const std::string& name = call.request().segments.front();
  std::set<std::string_view> found;
  for (const LabelSetRef& set : *sets) {
    if (const std::string_view value = set->get(name); !value.empty()) found.insert(value);
  }
  return std::vector<std::string>(found.begin(), found.end());
}

Answer as_strings(Result<std::vector<std::string>> found) {
  if (!found) return std::move(found).error();
  return json_answer(strings_body(*found));
}

Answer as_legacy(Result<std::vector<std::string>> found) {
  if (!found) return std::move(found).error();
  return json_answer(found->empty() ? "{}\n" : fmt::format("{{\"values\":{}}}\n", string_array(*found)));
}

// What the `match` parameters select; an empty one for all.
Result<std::vector<logql::LogExpr>> matches(const Call& call) {
  std::set<std::string> texts;
  for (const char* name : {"match", "match[]"}) {
    for (std::string& text : call.form().all(name)) texts.insert(std::move(text));
  }
  std::vector<logql::LogExpr> found;
  for (const std::string& text : texts) {
    auto selector = parse_selector(text, true);
    if (!selector) return std::move(selector).error();
    if (selector->matchers.empty() && texts.size() > 1) return fail(Code::usage, "0 matchers in group: {}", text);
    found.push_back(std::move(*selector));
  }
  if (found.empty()) found.emplace_back();
  return found;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

bool is_whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// Values that only tell one thing from another: Loki hides a label that has nothing else, but for names that people look for.
bool is_telling(std::string_view name, const std::set<std::string_view>& values) {
  for (const char* known : {"cluster", "namespace", "instance", "pod"}) {
    if (name == known) return true;
  }
  return !std::ranges::all_of(values, [](std::string_view value) { return is_whole_number(value) || is_uuid(value); });
}

}  // namespace

Answer labels(Call& call) { return as_strings(names(call)); }
Answer label_values(Call& call) { return as_strings(values(call)); }
Answer legacy_labels(Call& call) { return as_legacy(names(call)); }
Answer legacy_label_values(Call& call) { return as_legacy(values(call)); }

Answer series(Call& call) {
  auto range = label_range(call);
  if (!range) return std::move(range).error();
  auto selectors = matches(call);
  if (!selectors) return std::move(selectors).error();
  std::map<std::string_view, LabelSetRef> found;
  for (logql::LogExpr& selector : *selectors) {
    auto sets = streams(call, std::move(selector), *range);
    if (!sets) return std::move(sets).error();
    for (LabelSetRef& set : *sets) found.emplace(set->json(), std::move(set));
    if (call.over()) break;
  }
  std::string body = R"({"status":"success","data":[)";
  for (const auto& [text, set] : found) {
    if (body.back() != '[') body += ',';
    body += text;
    if (body.size() > call.limits().answer) return too_large(call);
  }
  return json_answer(body + "]}\n");
}

Answer detected_labels(Call& call) {
  auto range = bounds_of(call.form(), call.now());
  if (!range) return std::move(range).error();
  if (range->to < range->from) return fail(Code::usage, "end timestamp must not be before or equal to start time");
  if (auto ok = check_length(call, *range); !ok) return std::move(ok).error();
  auto sets = selected(call, *range);
  if (!sets) return std::move(sets).error();
  std::map<std::string_view, std::set<std::string_view>> found;
  for (const LabelSetRef& set : *sets) {
    for (const Label& label : set->labels()) found[label.name].insert(label.value);
  }
  std::erase_if(found, [](const auto& one) { return !is_telling(one.first, one.second); });
  if (found.empty()) return json_answer("{}\n");
  std::string body = R"({"detectedLabels":[)";
  for (const auto& [name, values] : found) {
    if (body.back() != '[') body += ',';
    body += fmt::format(R"({{"label":{},"cardinality":{}}})", record::json_string(name), values.size());
  }
  return json_answer(body + "]}\n");
}

}  // namespace weir::serve
