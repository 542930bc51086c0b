#include "scan/volume.h"

#include "logql/parser.h"

#include <algorithm>
#include <variant>

namespace weir::scan {

using record::Label;
using record::LabelSet;
using record::LabelSetRef;

VolumeSum::VolumeSum(Options options) : options_(std::move(options)), names_(options_.by.begin(), options_.by.end()) {
  if (names_.empty() && !options_.by_name) names_ = options_.selector;
}

const VolumeSum::Place& VolumeSum::place_of(const LabelSet& labels) {
  Place& place = places_[&labels];
  if (place.labels) return place;
  place.labels = LabelSetRef::share(&labels);
  if (std::ranges::any_of(options_.by, [&](const std::string& name) { return labels.get(name).empty(); })) return place;
  std::vector<Label> kept;
  for (const Label& label : labels.labels()) {
    if (!names_.empty() && !names_.contains(std::string(label.name))) continue;
    kept.push_back(label);
    if (!options_.by_name) continue;
    Volume& volume = volumes_[std::string(label.name)];
    volume.labels = LabelSet::empty();
    volume.name = label.name;
    place.counts.push_back(&volume);
  }
  if (options_.by_name) return place;
  const LabelSetRef set = LabelSet::intern(kept);
  Volume& volume = volumes_[std::string(set->json())];
  volume.labels = set;
  place.counts.push_back(&volume);
  return place;
}

void VolumeSum::add(const LabelSet& labels, std::uint64_t bytes, base::Timestamp cell) {
  for (Volume* volume : place_of(labels).counts) {
    volume->bytes += bytes;
    volume->cells[cell] += bytes;
  }
}

std::vector<Volume> VolumeSum::largest(std::size_t most) const {
  std::vector<Volume> all;
  for (const auto& [text, volume] : volumes_) all.push_back(volume);
  std::stable_sort(all.begin(), all.end(), [](const Volume& a, const Volume& b) { return a.bytes > b.bytes; });
  if (most > 0 && all.size() > most) all.resize(most);
  return all;
}

std::set<std::string> selector_names(const std::string& query) {
  std::set<std::string> names;
  const auto parsed = logql::parse(query, {.selector_optional = true});
  if (!parsed || !parsed->is_log()) return names;
  for (const auto& matcher : std::get<logql::LogExpr>(parsed->node).matchers) names.insert(matcher.name);
  return names;
}

}  // namespace weir::scan
