#include "serve/tail_request.h"

#include "logql/parser.h"
#include "names/tenant.h"
#include "serve/answers.h"
#include "serve/parameters.h"

#include <algorithm>
#include <utility>

namespace weir::serve {
namespace {

using base::Code;
using base::fail;
using base::Result;

constexpr std::int64_t kMostDelay = 5;  // seconds
// Bytes: the query of a tail is compiled on the thread of the server, which answers nobody else meanwhile.
constexpr std::size_t kMostQuery = 16 << 10, kMostOfLoki = 131'071;

TailForm form_of(const httpd::Request& request) {
  if (request.path == "/weir/api/v1/tail") return TailForm::page;
  if (request.path == "/api/prom/tail") return TailForm::old;
  const auto flags = encoding_flags(request);
  return std::ranges::find(flags, kCategorize) != flags.end() ? TailForm::categorized : TailForm::loki;
}

Result<base::Duration> delay_of(const Form& form) {
  const std::string_view text = form.get("delay_for");
  if (text.empty()) return base::Duration{0};
  auto seconds = parse_number(text);
  if (!seconds) return std::move(seconds).error();
  // Loki reads a negative number as a very large one.
  if (*seconds < 0 || *seconds > kMostDelay) return fail(Code::usage, "delay_for can't be greater than {}", kMostDelay);
  return *seconds * base::kSecond;
}

}  // namespace

logql::ParseOptions tail_syntax(TailForm form) { return {.selector_optional = form == TailForm::page}; }

Result<TailRequest> tail_request(const httpd::Request& request, base::Timestamp now) {
  auto form = Form::of(request);
  if (!form) return std::move(form).error();
  TailRequest tail;
  tail.form = form_of(request);
  tail.query = form->get("query");
  if (tail.query.size() > kMostQuery && tail.query.size() <= kMostOfLoki)
    return fail(Code::usage, "the query of a tail has at most {} bytes here ({} > {})", kMostQuery, tail.query.size(), kMostQuery);
  auto parsed = logql::parse(tail.query, {.selector_optional = tail_syntax(tail.form).selector_optional});
  if (!parsed) return std::move(parsed).error();
  // Regular expressions and templates are looked at no sooner.
  if (parsed->is_log()) {
    if (auto query = logql::LogQuery::compile(tail.query, tail_syntax(tail.form)); !query) return std::move(query).error();
  }
  auto limit = limit_of(*form, "limit", 100);
  if (!limit) return std::move(limit).error();
  tail.limit = *limit;
  auto range = bounds_of(*form, now);
  if (!range) return std::move(range).error();
  tail.start = range->from;
  auto delay = delay_of(*form);
  if (!delay) return std::move(delay).error();
  tail.delay = *delay;
  tail.tenant = request.header("X-Scope-OrgID");
  // A browser can set no header of a WebSocket.
  if (tail.tenant.empty()) {
    tail.tenant = form->get("tenant");
    if (!names::is_tenant(tail.tenant))
      return fail(Code::usage, "'tenant' is no tenant: use up to 150 of the characters a-z A-Z 0-9 ! - _ . * ' ( )");
  }
  return tail;
}

}  // namespace weir::serve
