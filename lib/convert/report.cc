#include "convert/report.h"

#include "base/diagnostics.h"
#include "base/utf8.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace weir::convert {

Spot Spot::key(std::string_view name) const {
  Spot below = *this;
  if (!below.path.empty()) below.path += '.';
  below.path.append(name);
  return below;
}

Spot Spot::index(std::size_t i) const {
  Spot below = *this;
  below.path += fmt::format("[{}]", i);
  return below;
}

Spot at(const Spot& base, std::string_view key, const yaml::Node& value) {
  Spot spot = base.key(key);
  spot.place = value.place;
  return spot;
}

void Report::wrong(const Spot& spot, std::string cause) {
  if (!mistake_) mistake_ = Mistake{spot.place, spot.path.empty() ? std::move(cause) : fmt::format("{}: {}", spot.path, cause)};
}

void Report::add(const Spot& spot, Severity severity, std::string what, std::string advice) {
  findings_.push_back({spot.place.line, spot.place.column, spot.path, severity, std::move(what), std::move(advice)});
}

bool Report::speaks_of(const Spot& spot, std::size_t since) const {
  return std::any_of(findings_.begin() + static_cast<std::ptrdiff_t>(since), findings_.end(), [&](const Finding& finding) {
    if (!finding.path.starts_with(spot.path)) return false;
    return finding.path.size() == spot.path.size() || finding.path[spot.path.size()] == '.' ||
           finding.path[spot.path.size()] == '[';
  });
}

std::vector<Finding> Report::take() {
  std::ranges::stable_sort(findings_, {}, [](const Finding& one) { return std::tuple(one.line, one.column); });
  std::vector<Finding> taken;
  for (Finding& one : findings_) {
    // The same has the same place, so it stands close by.
    const auto here = [&](const Finding& other) { return other.line == one.line && other.column == one.column; };
    bool said = false;
    for (auto before = taken.rbegin(); before != taken.rend() && here(*before) && !said; ++before) said = *before == one;
    if (!said) taken.push_back(std::move(one));
  }
  findings_.clear();
  return taken;
}

MapReader::MapReader(const yaml::Node& node, Spot spot, Report& report) : node_(node), spot_(std::move(spot)), report_(report) {
  if (!node.is_map() && !node.is_null()) report.wrong(spot_, "there must be a map of keys and values");
}

const yaml::Node* MapReader::take(std::string_view key) {
  taken_.emplace(key);
  const yaml::Node* found = node_.find(key);
  return found == nullptr || found->is_null() ? nullptr : found;
}

std::string MapReader::text(std::string_view key, std::string_view missing) {
  const yaml::Node* found = take(key);
  return found == nullptr ? std::string(missing) : text_of(*found, spot(key), report_);
}

std::optional<std::string> MapReader::optional_text(std::string_view key) {
  const yaml::Node* found = take(key);
  if (found == nullptr) return std::nullopt;
  return text_of(*found, spot(key), report_);
}

bool MapReader::boolean(std::string_view key, bool missing) {
  const yaml::Node* found = take(key);
  if (found == nullptr) return missing;
  const auto value = boolean_of(text_of(*found, spot(key), report_));
  if (!value) report_.wrong(spot(key), "there must be true or false");
  return value.value_or(missing);
}

Spot MapReader::spot(std::string_view key) const {
  Spot below = spot_.key(key);
  const auto found = std::ranges::find(node_.entries, key, &yaml::Entry::key);
  if (found != node_.entries.end()) below.place = found->place;
  return below;
}

void MapReader::accept(std::initializer_list<std::string_view> keys, std::string_view what) {
  for (const std::string_view key : keys) {
    if (take(key) != nullptr) report_.exact(spot(key), std::string(what));
  }
}

void MapReader::finish() {
  for (const yaml::Entry& entry : node_.entries) {
    if (taken_.contains(entry.key)) continue;
    Spot below = spot_.key(entry.key);
    below.place = entry.place;
    report_.missing(below, fmt::format("weir does not know the key '{}'", base::escape_control(entry.key)),
                    "look whether it is spelled right; Promtail refuses keys that it does not know, or ignores them in a stage");
  }
}

std::string text_of(const yaml::Node& node, const Spot& spot, Report& report) {
  if (node.is_list() || node.is_map()) report.wrong(spot, "there must be a text");
  return node.text;
}

std::vector<std::string> texts_of(const yaml::Node& node, const Spot& spot, Report& report, bool one_is_enough) {
  std::vector<std::string> texts;
  if (one_is_enough && node.is_scalar()) return {node.text};
  if (!node.is_list() && !node.is_null()) report.wrong(spot, "there must be a list of texts");
  for (const yaml::Node& item : node.items) texts.push_back(text_of(item, spot, report));
  return texts;
}

std::optional<bool> boolean_of(std::string_view text) {
  constexpr std::array<std::string_view, 11> kTrue = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "1"};
  constexpr std::array<std::string_view, 11> kFalse = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "0"};
  if (std::ranges::find(kTrue, text) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, text) != kFalse.end()) return false;
  return std::nullopt;
}

}  // namespace weir::convert
