#include "serve/tail_request.h"

#include "logql/log_query.h"
#include "logql/parser.h"
#include "names/tenant.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

namespace weir::serve {
namespace {

using base::Code;
using base::fail;
using base::Result;

constexpr base::Duration kMostDelay = 5 * base::kSecond;

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<std::int64_t> number_of(const httpd::Request& request, std::string_view name, std::int64_t otherwise) {
  const auto text = request.parameter(name);
  if (!text || text->empty()) return otherwise;
  if (const auto number = whole_number(*text)) return *number;
  return fail(Code::usage, "strconv.Atoi: parsing \"{}\": invalid syntax", *text);
}

// Seconds, also with a fraction, nanoseconds, or RFC 3339.
Result<base::Timestamp> start_of(const httpd::Request& request, base::Timestamp now) {
  const auto text = request.parameter("start");
  if (!text || text->empty()) return now - base::kHour;
  if (text->find('.') != std::string::npos) {
    double seconds = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
    if (error == std::errc() && end == text->data() + text->size() && std::abs(seconds) < 9e9)
      return static_cast<base::Timestamp>(std::round(seconds * 1000)) * base::kMillisecond;
  }
  constexpr std::size_t kSeconds = 10;  // characters, at most
  if (const auto number = whole_number(*text)) return text->size() <= kSeconds ? *number * base::kSecond : *number;
  if (const auto time = record::parse_rfc3339(*text)) return *time;
  return fail(Code::usage, "could not parse 'start' parameter: strconv.ParseInt: parsing \"{}\": invalid syntax", *text);
}

}  // namespace

Result<TailRequest> tail_request(const httpd::Request& request, base::Timestamp now) {
  TailRequest tail;
  tail.query = request.parameter("query").value_or("");
  auto parsed = logql::parse(tail.query, {});
  if (!parsed) return std::move(parsed).error();
  // Regular expressions and templates are looked at no sooner.
  if (parsed->is_log()) {
    if (auto query = logql::LogQuery::compile(tail.query, {}); !query) return std::move(query).error();
  }
  auto limit = number_of(request, "limit", 100);
  if (!limit) return std::move(limit).error();
  if (*limit <= 0) return fail(Code::usage, "limit must be a positive value");
  tail.limit = static_cast<std::uint64_t>(*limit);
  auto start = start_of(request, now);
  if (!start) return std::move(start).error();
  tail.start = *start;
  auto delay = number_of(request, "delay_for", 0);
  if (!delay) return std::move(delay).error();
  if (*delay > kMostDelay / base::kSecond) return fail(Code::usage, "delay_for can't be greater than 5");
  tail.delay = std::max<std::int64_t>(*delay, 0) * base::kSecond;
  tail.tenant = request.header("X-Scope-OrgID");
  // A browser can set no header of a WebSocket.
  if (tail.tenant.empty()) {
    tail.tenant = request.parameter("tenant").value_or("");
    if (!names::is_tenant(tail.tenant))
      return fail(Code::usage, "'tenant' is no tenant: use up to 150 of the characters a-z A-Z 0-9 ! - _ . * ' ( )");
  }
  tail.categorize = request.header("X-Loki-Response-Encoding-Flags").find("categorize-labels") != std::string_view::npos;
  tail.old_form = request.path == "/api/prom/tail";
  return tail;
}

}  // namespace weir::serve
