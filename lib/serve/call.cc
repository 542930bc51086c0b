#include "serve/call.h"

#include "gotext/quantity.h"
#include "serve/valid_text.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace weir::serve {

using base::Code;
using base::Error;
using base::fail;
using base::Result;

Call::Call(const Shared& shared, httpd::Exchange& exchange, std::string tenant, base::Monotonic deadline)
    : shared_(shared),
      exchange_(exchange),
      tenant_(std::move(tenant)),
      begun_(shared.clock.monotonic()),
      deadline_(deadline),
      now_(shared.clock.wall()) {
  struct stat file = {};
  if (::stat(shared_.store.spool.c_str(), &file) == 0 && (!S_ISREG(file.st_mode) || file.st_size > 0))
    spools_.push_back(shared_.store.spool);
}

Result<void> Call::read_form() {
  auto form = Form::of(exchange_.request());
  if (!form) return std::move(form).error();
  form_ = std::move(*form);
  return {};
}

bool Call::over() {
  gone_ = gone_ || exchange_.gone();
  const base::Monotonic stop_at = shared_.stop_at.load(std::memory_order_relaxed);
  if (deadline_ != base::kNever || stop_at != base::kNever) {
    const base::Monotonic now = shared_.clock.monotonic();
    stopping_ = stopping_ || (stop_at != base::kNever && now >= stop_at);
    late_ = late_ || (deadline_ != base::kNever && now >= deadline_);
  }
  return gone_ || stopping_ || late_;
}

bool Call::must_end() const {
  const base::Monotonic stop_at = shared_.stop_at.load(std::memory_order_relaxed);
  const base::Monotonic end = std::min(stop_at, deadline_);
  return exchange_.gone() || (end != base::kNever && shared_.clock.monotonic() >= end);
}

scan::Limits Call::scan_limits() const {
  return {.memory = shared_.limits.memory, .over = [this] { return must_end(); }};
}

std::optional<httpd::Response> Call::when_over() const {
  if (late_) {
    return httpd::Response{.status = 504,
                           .body =
                               "request timed out, decrease the duration of the request or add more label matchers (prefer "
                               "exact match over regex match) to reduce the amount of data processed"};
  }
  if (stopping_) return stopping_answer();
  if (gone_) return httpd::Response{.status = 499, .body = "the client is gone"};
  return std::nullopt;
}

Result<std::unique_ptr<scan::SpoolScan>> Call::scan(logql::LogExpr query, const base::TimeRange& range) {
  auto scan = scan::SpoolScan::open(spools(), std::move(query), range, shared_.diagnostics);
  if (!scan) return of_store(std::move(scan).error());
  (*scan)->set_limits(scan_limits());
  (*scan)->take_tenant(tenant_);
  (*scan)->watch([this, before = bytes_read_](const scan::SpoolScan::Work& work) {
    bytes_read_ = before + work.done;
    return !over();
  });
  return scan;
}

Result<logql::MetricAnswer> Call::evaluate(const std::string& query, const logql::MetricTimes& times, bool instant,
                                           std::size_t most_series) {
  auto compiled = logql::MetricQuery::compile(query, times, instant, {.series = most_series, .memory = shared_.limits.answer});
  if (!compiled) return std::move(compiled).error();
  const auto watch = [this](const scan::SpoolScan::Work& work) {
    bytes_read_ = work.done;
    return !over();
  };
  std::uint64_t unreadable = 0;
  auto answer = scan::evaluate(spools(), **compiled, {.limits = scan_limits(), .tenant = tenant_, .watch = watch},
                               shared_.diagnostics, unreadable);
  if (answer) return answer;
  base::Error error = of_store(std::move(answer).error());
  if (error.code == Code::config && !error.hint.empty()) error.message += '\n' + std::exchange(error.hint, {});
  return error;
}

Result<logql::Expr> parse_query(const std::string& text, const logql::ParserOptions& options) {
  auto parsed = logql::parse_expr(text, options);
  if (auto* wrong = std::get_if<logql::ParseError>(&parsed)) {
    Error error = wrong->to_error(text);
    error.message = wrong->message;
    return error;
  }
  return std::get<logql::Expr>(std::move(parsed));
}

Result<logql::LogExpr> parse_log_query(const std::string& text) {
  auto query = parse_query(text);
  if (!query) return std::move(query).error();
  if (!query->is_log()) return fail(Code::usage, "only log selector is supported");
  return std::get<logql::LogExpr>(std::move(query->node));
}

Result<logql::LogExpr> parse_selector(const std::string& text, bool all) {
  if (all && text == "{}") return logql::LogExpr();
  auto query = parse_query(text);
  if (!query) return std::move(query).error();
  auto* log = std::get_if<logql::LogExpr>(&query->node);
  if (log == nullptr || !log->stages.empty()) return fail(Code::usage, "only label matchers are supported");
  return std::move(*log);
}

Result<void> check_length(const Call& call, const base::TimeRange& range, Rounding rounding) {
  const base::Duration unit = rounding == Rounding::seconds ? base::kSecond : base::kMillisecond;
  const auto round = [unit](base::Timestamp time, bool up) {
    const base::Timestamp rest = (time % unit + unit) % unit;
    if (rest == 0) return time;
    // What cannot be rounded is beyond the limit anyway.
    base::Timestamp rounded = 0;
    return __builtin_sub_overflow(time, up ? rest - unit : rest, &rounded) ? time : rounded;
  };
  const base::TimeRange rounded = {round(range.from, false), round(range.to, rounding == Rounding::milliseconds_end_up)};
  const base::Duration length = length_of(rounded), most = call.limits().length;
  if (most <= 0 || length <= most) return {};
  return fail(Code::usage, "the query time range exceeds the limit (query length: {}, limit: {})",
              gotext::print_go_duration(length), gotext::print_range_duration(most));
}

int status_of(const Error& error) {
  switch (error.code) {
    case Code::usage:
    case Code::config:
      return 400;
    case Code::busy:
    case Code::full:
      return 503;
    default:
      return 500;
  }
}

httpd::Response refusal(const Error& error) { return {.status = status_of(error), .body = error.message}; }

httpd::Response stopping_answer() { return {.status = 503, .body = "the server is stopping"}; }

httpd::Response json_answer(std::string body) {
  replace_lone_surrogates(body);
  return {.body = std::move(body), .content_type = "application/json; charset=UTF-8"};
}

Error of_store(Error error) {
  if (error.code == Code::usage) error.code = Code::io;
  return error;
}

Error too_large(const Call& call) {
  return fail(Code::usage, "the answer is larger than {} MiB; ask for fewer lines, a shorter time, or fewer series",
              call.limits().answer >> 20U);
}

}  // namespace weir::serve
