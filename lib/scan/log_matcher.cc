#include "scan/log_matcher.h"

#include "record/json.h"

#include <algorithm>

namespace weir::scan {

using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;

namespace {

bool same_labels(const LabelSet& set, std::span<const Label> labels) {
  return set.size() == labels.size() &&
         std::all_of(labels.begin(), labels.end(), [&](const Label& label) { return set.get(label.name) == label.value; });
}

}  // namespace

void LogMatcher::add_changed(const Record& record, const logql::LogQuery::Entry& entry, Matches& out) {
  record::Batch& batch = out.made;
  Record changed;
  changed.timestamp = record.timestamp;
  changed.held = record.held;
  changed.tenant = batch.copy(record.tenant);
  changed.line = record::Text::bytes(batch.copy(entry.line));
  changed.labels =
      batch.hold(same_labels(*record.labels, entry.labels) ? LabelSetRef::share(record.labels) : LabelSet::intern(entry.labels));
  const auto metadata = batch.allocate_labels(entry.metadata.size());
  for (std::size_t i = 0; i < metadata.size(); ++i) {
    metadata[i] = {batch.copy(entry.metadata[i].name), batch.copy(entry.metadata[i].value)};
  }
  changed.metadata = metadata;
  if (!entry.parsed.empty()) {
    parsed_.assign(entry.parsed.begin(), entry.parsed.end());
    std::sort(parsed_.begin(), parsed_.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
    text_ = "{";
    for (const Label& label : parsed_) {
      if (text_.size() > 1) text_ += ',';
      record::append_json_string(text_, label.name);
      text_ += ':';
      record::append_json_string(text_, label.value);
    }
    text_ += '}';
    auto* extra = batch.make<record::Extra>();
    extra->parsed = batch.copy(text_);
    changed.extra = extra;
  }
  out.add_made(changed);
}

// A query whose stages rewrite records is evaluated once: run() gives the verdict and the result. Any other query has no parser,
// and its records are mostly kept as they are: the cheap verdict comes first, and only a record with an error is evaluated again.
base::Result<void> LogMatcher::take(record::Batch& block, std::uint32_t index, Matches& out) {
  Record& record = block.records[index];
  const bool as_stored = options_.as_stored || options_.times;
  bool changed = !as_stored && query_.rewrites();
  if (!changed) {
    if (!query_.matches(record, block) && !(options_.gaps && record::is_gap(record))) return {};
    changed = !as_stored && (query_.errored() || !query_.shows_unchanged(record));
  }
  if (!changed) {
    out.all.push_back({record.timestamp, index, false});
    return {};
  }
  logql::LogQuery::Entry entry;
  if (query_.run(record, block, entry)) add_changed(record, entry, out);
  return {};
}

}  // namespace weir::scan
