#include "stages/rule_hits.h"

#include "base/text_file.h"
#include "http/client.h"
#include "http/url.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <optional>

namespace weir::stages {
namespace {

using base::Result;

constexpr std::size_t kMostMetrics = 8 << 20;  // bytes
constexpr base::Duration kTimeout = 10 * base::kSecond;

// The value of `rule="…"` among the labels. Ids need no escapes.
std::optional<std::string_view> rule_of(std::string_view labels) {
  constexpr std::string_view kName = "rule=\"";
  const std::size_t at = labels.find(kName);
  if (at == std::string_view::npos || (at > 0 && labels[at - 1] != ',' && labels[at - 1] != '{')) return std::nullopt;
  const std::string_view value = labels.substr(at + kName.size());
  const std::size_t end = value.find('"');
  return end == std::string_view::npos ? std::nullopt : std::optional(value.substr(0, end));
}

void take_line(std::string_view line, HitsById& hits) {
  const auto take = [&](std::string_view name, std::uint64_t RuleHits::*member) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != '{') return;
    const std::size_t end = line.find("} ", name.size());
    if (end == std::string_view::npos) return;
    const auto rule = rule_of(line.substr(name.size(), end - name.size()));
    const std::string_view number = line.substr(end + 2);
    double value = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), value);
    if (!rule || read.ec != std::errc() || !(value >= 0)) return;
    hits[std::string(*rule)].*member += static_cast<std::uint64_t>(value);
  };
  take("weir_filter_rule_records_total", &RuleHits::records);
  take("weir_filter_rule_bytes_total", &RuleHits::bytes);
}

Result<std::string> fetch(const std::string& address, const pipeline::Context& context) {
  auto url = http::parse_url(address);
  if (!url) return std::move(url).error();
  http::ClientConfig config;
  config.base = *std::move(url);
  config.timeout = kTimeout;
  config.diagnostics = context.diagnostics;
  config.cancelled = [&context] { return context.stop->stopped(); };
  const bool whole = !config.base.path.empty();
  auto client = http::Client::create(std::move(config));
  if (!client) return std::move(client).error();
  http::Request request;
  request.path = whole ? config.base.path : "/metrics";
  request.max_response = kMostMetrics;
  auto response = (*client)->perform(request);
  if (!response) return std::move(response).error();
  if (!response->ok())
    return base::fail(base::Code::network, "cannot read metrics of '{}': it answered with status {}", address, response->status);
  return std::move(response->body);
}

}  // namespace

HitsById parse_rule_hits(std::string_view text) {
  HitsById hits;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    take_line(text.substr(0, end), hits);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return hits;
}

Result<HitsById> read_rule_hits(const std::string& address, const pipeline::Context& context) {
  std::error_code ignored;
  // As --metrics of a chain takes it: a port of this machine.
  const std::string where = address.starts_with(':') ? "127.0.0.1" + address : address;
  auto text = std::filesystem::exists(where, ignored) ? base::read_text_file(where, fmt::format("metrics '{}'", where))
                                                      : fetch(where, context);
  if (!text) return std::move(text).error();
  HitsById hits = parse_rule_hits(*text);
  if (hits.empty()) {
    return base::fail(base::Code::io, "cannot find figures of rules in the metrics of '{}'", where)
        .with_hint("name the address of a chain that has a `filter --rules`");
  }
  return hits;
}

}  // namespace weir::stages
