#include "monitor/prometheus_text.h"

#include "base/utf8.h"
#include "pipeline/counters.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace weir::monitor {
namespace {

using metrics::Kind;
using metrics::Metric;
using metrics::Sample;

constexpr std::uint64_t kBillion = 1'000'000'000;
constexpr std::string_view kInf = "+Inf", kSum = "sum";

constexpr auto kUnaccounted = metrics::gauge("weir_unaccounted_records", "records",
                                             "Records of a stage that came in and of which nobody knows what became of them, or "
                                             "the other way round below 0; anything but 0 is a bug in weir.",
                                             metrics::Account::none, "stage");

bool is_scaled(const Metric& metric) { return metric.unit == "seconds" || metric.unit == "ratio"; }

// Exact, without an exponent.
void append_value(std::string& out, const Metric& metric, std::uint64_t value) {
  if (&metric == &kUnaccounted) {  // the one that may be negative
    fmt::format_to(std::back_inserter(out), "{}", static_cast<std::int64_t>(value));
  } else if (value == metrics::kInfinite && metric.kind == Kind::gauge) {
    out += kInf;
  } else if (!is_scaled(metric)) {
    fmt::format_to(std::back_inserter(out), "{}", value);
  } else {
    fmt::format_to(std::back_inserter(out), "{}", value / kBillion);
    if (value % kBillion == 0) return;
    fmt::format_to(std::back_inserter(out), ".{:09}", value % kBillion);
    out.erase(out.find_last_not_of('0') + 1);
  }
}

void append_escaped(std::string& out, std::string_view text, bool in_quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && in_quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

std::string_view take_until(std::string_view& rest, char end) {
  const std::size_t size = std::min(rest.find(end), rest.size());
  const std::string_view first = rest.substr(0, size);
  rest.remove_prefix(std::min(size + 1, rest.size()));
  return first;
}

void append_labels(std::string& out, std::string_view names, std::string_view values) {
  if (names.empty()) return;
  out += '{';
  std::size_t replaced = 0;
  for (bool first = true; !names.empty(); first = false) {
    if (!first) out += ',';
    out += take_until(names, ',');
    out += "=\"";
    append_escaped(out, base::replace_invalid_utf8(take_until(values, metrics::kBetweenLabels), replaced), true);
    out += '"';
  }
  out += '}';
}

void append_head(std::string& out, const Metric& metric) {
  constexpr std::string_view types[] = {"counter", "gauge", "histogram"};
  out += "# HELP ";
  out += metric.name;
  out += ' ';
  append_escaped(out, metric.help, false);
  fmt::format_to(std::back_inserter(out), "\n# TYPE {} {}\n", metric.name, types[static_cast<std::size_t>(metric.kind)]);
}

void append_histogram(std::string& out, std::span<const Sample> samples) {
  const Metric& metric = *samples.front().metric;
  std::uint64_t count = 0;
  const auto bucket = [&](std::string_view label_value) {
    const auto found = std::ranges::find(samples, label_value, &Sample::label_value);
    count += found == samples.end() ? 0 : found->value;
    fmt::format_to(std::back_inserter(out), "{}_bucket{{le=\"", metric.name);
  };
  for (const std::uint64_t bound : metric.bounds) {
    bucket(std::to_string(bound));
    append_value(out, metric, bound);
    fmt::format_to(std::back_inserter(out), "\"}} {}\n", count);
  }
  bucket(kInf);
  fmt::format_to(std::back_inserter(out), "{}\"}} {}\n{}_sum ", kInf, count, metric.name);
  const auto sum = std::ranges::find(samples, kSum, &Sample::label_value);
  append_value(out, metric, sum == samples.end() ? 0 : sum->value);
  fmt::format_to(std::back_inserter(out), "\n{}_count {}\n", metric.name, count);
}

}  // namespace

std::string prometheus_text(std::span<const Sample> samples) {
  std::string out;
  while (!samples.empty()) {
    const Metric& metric = *samples.front().metric;
    const auto end = std::ranges::find_if(samples, [&](const Sample& one) { return one.metric->name != metric.name; });
    const auto family = samples.first(static_cast<std::size_t>(end - samples.begin()));
    samples = samples.subspan(family.size());
    append_head(out, metric);
    if (metric.kind == Kind::histogram) {
      append_histogram(out, family);
      continue;
    }
    for (const Sample& sample : family) {
      out += metric.name;
      append_labels(out, metric.label, sample.label_value);
      out += ' ';
      append_value(out, metric, sample.value);
      out += '\n';
    }
  }
  return out;
}

std::vector<Sample> unaccounted_records(std::span<const Sample> samples) {
  std::set<std::string_view> stages;
  for (const Sample& sample : samples) {
    constexpr std::string_view kPrefix = "weir_";
    if (!metrics::in_balance(sample.metric->account) || sample.metric->account == metrics::Account::none) continue;
    std::string_view rest = sample.metric->name.substr(kPrefix.size());
    stages.insert(take_until(rest, '_'));
  }
  std::vector<Sample> all;
  for (const std::string_view stage : stages) {
    Sample sample;
    sample.metric = &kUnaccounted;
    sample.label_value = stage;
    sample.value = static_cast<std::uint64_t>(pipeline::counters_of(samples, stage).unaccounted());
    all.push_back(std::move(sample));
  }
  return all;
}

}  // namespace weir::monitor
