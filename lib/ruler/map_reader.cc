#include "ruler/map_reader.h"

#include "base/suggestion.h"
#include "gotext/quantity.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace weir::ruler {

using yaml::Node;
using yaml::Place;

MapReader::MapReader(const FileText& file, const Node& node, std::string_view what, std::initializer_list<std::string_view> keys)
    : file_(file), node_(node), what_(what) {
  if (!node.is_map()) {
    fail(node.place, fmt::format("{} must be a map", what), fmt::format("its keys are {}", fmt::join(keys, ", ")));
    return;
  }
  for (const yaml::Entry& entry : node.entries) {
    if (std::ranges::find(keys, entry.key) != keys.end()) continue;
    const std::vector<std::string> known(keys.begin(), keys.end());
    fail(entry.place, fmt::format("{} has no key '{}'", what, entry.key),
         base::suggestion(entry.key, known, fmt::format("its keys are {}", fmt::join(keys, ", "))));
  }
}

const Node* MapReader::find(std::string_view key) const {
  const Node* const found = node_.find(key);
  return found == nullptr || found->is_null() ? nullptr : found;
}

Place MapReader::place(std::string_view key) const {
  const Node* const found = node_.find(key);
  return found == nullptr ? node_.place : found->place;
}

void MapReader::fail(Place place, std::string_view cause, std::string_view hint) {
  if (!mistake_) mistake_ = file_.error(place, cause, hint);
}

std::string MapReader::text(std::string_view key) {
  const Node* const found = find(key);
  if (found == nullptr) return {};
  if (!found->is_scalar()) fail(found->place, fmt::format("'{}' must be a text", key), "put it in quotes");
  return found->text;
}

std::optional<base::Duration> read_duration(const FileText& file, const Node& node, std::string_view key, base::Error& error) {
  std::string why;
  const auto duration = node.is_scalar() ? gotext::parse_range_duration(node.text, &why) : std::nullopt;
  if (!duration) {
    const std::string cause =
        node.is_scalar() ? fmt::format("'{}' is no duration: {}", key, why) : fmt::format("'{}' must be a duration", key);
    error = file.error(node.place, cause, "durations are 30s, 5m, 1h30m, 1d");
    return std::nullopt;
  }
  if (*duration > kMostDuration) {
    error = file.error(node.place, fmt::format("'{}' is longer than 100 years", key));
    return std::nullopt;
  }
  return duration;
}

base::Duration MapReader::duration(std::string_view key) {
  const Node* const found = find(key);
  if (found == nullptr) return 0;
  base::Error error;
  const auto duration = read_duration(file_, *found, key, error);
  if (!duration) fail(std::move(error));
  return duration.value_or(0);
}

std::uint64_t MapReader::count(std::string_view key) {
  const Node* const found = find(key);
  if (found == nullptr) return 0;
  std::uint64_t number = 0;
  const char* const end = found->text.data() + found->text.size();
  const auto read = std::from_chars(found->text.data(), end, number);
  if (!found->is_scalar() || found->text.empty() || read.ec != std::errc() || read.ptr != end) {
    fail(found->place, fmt::format("'{}' must be a whole number", key));
  }
  return number;
}

std::optional<double> MapReader::number(std::string_view key) {
  const Node* const found = find(key);
  if (found == nullptr) return std::nullopt;
  std::string text = found->text;
  if (text.ends_with(".inf") || text.ends_with(".nan")) text.erase(text.size() - 4, 1);  // YAML's forms
  const auto number = found->is_scalar() ? gotext::parse_float(text) : std::nullopt;
  if (!number) fail(found->place, fmt::format("'{}' must be a number", key));
  return number;
}

bool MapReader::flag(std::string_view key) {
  const Node* const found = find(key);
  if (found == nullptr) return false;
  if (!found->is_scalar() || (found->text != "true" && found->text != "false")) {
    fail(found->place, fmt::format("'{}' must be true or false", key));
  }
  return found->text == "true";
}

Pairs MapReader::pairs(std::string_view key) {
  Pairs pairs;
  const Node* const found = find(key);
  if (found == nullptr) return pairs;
  if (!found->is_map()) {
    fail(found->place, fmt::format("'{}' must be a map", key), "write one NAME: VALUE a line");
    return pairs;
  }
  for (const yaml::Entry& entry : found->entries) {
    if (!entry.value.is_scalar() && !entry.value.is_null()) {
      fail(entry.value.place, fmt::format("the value of '{}' must be a text", entry.key), "put it in quotes");
    }
    pairs.emplace_back(entry.key, entry.value.text);
  }
  std::ranges::sort(pairs);
  return pairs;
}

std::vector<std::string> MapReader::texts(std::string_view key) {
  std::vector<std::string> texts;
  for (const Node& item : list(key)) {
    if (!item.is_scalar()) fail(item.place, fmt::format("'{}' must be a list of texts", key));
    texts.push_back(item.text);
  }
  return texts;
}

const std::vector<Node>& MapReader::list(std::string_view key) {
  static const std::vector<Node> kNothing;
  const Node* const found = find(key);
  if (found == nullptr) return kNothing;
  if (!found->is_list()) {
    fail(found->place, fmt::format("'{}' must be a list", key), "begin each entry with '- '");
    return kNothing;
  }
  return found->items;
}

}  // namespace weir::ruler
