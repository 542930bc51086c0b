#include "convert/stage_reader.h"

#include "base/diagnostics.h"
#include "convert/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace weir::convert {
namespace {

constexpr std::size_t kMostNesting = 12;

}  // namespace

StageReader::StageReader(const StagesInput& input, Chain& chain, Report& report)
    : input_(input), chain_(chain), report_(report), filters_before_(chain.filters()) {
  for (const auto& [name, fact] : chain.labels) {
    fields_[name] = {Field::Kind::label, 0, name, {}, fact.sure};
  }
}

void StageReader::run(const yaml::Node& list, const Spot& spot, const Condition& condition, std::size_t depth) {
  if (!list.is_list() && !list.is_null()) report_.wrong(spot, "there must be a list of stages");
  if (depth > kMostNesting) report_.wrong(spot, "the stages are nested too deeply");
  for (std::size_t i = 0; i < list.items.size() && !report_.failed(); ++i) {
    const yaml::Node& item = list.items[i];
    Spot own = spot.index(i);
    own.place = item.place;
    if (!item.is_map() || item.entries.size() != 1) {
      report_.wrong(own, "a stage is a map with one key, the name of the stage");
      return;
    }
    own = own.key(item.entries.front().key);
    own.place = item.entries.front().place;
    const std::size_t before = report_.size();
    stage(item.entries.front().key, item.entries.front().value, own, condition, depth);
    if (!report_.speaks_of(own, before)) report_.exact(own);
  }
}

void StageReader::stage(const std::string& name, const yaml::Node& value, const Spot& spot, const Condition& condition,
                        std::size_t depth) {
  if (name == "cri" || name == "docker") return runtime(name, value, spot, condition);
  if (name == "json") return json(value, spot);
  if (name == "logfmt") return logfmt(value, spot);
  if (name == "regex") return regex(value, spot);
  if (name == "labels") return labels(value, spot, condition);
  if (name == "structured_metadata" || name == "non_indexed_labels") return metadata(value, spot, condition);
  if (name == "static_labels") return static_labels(value, spot, condition);
  if (name == "labeldrop") return label_drop(value, spot, condition);
  if (name == "labelallow") return label_allow(value, spot, condition);
  if (name == "timestamp") return timestamp(value, spot, condition);
  if (name == "output") return output(value, spot, condition);
  if (name == "template") return set_template(value, spot);
  if (name == "tenant") return tenant(value, spot, condition);
  if (name == "match") return match(value, spot, condition, depth);
  if (name == "drop") return drop(value, spot, condition);
  if (name == "limit") return limit(value, spot, condition);
  if (name == "sampling") return sampling(value, spot, condition);
  if (name == "multiline") return multiline(value, spot, condition);
  if (name == "replace") return replace(value, spot, condition);
  if (name == "decolorize") return decolorize(spot, condition);
  if (name == "metrics") return metrics(value, spot);
  if (name == "pack") {
    line_lost(spot);
    return report_.missing(spot, "weir does not pack labels into the line",
                           "make them structured metadata: enrich --keep-labels keeps the others as labels");
  }
  if (name == "geoip") {
    return report_.missing(spot, "weir has no table of addresses", "look the address up where the logs are read");
  }
  if (name == "eventlogmessage") {
    return report_.missing(spot, "weir does not read messages of Windows", "keep Promtail's successor on Windows hosts");
  }
  report_.wrong(spot, fmt::format("unknown stage '{}'", base::escape_control(name)));
}

void StageReader::line_lost(const Spot& spot) {
  pending_output_.reset();
  if (line_lost_.empty()) line_lost_ = fmt::format("line {} ({})", spot.place.line, spot.path);
}

void StageReader::flush_output() {
  if (!pending_output_) return;
  chain_.add_rule(*std::move(pending_output_));
  pending_output_.reset();
  ++generation_;
}

bool StageReader::uses_line(const Spot& spot) {
  flush_output();
  if (line_lost_.empty()) return true;
  report_.missing(spot, fmt::format("this reads the line that the stage at {} makes, and weir does not make it", line_lost_),
                  "decide by the line as it is in the log");
  return false;
}

void StageReader::metrics(const yaml::Node& value, const Spot& spot) {
  if (!value.is_map() || value.entries.empty()) return report_.wrong(spot, "there must be a map of metrics");
  for (const yaml::Entry& entry : value.entries) {
    Spot own = spot.key(entry.key);
    own.place = entry.place;
    report_.missing(own, "weir makes no metrics of lines",
                    "count in Loki: a recording rule of its ruler, such as sum(rate({job=\"…\"} |= \"…\" [1m])); weir --metrics "
                    "counts records by rule");
  }
}

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

void convert_stages(const yaml::Node& list, const Spot& spot, const StagesInput& input, Chain& chain, Report& report) {
  StageReader reader(input, chain, report);
  reader.run(list, spot, {}, 0);
  reader.finish();
  const auto has_format = [](const OptionWord& word) { return word.name == "--format"; };
  if (input.from_files && std::ranges::none_of(chain.tail, has_format)) chain.tail.push_back({"--format", "raw"});
}

std::string duration_word(std::string_view go_duration) {
  std::string_view left = go_duration;
  if (left.empty()) return {};
  bool any = false;
  while (!left.empty()) {
    std::size_t end = 0;
    while (end < left.size() && ((left[end] >= '0' && left[end] <= '9') || left[end] == '.')) ++end;
    if (end == 0) return {};
    left.remove_prefix(end);
    std::size_t unit = 0;
    for (const std::string_view one : {"ms", "us", "ns", "h", "m", "s"}) {
      if (left.starts_with(one)) {
        unit = one.size();
        break;
      }
    }
    if (unit == 0) return {};
    left.remove_prefix(unit);
    any = true;
  }
  return any ? std::string(go_duration) : std::string();
}

bool is_zero(std::string_view duration) { return duration.find_first_of("123456789") == std::string_view::npos; }

std::optional<std::uint64_t> size_of(std::string_view text) {
  std::size_t end = 0;
  std::uint64_t number = 0;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') {
    if (number > (1ULL << 50U)) return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(text[end++] - '0');
  }
  if (end == 0) return std::nullopt;
  std::string unit(text.substr(end));
  std::erase(unit, ' ');
  std::ranges::transform(unit, unit.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  constexpr std::array<std::pair<std::string_view, unsigned>, 8> kUnits = {
      {{"", 0}, {"B", 0}, {"K", 10}, {"KB", 10}, {"M", 20}, {"MB", 20}, {"G", 30}, {"GB", 30}}};
  for (const auto& [name, shift] : kUnits) {
    if (unit == name) return number > (1ULL << 20U) && shift == 30 ? std::nullopt : std::optional(number << shift);
  }
  return std::nullopt;
}

}  // namespace weir::convert
