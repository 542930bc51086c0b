#include "serve/parameters.h"

#include "gotext/quantity.h"
#include "gotext/unicode.h"
#include "record/timestamp.h"
#include "scan/metric_points.h"

#include <strings.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace weir::serve {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Timestamp;

constexpr Timestamp kFarthest = std::numeric_limits<Timestamp>::max();

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// url.QueryUnescape.
Result<std::string> unescape(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return fail(Code::usage, "invalid URL escape {}", gotext::quote(text.substr(i, 3)));
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return plain;
}

bool is_form(std::string_view content_type) {
  constexpr std::string_view kForm = "application/x-www-form-urlencoded";
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  return content_type.size() == kForm.size() && ::strncasecmp(content_type.data(), kForm.data(), kForm.size()) == 0;
}

// strconv.ParseInt and Atoi in base 10.
Result<std::int64_t> parse_integer(std::string_view text, std::string_view function) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = !digits.empty() && end == digits.data() + digits.size() && !(text.starts_with('+') && digits.starts_with('-'));
  if (whole && error == std::errc()) return number;
  return fail(Code::usage, "strconv.{}: parsing {}: {}", function, gotext::quote(text),
              whole && error == std::errc::result_out_of_range ? "value out of range" : "invalid syntax");
}

Timestamp of_seconds(double seconds) {
  if (seconds >= static_cast<double>(kFarthest / base::kSecond)) return kFarthest;
  if (seconds <= -static_cast<double>(kFarthest / base::kSecond)) return -kFarthest;
  double whole = 0;
  const double rest = std::round(std::modf(seconds, &whole) * 1000) / 1000;
  return static_cast<Timestamp>(whole) * base::kSecond + static_cast<Timestamp>(rest * static_cast<double>(base::kSecond));
}

Result<Timestamp> named_time(const Form& form, std::string_view name, Timestamp otherwise) {
  auto time = parse_time(form.get(name), otherwise);
  if (!time) return fail(Code::usage, "could not parse '{}' parameter: {}", name, time.error().message);
  return time;
}

}  // namespace

Result<Form> Form::of(const httpd::Request& request) {
  Form form;
  if ((request.method == "POST" || request.method == "PUT" || request.method == "PATCH") &&
      is_form(request.header("Content-Type"))) {
    if (auto added = form.add(request.body); !added) return std::move(added).error();
  }
  if (auto added = form.add(request.query); !added) return std::move(added).error();
  return form;
}

Result<void> Form::add(std::string_view text) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    if (pair.find(';') != std::string_view::npos) return fail(Code::usage, "invalid semicolon separator in query");
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = unescape(pair.substr(0, equals));
    if (!name) return std::move(name).error();
    auto value = unescape(pair.substr(std::min(equals + 1, pair.size())));
    if (!value) return std::move(value).error();
    values_.emplace_back(std::move(*name), std::move(*value));
  }
  return {};
}

std::string_view Form::get(std::string_view name) const {
  for (const auto& [one, value] : values_) {
    if (one == name) return value;
  }
  return {};
}

std::vector<std::string> Form::all(std::string_view name) const {
  std::vector<std::string> found;
  for (const auto& [one, value] : values_) {
    if (one == name) found.push_back(value);
  }
  return found;
}

Result<Timestamp> parse_time(std::string_view text, Timestamp otherwise) {
  if (text.empty()) return otherwise;
  if (text.find('.') != std::string_view::npos) {
    if (const auto seconds = gotext::parse_float(text); seconds && !std::isnan(*seconds)) return of_seconds(*seconds);
  }
  auto number = parse_integer(text, "ParseInt");
  if (!number) {
    // The zone is a part of it, and the letters are capitals.
    const bool may_be = text.size() >= 20 && text[10] == 'T' && text.find('z') == std::string_view::npos;
    if (const auto time = may_be ? record::parse_rfc3339(text) : std::nullopt) return *time;
    return number;
  }
  return text.size() <= 10 ? of_seconds(static_cast<double>(*number)) : *number;
}

Result<base::Duration> parse_step(std::string_view text) {
  if (const auto seconds = gotext::parse_float(text)) {
    const double wanted = *seconds * static_cast<double>(base::kSecond);
    if (!(wanted < static_cast<double>(kFarthest) && wanted > -static_cast<double>(kFarthest)))
      return fail(Code::usage, "cannot parse {} to a valid duration. It overflows int64", gotext::quote(text));
    return static_cast<base::Duration>(wanted);
  }
  if (const auto duration = gotext::parse_range_duration(text)) return *duration;
  return fail(Code::usage, "cannot parse {} to a valid duration", gotext::quote(text));
}

Result<std::int64_t> parse_number(std::string_view text) { return parse_integer(text, "Atoi"); }

base::Duration length_of(const base::TimeRange& range) {
  base::Duration length = 0;
  return __builtin_sub_overflow(range.to, range.from, &length) ? kFarthest : length;
}

Result<base::TimeRange> bounds_of(const Form& form, Timestamp now) {
  base::Duration since = base::kHour;
  if (const std::string_view text = form.get("since"); !text.empty()) {
    std::string why;
    const auto duration = gotext::parse_range_duration(text, &why);
    if (!duration) return fail(Code::usage, "could not parse 'since' parameter: {}", why);
    since = *duration;
  }
  auto end = named_time(form, "end", now);
  if (!end) return std::move(end).error();
  auto start = named_time(form, "start", std::min(*end, now) - since);
  if (!start) return std::move(start).error();
  return base::TimeRange{*start, *end};
}

Result<std::uint64_t> limit_of(const Form& form, std::string_view name, std::uint64_t otherwise) {
  const std::string_view text = form.get(name);
  if (text.empty()) return otherwise;
  auto number = parse_number(text);
  if (!number) return std::move(number).error();
  if (*number <= 0) return fail(Code::usage, "limit must be a positive value");
  return static_cast<std::uint64_t>(*number);
}

Result<bool> is_backward(const Form& form) {
  const std::string_view text = form.get("direction");
  const std::string upper = gotext::to_upper(text);
  if (text.empty() || upper == "BACKWARD") return true;
  if (upper == "FORWARD") return false;
  return fail(Code::usage, "invalid direction '{}'", text);
}

Result<base::Duration> step_of(const Form& form, const base::TimeRange& range) {
  const std::string_view text = form.get("step");
  auto step = text.empty() ? Result<base::Duration>(scan::default_step(length_of(range))) : parse_step(text);
  if (!step) return step;
  if (*step <= 0)
    return fail(Code::usage, "zero or negative query resolution step widths are not accepted. Try a positive integer");
  return step;
}

Result<RangeRequest> range_request(const Form& form, Timestamp now) {
  RangeRequest request;
  request.query = form.get("query");
  auto range = bounds_of(form, now);
  if (!range) return std::move(range).error();
  request.range = *range;
  if (range->to < range->from) return fail(Code::usage, "end timestamp must not be before or equal to start time");
  auto limit = limit_of(form, "limit", 100);
  if (!limit) return std::move(limit).error();
  request.limit = *limit;
  auto backward = is_backward(form);
  if (!backward) return std::move(backward).error();
  request.backward = *backward;
  auto step = step_of(form, *range);
  if (!step) return std::move(step).error();
  request.step = *step;
  if (length_of(*range) / *step > scan::kMostPoints) {
    return fail(Code::usage,
                "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter");
  }
  if (const std::string_view text = form.get("interval"); !text.empty()) {
    auto interval = parse_step(text);
    if (!interval) return std::move(interval).error();
    if (*interval < 0) return fail(Code::usage, "interval must be >= 0");
    request.interval = *interval;
  }
  return request;
}

}  // namespace weir::serve
