// The formats that other programs print: journalctl -o json, and lines with their time in front. Both bring labels of their own,
// which are added to those of the file.
#include "tail/decoder.h"
#include "tail/journal_json.h"
#include "tail/rfc3339.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace weir::tail {
namespace {

// Lines may end as on Windows and on terminals.
std::string_view without_return(std::string_view text) { return text.ends_with('\r') ? text.substr(0, text.size() - 1) : text; }

}  // namespace

struct Decoder::Foreign {
  explicit Foreign(const std::vector<JournalField>& fields) : journal(fields) {}
  JournalJson journal;

  // Of the latest prefix.
  std::string prefix;
  record::LabelSetRef base, labels;
};

Decoder::Decoder(std::size_t max_line, DecodeStats& stats, const Multiline* multiline, Reader* reader)
    : max_line_(max_line), stats_(&stats) {
  if (multiline != nullptr && multiline->shape != Shape::none) joiner_ = std::make_unique<Joiner>(*multiline, reader);
}
Decoder::~Decoder() = default;

void Decoder::set_format(Format format, const std::vector<JournalField>& fields) {
  format_ = format;
  if (format == Format::journal || format == Format::rfc3339) foreign_ = std::make_unique<Foreign>(fields);
}

// An entry of the journal is whole, and lines of several pods stand among each other: neither is joined to other lines. What is
// held has labels of its own and goes out first, so that the records keep their order.
void Decoder::stand_alone(std::size_t begin, std::size_t end) {
  if (joiner_ != nullptr) joiner_->interrupt({{}, 0, Stream::none, false, place_of(begin), place_of(end)}, *this);
}

void Decoder::journal(std::string_view text, std::size_t begin, std::size_t end) {
  const std::string_view whole = std::exchange(text, without_return(text));
  JournalJson& entry = foreign_->journal;
  const JournalJson::Outcome outcome = entry.read(text, *batch_);
  if (outcome == JournalJson::Outcome::malformed) return malformed(whole, begin, end);
  // A message that journalctl left out must not be lost without a word: all that came stands for it.
  if (outcome == JournalJson::Outcome::cut) ++stats_->malformed;
  const std::string_view line =
      outcome == JournalJson::Outcome::cut ? text : entry.records().message().value_or(std::string_view());
  stand_alone(begin, end);
  const record::LabelSet*& labels = labels_[static_cast<std::size_t>(Stream::none)];
  labels = entry.records().labels(stamp_->labeller->labels(Stream::none, *batch_), *batch_);
  const std::size_t first = batch_->records.size();
  if (line.size() <= max_line_) {
    put(Stream::none, entry.time(), line, place_of(end), 0, true);
  } else {
    add(Stream::none, entry.time(), line, begin, begin, end, true);
  }
  labels = nullptr;
  const std::size_t own = stamp_->metadata.size();
  for (std::size_t i = first; i < batch_->records.size(); ++i) {
    record::Record& record = batch_->records[i];
    const std::span<const record::Label> more = record.metadata.subspan(std::min(own, record.metadata.size()));  // weir_split
    const std::span<record::Label> metadata = entry.records().metadata(stamp_->metadata, more.size(), *batch_);
    std::ranges::copy(more, metadata.last(more.size()).begin());
    record.metadata = metadata;
  }
}

void Decoder::rfc3339(std::string_view text, std::size_t begin, std::size_t end) {
  const std::string_view whole = std::exchange(text, without_return(text));
  const auto parsed = parse_rfc3339_line(text, second_);
  if (!parsed) return malformed(whole, begin, end);
  record::LabelSet const*& labels = labels_[static_cast<std::size_t>(Stream::none)];
  const bool prefixed = !parsed->prefix.empty();
  if (prefixed) {
    stand_alone(begin, end);
    const record::LabelSet* const base = stamp_->labeller->labels(Stream::none, *batch_);
    if (base != foreign_->base.get() || foreign_->prefix != parsed->prefix) {
      std::vector<record::Label> pairs(base->labels().begin(), base->labels().end());
      pairs.push_back({"pod", parsed->pod});
      pairs.push_back({"container", parsed->container});
      foreign_->labels = record::LabelSet::intern(pairs);
      foreign_->base = record::LabelSetRef::share(base);
      foreign_->prefix = parsed->prefix;
    }
    labels = batch_->hold(foreign_->labels);
  } else {
    labels = nullptr;
  }
  const std::string_view content = text.substr(parsed->size);
  if (content.size() <= max_line_) {
    if (prefixed) {
      put(Stream::none, parsed->timestamp, content, place_of(end), 0, true);
    } else {
      emit(Stream::none, parsed->timestamp, content, place_of(begin), end, 0, true);
    }
  } else {
    add(Stream::none, parsed->timestamp, content, begin, begin + parsed->size, end, true);
  }
  labels = nullptr;
}

}  // namespace weir::tail
