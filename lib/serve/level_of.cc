#include "serve/level_of.h"

#include "names/level.h"

namespace weir::serve {
namespace {

// `labels`: what the labels tell.
std::string_view level_of(std::span<const record::Label> metadata, std::string_view labels, std::string_view line) {
  if (!labels.empty()) return labels;
  if (const std::string_view level = names::level_of_metadata(metadata); !level.empty()) return level;
  const std::string_view level = names::level_of_line(line);
  return level.empty() ? "unknown" : level;
}

}  // namespace

std::string_view level_of(const logql::LogQuery::Entry& entry) {
  if (const std::string_view detected = record::find(entry.metadata, names::kDetectedLevel); !detected.empty()) return detected;
  return level_of(entry.metadata, names::level_of_labels(entry.labels), entry.line);
}

std::string_view Levels::of(record::Record& record, record::Batch& batch) {
  if (const std::string_view detected = record::find(record.metadata, names::kDetectedLevel); !detected.empty()) return detected;
  constexpr std::size_t kMostKnown = 16384;
  if (known_.size() > kMostKnown) known_.clear();
  Known& known = known_[record.labels];
  if (!known.labels) known = {record::LabelSetRef::share(record.labels), names::level_of_labels(record.labels->labels())};
  return level_of(record.metadata, known.level, batch.line(record));
}

const record::LabelSetRef& LevelSets::of(record::Record& record, record::Batch& batch) {
  const std::string_view level = levels_.of(record, batch);
  const auto found = sets_.find(level);
  if (found != sets_.end()) return found->second;
  // A value of metadata may be anything.
  constexpr std::size_t kMostKnown = 1000;
  if (sets_.size() >= kMostKnown) sets_.clear();
  return sets_.emplace(std::string(level), record::LabelSet::intern({{"level", level}})).first->second;
}

}  // namespace weir::serve
