// The functions of Prometheus' templates, and those of Go that they build on.
#include "gotemplate/functions.h"
#include "gotemplate/print.h"
#include "gotext/go_time.h"
#include "gotext/quantity.h"
#include "gotext/regex.h"
#include "ruler/alert_template.h"

#include <fmt/format.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace weir::ruler {
namespace {

using gotemplate::Function;
using gotemplate::FunctionCall;
using gotemplate::Value;

// Numbers, and texts of numbers. None: the call has failed.
std::optional<double> to_number(FunctionCall& call) {
  const Value& value = call.arguments[0];
  switch (value.kind) {
    case Value::Kind::real:
      return value.real;
    case Value::Kind::integer:
    case Value::Kind::integer64:
      return static_cast<double>(value.integer);
    case Value::Kind::text: {
      const auto number = gotext::parse_float(value.text);
      if (!number) call.fail(gotext::float_complaint(value.text));
      return number;
    }
    default:
      call.fail(fmt::format("can't convert {} to float", gotemplate::type_name(value)));
      return std::nullopt;
  }
}

std::string four_digits(double value) {
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return gotemplate::go_printf("%.4g", {Value::of(value)}, 0, 64);
}

constexpr std::array<std::string_view, 8> kLarge = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
constexpr std::array<std::string_view, 8> kSmall = {"m", "u", "n", "p", "f", "a", "z", "y"};
constexpr std::array<std::string_view, 8> kBinary = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};

// With the prefix that brings the value near to one: divided by `by` while it is not smaller than that.
std::string with_large(double value, double by, const std::array<std::string_view, 8>& prefixes) {
  std::string_view prefix;
  for (const std::string_view one : prefixes) {
    if (std::abs(value) < by) break;
    prefix = one;
    value /= by;
  }
  return four_digits(value) + std::string(prefix);
}
std::string with_small(double value) {
  std::string_view prefix;
  for (const std::string_view one : kSmall) {
    if (std::abs(value) >= 1) break;
    prefix = one;
    value *= 1000;
  }
  return four_digits(value) + std::string(prefix);
}

Value humanize(FunctionCall& call) {
  const auto value = to_number(call);
  if (!value) return {};
  if (*value == 0 || !std::isfinite(*value)) return call.result(four_digits(*value));
  return call.result(std::abs(*value) >= 1 ? with_large(*value, 1000, kLarge) : with_small(*value));
}

Value humanize_1024(FunctionCall& call) {
  const auto value = to_number(call);
  if (!value) return {};
  if (std::abs(*value) <= 1 || !std::isfinite(*value)) return call.result(four_digits(*value));
  return call.result(with_large(*value, 1024, kBinary));
}

Value humanize_duration(FunctionCall& call) {
  const auto value = to_number(call);
  if (!value) return {};
  if (!std::isfinite(*value)) return call.result(four_digits(*value));
  if (*value == 0) return call.result("0s");
  if (std::abs(*value) < 1) return call.result(with_small(*value) + "s");
  const std::string_view sign = *value < 0 ? "-" : "";
  const double seconds = std::abs(*value);
  if (seconds < 60) return call.result(fmt::format("{}{}s", sign, four_digits(seconds)));
  constexpr double kMost = 9e18;
  const auto whole = static_cast<std::int64_t>(std::min(seconds, kMost));
  std::string text(sign);
  if (whole >= 86400) text += fmt::format("{}d ", whole / 86400);
  if (whole >= 3600) text += fmt::format("{}h ", whole / 3600 % 24);
  return call.result(text + fmt::format("{}m {}s", whole / 60 % 60, whole % 60));
}

Value humanize_percentage(FunctionCall& call) {
  const auto value = to_number(call);
  return value ? call.result(four_digits(*value * 100) + "%") : Value();
}

// Seconds since 1970 as a time, to the millisecond. None: the call has failed.
std::optional<base::Timestamp> to_timestamp(FunctionCall& call, double seconds) {
  const double nanoseconds = seconds * 1e9;
  if (std::abs(nanoseconds) > static_cast<double>(std::numeric_limits<std::int64_t>::max()) - 1024) {
    call.fail(fmt::format("{} cannot be represented as a nanoseconds timestamp since it overflows int64",
                          gotext::print_float_g(seconds)));
    return std::nullopt;
  }
  return static_cast<base::Timestamp>(nanoseconds) / base::kMillisecond * base::kMillisecond;
}

Value humanize_timestamp(FunctionCall& call) {
  const auto value = to_number(call);
  if (!value) return {};
  if (!std::isfinite(*value)) return call.result(four_digits(*value));
  const auto time = to_timestamp(call, *value);
  return time ? call.result(gotext::format_go_time(*time, gotext::kGoTimeString)) : Value();
}

Value to_time(FunctionCall& call) {
  const auto value = to_number(call);
  if (!value) return {};
  if (!std::isfinite(*value)) return call.fail("value is NaN or Inf");
  const auto time = to_timestamp(call, *value);
  return time ? Value::of(gotext::go_time(*time)) : Value();
}

Value to_duration(FunctionCall& call) {
  const auto value = to_number(call);
  if (!value) return {};
  constexpr double kMost = 9.2e18;
  const double nanoseconds = std::isnan(*value) ? 0 : std::clamp(*value * 1e9, -kMost, kMost);
  return call.result(gotext::print_go_duration(static_cast<base::Duration>(nanoseconds)));
}

Value now(FunctionCall& call) { return Value::of(static_cast<double>(call.timestamp / base::kMillisecond) / 1000.0); }

Value parse_duration(FunctionCall& call) {
  std::string_view text = call.text(0);
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  std::string why;
  const auto duration = gotext::parse_range_duration(text, &why);
  if (!duration) return call.fail(std::move(why));
  const double seconds = static_cast<double>(*duration) / 1e9;
  return Value::of(negative ? -seconds : seconds);
}

// The function of line_format of this name, on these arguments.
Value as_in_logql(FunctionCall& call, std::string_view name, std::vector<Value> arguments) {
  FunctionCall inner{.arguments = arguments, .line = call.line, .timestamp = call.timestamp, .pool = call.pool, .error = {}};
  Value result = gotemplate::find_function(name)->call(inner);
  call.error = std::move(inner.error);
  return result;
}
Value to_upper(FunctionCall& call) { return as_in_logql(call, "ToUpper", call.arguments); }
Value to_lower(FunctionCall& call) { return as_in_logql(call, "ToLower", call.arguments); }
Value query_escape(FunctionCall& call) { return as_in_logql(call, "urlencode", call.arguments); }
Value replace_all(FunctionCall& call) {
  return as_in_logql(call, "regexReplaceAll", {call.arguments[0], call.arguments[2], call.arguments[1]});
}

// {{ template "x" (args 1 "b") }}: a map of arg0, arg1 and so on.
Value args(FunctionCall& call) {
  auto map = std::make_shared<Value::Map>();
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    map->emplace_back(fmt::format("arg{}", i), call.arguments[i]);
    map->back().second.boxed = true;
  }
  std::ranges::sort(*map, {}, &Value::Map::value_type::first);
  Value value;
  value.kind = Value::Kind::map;
  value.map = std::move(map);
  return value;
}

Value as_text(FunctionCall& call) { return Value::of(call.text(0)); }

Value matches(FunctionCall& call) {
  const std::string_view pattern = call.text(0), text = call.text(1);
  const auto regex = gotext::Regex::compile(pattern);
  if (!regex) return call.fail(regex.error().message);
  return Value::of(regex->matches(text));
}

// HOST:PORT or [HOST]:PORT; without a port, nothing.
std::optional<std::pair<std::string_view, std::string_view>> split_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  if (host.find_first_of("[]") != std::string_view::npos || port.find_first_of("[]") != std::string_view::npos) return std::nullopt;
  return std::pair(host, port);
}

Value strip_port(FunctionCall& call) {
  const std::string_view text = call.text(0);
  const auto parts = split_host_port(text);
  return Value::of(parts ? parts->first : text);
}

bool is_address(std::string_view host) {
  const std::string text(host);
  std::array<unsigned char, 16> bytes{};
  return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

Value strip_domain(FunctionCall& call) {
  const std::string_view text = call.text(0);
  const auto parts = split_host_port(text);
  const std::string_view host = parts ? parts->first : text;
  if (is_address(host)) return Value::of(text);
  std::string out(host.substr(0, host.find('.')));
  if (parts && !parts->second.empty()) out += fmt::format(":{}", parts->second);
  return call.result(std::move(out));
}

Value link(FunctionCall& call, int tab) {
  const Value escaped = query_escape(call);
  if (!call.error.empty()) return {};
  return call.result(fmt::format("/graph?g0.expr={}&g0.tab={}", escaped.text, tab));
}
Value graph_link(FunctionCall& call) { return link(call, 0); }
Value table_link(FunctionCall& call) { return link(call, 1); }

// Functions without arguments get the external URL as their line.
Value external_url(FunctionCall& call) { return Value::of(call.line); }
Value path_prefix(FunctionCall& call) {
  std::string_view rest = call.line;
  if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos) rest.remove_prefix(scheme + 3);
  rest.remove_prefix(std::min(rest.find('/'), rest.size()));
  return Value::of(rest.substr(0, rest.find_first_of("?#")));
}

constexpr std::array<Function, 22> kTable = {{
    {"args", "v*", args},
    {"externalURL", "", external_url},
    {"graphLink", "s", graph_link},
    {"humanize", "a", humanize},
    {"humanize1024", "a", humanize_1024},
    {"humanizeDuration", "a", humanize_duration},
    {"humanizePercentage", "a", humanize_percentage},
    {"humanizeTimestamp", "a", humanize_timestamp},
    {"match", "ss", matches},
    {"now", "", now},
    {"parseDuration", "s", parse_duration},
    {"pathPrefix", "", path_prefix},
    {"reReplaceAll", "sss", replace_all},
    {"safeHtml", "s", as_text},
    {"stripDomain", "s", strip_domain},
    {"stripPort", "s", strip_port},
    {"tableLink", "s", table_link},
    {"toDuration", "a", to_duration},
    {"toLower", "s", to_lower},
    {"toTime", "a", to_time},
    {"toUpper", "s", to_upper},
    {"urlQueryEscape", "s", query_escape},
}};

// Those of line_format that Go's templates have anyway, or that mean the same in Prometheus.
constexpr std::array<std::string_view, 18> kShared = {"and", "eq", "ge",  "gt", "html",  "index",  "js",      "le",    "len",
                                                      "lt",  "ne", "not", "or", "print", "printf", "println", "slice", "urlquery"};

constexpr std::array<std::string_view, 6> kLeftOut = {"query", "first", "label", "value", "strvalue", "sortByLabel"};

}  // namespace

const Function* find_alert_function(std::string_view name) {
  const auto found = std::ranges::find(kTable, name, &Function::name);
  if (found != kTable.end()) return &*found;
  if (name == "title" || std::ranges::find(kShared, name) != kShared.end()) return gotemplate::find_function(name);
  return nullptr;
}

bool is_left_out(std::string_view name) { return std::ranges::find(kLeftOut, name) != kLeftOut.end(); }

}  // namespace weir::ruler
