#include "ruler/unit_compare.h"

#include "gotext/quantity.h"
#include "gotext/unicode.h"
#include "ruler/rule_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace weir::ruler {
namespace {

std::string printed(const record::LabelSetRef& labels) { return print_labels(labels->labels()); }

Pairs pairs_of(const record::LabelSet& labels) {
  Pairs pairs;
  for (const record::Label& label : labels.labels()) pairs.emplace_back(label.name, label.value);
  return pairs;
}

std::optional<std::string> value_of(const Pairs& pairs, const std::string& name) {
  const auto found = std::ranges::find_if(pairs, [&](const auto& pair) { return pair.first == name; });
  return found == pairs.end() ? std::nullopt : std::optional(found->second);
}

std::string quoted(const std::optional<std::string>& value) { return value ? gotext::quote(*value) : "nothing"; }

// A name and both values, for each name in which they differ.
void add_differences(std::vector<std::string>& lines, const Pairs& expected, const Pairs& got) {
  std::vector<std::string> names;
  for (const auto& [name, value] : expected) names.push_back(name);
  for (const auto& [name, value] : got) names.push_back(name);
  std::ranges::sort(names);
  const auto repeats = std::ranges::unique(names);
  names.erase(repeats.begin(), repeats.end());
  for (const std::string& name : names) {
    const auto wanted = value_of(expected, name), have = value_of(got, name);
    if (wanted == have) continue;
    lines.push_back(fmt::format("  {}", name));
    lines.push_back(fmt::format("    expected {}", quoted(wanted)));
    lines.push_back(fmt::format("    got      {}", quoted(have)));
  }
}

bool same_value(double a, double b, bool fuzzy) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return fuzzy && (std::nextafter(a, -kInfinity) == b || std::nextafter(a, kInfinity) == b);
}

}  // namespace

std::vector<std::string> compare_alerts(const std::vector<ExpectedAlert>& expected, const std::vector<ActiveAlert>& active,
                                        base::Timestamp start) {
  std::vector<std::string> lines;
  std::vector<const ActiveAlert*> firing, pending;
  for (const ActiveAlert& one : active) (one.alert.state == AlertState::firing ? firing : pending).push_back(&one);
  std::vector<const ExpectedAlert*> missing;
  for (const ExpectedAlert& wanted : expected) {
    // Of several rules with one name, each may give this alert: the one with the same annotations first.
    const auto same_labels = [&](const ActiveAlert* one) { return one->alert.labels == wanted.labels; };
    const auto same = [&](const ActiveAlert* one) {
      return same_labels(one) && (!wanted.annotations || *wanted.annotations == one->annotations);
    };
    auto found = std::ranges::find_if(firing, same);
    if (found == firing.end()) {
      found = std::ranges::find_if(firing, same_labels);
      if (found != firing.end()) {
        lines.push_back(fmt::format("other annotations of {}", printed(wanted.labels)));
        add_differences(lines, *wanted.annotations, (*found)->annotations);
      }
    }
    if (found == firing.end()) {
      missing.push_back(&wanted);
    } else {
      firing.erase(found);
    }
  }
  const auto by_set = [](const auto& a, const auto& b) { return by_labels(*a, *b); };
  std::ranges::sort(missing, by_set, [](const ExpectedAlert* one) { return one->labels; });
  std::ranges::sort(firing, by_set, [](const ActiveAlert* one) { return one->alert.labels; });
  // What is left on both sides: most likely the same alert with another label.
  const std::size_t pairs = missing.size() == firing.size() ? missing.size() : 0;
  for (std::size_t i = 0; i < pairs; ++i) {
    lines.push_back(fmt::format("other labels: expected {}", printed(missing[i]->labels)));
    lines.push_back(fmt::format("              got      {}", printed(firing[i]->alert.labels)));
    add_differences(lines, pairs_of(*missing[i]->labels), pairs_of(*firing[i]->alert.labels));
  }
  for (std::size_t i = pairs; i < missing.size(); ++i) {
    std::string line = fmt::format("expected, and not firing: {}", printed(missing[i]->labels));
    const auto same = [&](const ActiveAlert* one) { return one->alert.labels == missing[i]->labels; };
    if (const auto found = std::ranges::find_if(pending, same); found != pending.end()) {
      line += fmt::format(" (pending since {})", gotext::print_range_duration((*found)->alert.active_at - start));
    }
    lines.push_back(std::move(line));
  }
  for (std::size_t i = pairs; i < firing.size(); ++i) {
    lines.push_back(fmt::format("firing, and not expected: {} (since {})", printed(firing[i]->alert.labels),
                                gotext::print_range_duration(firing[i]->alert.fired_at.value_or(start) - start)));
  }
  return lines;
}

std::vector<std::string> compare_samples(std::vector<ExpectedSample> expected, std::vector<ExpectedSample> got, bool fuzzy) {
  std::vector<std::string> lines;
  for (const ExpectedSample& wanted : expected) {
    const auto found = std::ranges::find_if(got, [&](const ExpectedSample& one) { return one.labels == wanted.labels; });
    if (found == got.end()) {
      lines.push_back(fmt::format("expected, and not there: {} {}", printed(wanted.labels), gotext::print_float_g(wanted.value)));
      continue;
    }
    if (!same_value(wanted.value, found->value, fuzzy)) {
      lines.push_back(fmt::format("other value of {}: expected {}, got {}", printed(wanted.labels),
                                  gotext::print_float_g(wanted.value), gotext::print_float_g(found->value)));
    }
    got.erase(found);
  }
  for (const ExpectedSample& one : got) {
    lines.push_back(fmt::format("there, and not expected: {} {}", printed(one.labels), gotext::print_float_g(one.value)));
  }
  return lines;
}

}  // namespace weir::ruler
