#include "stages/stored_as_pushed.h"

#include "base/utf8.h"
#include "loki/push_encoder.h"
#include "names/label_name.h"
#include "names/level.h"
#include "names/service_name.h"

#include <algorithm>
#include <string>

namespace weir::stages {

using record::Batch;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;

const StoredAsPushed::Stream& StoredAsPushed::stream(const LabelSet& set) {
  constexpr std::size_t kMostKnown = 16384;
  if (streams_.size() > kMostKnown) streams_.clear();
  Stream& stream = streams_[&set];
  if (stream.of) return stream;
  stream.of = LabelSetRef::share(&set);
  loki::PushedStream pushed(set, {});
  stream.notes = pushed.notes;
  std::vector<Label> labels = pushed.labels;
  if (set.get(names::kServiceName).empty()) {
    labels.push_back({names::kServiceName, names::service_name([&](std::string_view name) { return set.get(name); })});
  }
  stream.labels = LabelSet::intern(labels);
  return stream;
}

const LabelSetRef& StoredAsPushed::labels(const LabelSet& set) { return stream(set).labels; }

void StoredAsPushed::apply(Record& record, Batch& batch) {
  const Stream& stream = this->stream(*record.labels);
  std::string_view level = names::level_of_labels(record.labels->labels());
  record.labels = batch.hold(stream.labels);
  for (const auto& [name, value] : stream.notes) record::set_metadata(batch, record, name, value);
  const std::string_view line = batch.line(record);
  std::size_t replaced = 0;
  const std::string valid = base::replace_invalid_utf8(line, replaced);
  if (replaced > 0) {
    record.line = record::Text::bytes(batch.copy(valid));
    record::set_metadata(batch, record, "weir_invalid_utf8", std::to_string(replaced));
  }
  repair_metadata(record, batch);
  if (record::find(record.metadata, names::kDetectedLevel).empty()) {
    if (level.empty()) level = names::level_of_metadata(record.metadata);
    if (level.empty()) level = names::level_of_line(batch.line(record));
    record::set_metadata(batch, record, names::kDetectedLevel, level.empty() ? "unknown" : level);
  }
  const auto sorted = batch.allocate_labels(record.metadata.size());
  std::ranges::copy(record.metadata, sorted.begin());
  std::ranges::sort(sorted, {}, &Label::name);
  record.metadata = sorted;
  record.touch();
}

// Loki has no U+FFFD in values of metadata: it puts a space there.
void StoredAsPushed::repair_metadata(Record& record, Batch& batch) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  const auto is_fine = [&](const Label& label) {
    return !label.value.empty() && names::is_metadata_name(label.name) && base::is_utf8(label.value) &&
           label.value.find(kReplacement) == std::string_view::npos;
  };
  if (std::ranges::all_of(record.metadata, is_fine)) return;
  std::vector<Label> kept;
  for (const Label& label : record.metadata) {
    if (label.value.empty()) continue;
    std::size_t replaced = 0;
    std::string value = base::replace_invalid_utf8(label.value, replaced);
    for (std::size_t at = 0; (at = value.find(kReplacement, at)) != std::string::npos;) value.replace(at, kReplacement.size(), " ");
    kept.push_back(
        {names::is_metadata_name(label.name) ? label.name : batch.copy(names::metadata_name(label.name)), batch.copy(value)});
  }
  const auto metadata = batch.allocate_labels(kept.size());
  std::ranges::copy(kept, metadata.begin());
  record.metadata = metadata;
}

}  // namespace weir::stages
