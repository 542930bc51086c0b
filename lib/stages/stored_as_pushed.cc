#include "stages/stored_as_pushed.h"

#include "base/utf8.h"
#include "loki/push_encoder.h"
#include "names/level.h"
#include "names/service_name.h"

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
  if (replaced > 0) record.line = record::Text::bytes(batch.copy(valid));
  if (record::find(record.metadata, names::kDetectedLevel).empty()) {
    if (level.empty()) level = names::level_of_metadata(record.metadata);
    if (level.empty()) level = names::level_of_line(batch.line(record));
    record::set_metadata(batch, record, names::kDetectedLevel, level.empty() ? "unknown" : level);
  }
  record.touch();
}

}  // namespace weir::stages
