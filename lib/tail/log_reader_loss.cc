// What happens to a LogReader's generations besides being read to their ends: truncated, cut, given up, unreadable, gone.
//
// A gap has the END of a record: the first byte behind it where reading goes on in the same generation; kReportedLost, behind
// everything, where it does not. So whoever starts from its position knows that it was reported. Lines that were open are emitted
// before it, as far as they came, at places that are still behind everything that was read.
#include "tail/log_reader.h"
#include "tail/siblings.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::tail {

// The file holds something else than what was read of it. What it held may stand in a copy beside it (logrotate's copytruncate),
// and if it was truncated several times, in several.
void LogReader::truncated(record::Batch& batch) {
  Generation& front = generations_.front();
  ++stats_->truncated;
  const std::uint64_t noted = front.file->noted_size();
  const Trace trace{front.head_size, front.head_hash, front.offset, front.lead};
  Generation again;
  again.file = front.file;
  again.file->forget_size();
  again.file->set_place(0);
  ++stats_->generations;

  std::vector<Sibling> siblings = open_siblings(key_, options_->roots).files;
  std::erase_if(siblings, [&](const Sibling& sibling) { return has(sibling.file->inode(), sibling.file->device()); });
  const std::size_t copy = find_copy(siblings, trace);
  if (copy < siblings.size()) {
    order_alike(siblings, copy);
    go_on_in(front, siblings[copy].file, batch);
    auto behind = std::next(generations_.begin());
    for (std::size_t i = copy + 1; i < siblings.size(); ++i) {
      if (!siblings[i].ordered) continue;
      Generation between;
      between.file = siblings[i].file;
      between.complete = true;
      if (held_ != nullptr) held_->add(between.file);
      behind = std::next(generations_.insert(behind, std::move(between)));
      ++stats_->generations;
    }
    generations_.insert(behind, std::move(again));
    return;
  }
  if (noted > front.offset) {
    introduce(front, front.offset, 0, batch);  // the file's beginning is that of another text by now
    lose_front(front.offset, noted, "the file was truncated, and no copy of it is beside it", batch);
  } else {
    introduce(front, front.offset, 0, batch);
    decoder_.end_of_log(stamp(batch, front), batch);
    put_done(front, front.offset + 4, false, batch);
    drop_front();
  }
  generations_.push_front(std::move(again));
  if (options_->format == Format::automatic && !pod_) format_known_ = false;
}

// `copy` holds the text of the generation's file, or more of it.
void LogReader::go_on_in(Generation& generation, std::shared_ptr<InputFile> copy, record::Batch& batch) {
  if (held_ != nullptr) held_->add(copy);
  copy->set_place(generation.offset);
  generation.file = std::move(copy);
  generation.complete = true;
  generation.checked = false;
  if (generation.file->gzipped()) generation.lead.clear();
  if (!options_->tracked || !generation.introduced) return;
  // The keeper is to look for the copy from now on.
  auto identity = generation.file->identify(generation.announced.head_size, 0);
  if (!identity || identity->head_hash != generation.announced.head_hash) return;
  identity->check_end = generation.announced.check_end;
  identity->check_hash = generation.announced.check_hash;
  generation.announced = *identity;
  put_generation(generation, *identity, batch);
}

void LogReader::take_given_up(InputFile::GivenUp given, record::Batch& batch) {
  Generation& front = generations_.front();
  if (given.copy != nullptr) {
    go_on_in(front, std::move(given.copy), batch);
    return;
  }
  const bool last = generations_.size() == 1;
  if (last && missing_) gone_ = true;
  if (given.size && *given.size <= front.offset) {  // it was read to its end meanwhile
    finish_front({}, batch, last && gone_);
    return;
  }
  lose_front(front.offset, given.size, fmt::format("it was deleted before it was read, and {}", given.cause), batch);
}

// A generation that was stored and has no file.
void LogReader::end_stored(record::Batch& batch) {
  Generation& front = generations_.front();
  if (!front.lost.empty()) {
    const std::string cause = std::move(front.lost);
    lose_front(front.offset, std::nullopt, cause, batch);
    return;
  }
  introduce(front, 0, 0, batch);
  put_done(front, kReportedLost, gone_ && generations_.size() == 1, batch);
  drop_front();
}

// The front generation cannot be read behind `rest`, with which its readable part ends. True when what is in front now is to be
// read.
bool LogReader::unreadable(std::string_view rest, Cause cause, record::Batch& batch, Outcome& outcome) {
  Generation& front = generations_.front();
  if (front.file->given_up()) return true;
  const std::uint64_t from = front.offset + rest.size();
  const auto next = front.file->next_readable(from);
  const bool newer = generations_.size() > 1;
  const bool waits = !newer && !gone_ && (options_->follow || options_->tracked);
  if (!next && (waits || front.file->parked())) {
    // It may be readable later, and nothing waits behind it; or there is no descriptor for it now.
    if (!front.troubled) trouble_ = std::move(cause);
    front.troubled = true;
    outcome = options_->follow || front.file->parked() ? Outcome::idle : Outcome::finished;
    due_ = base::after(clock_->monotonic(), options_->unreadable_retry);
    return false;
  }
  introduce(front, from, 0, batch);
  if (!format_known_ && !rest.empty()) decide_format(fmt::format("{}\n", rest));
  decoder_.end_of_file(rest, stamp(batch, front), batch);
  front.offset = from;
  if (!next) {
    const std::uint64_t size = front.file->status().size;
    lose_front(from, front.file->gzipped() || size <= from ? std::nullopt : std::optional(size), cause.text, batch);
    return true;
  }
  decoder_.end_of_log(stamp(batch, front), batch);
  report_gap(front.file->path(), from, *next, cause.text, place(front, 0, *next), batch);
  front.offset = *next;
  front.file->set_place(*next);
  front.lead.clear();
  return true;
}

// The front generation was read up to where its file was cut, which lies before the end of what was safe: what goes on there is a
// new generation, and the place of the gap says where it begins.
void LogReader::finish_cut(record::Batch& batch) {
  Generation& front = generations_.front();
  const std::uint64_t size = front.cut->size;
  introduce(front, size, 0, batch);
  decoder_.end_of_log(stamp(batch, front, front.cut->end), batch);
  Generation next;
  next.file = front.file;
  next.file->set_place(size);
  next.offset = size;
  next.head_size = front.head_size;
  next.head_hash = front.head_hash;
  number_of(front);
  number_of(next);
  introduce(next, size, size, batch);  // the check distinguishes it from the old one, whose head it has
  record::Source source = place(front, 0, kReportedLost);
  source.resume_generation = next.number;
  source.resume = size;
  report_gap(front.file->path(), size, std::nullopt, "the file is shorter than what was read of it, as after a loss of power",
             source, batch);
  put_finished(batch);
  if (options_->tracked) batch.append_marker(record::Marker::Type::done, source);
  ++stats_->generations;
  front = std::move(next);
}

// What the front generation holds from `from` on, to `to` if that is known, is lost: this is reported, and the generation ends.
void LogReader::lose_front(std::uint64_t from, std::optional<std::uint64_t> to, std::string_view cause, record::Batch& batch) {
  Generation& front = generations_.front();
  introduce(front, to.value_or(record::kHeadBytes), 0, batch);
  decoder_.end_of_log(stamp(batch, front, kAbandoned), batch);
  const std::string& path = front.file != nullptr ? front.file->path() : front.stored->path;
  report_gap(path, from, to, cause, place(front, 0, kReportedLost), batch);
  put_done(front, kReportedLost, gone_ && generations_.size() == 1, batch);
  drop_front();
}

void LogReader::report_gap(const std::string& path, std::uint64_t from, std::optional<std::uint64_t> to, std::string_view cause,
                           const record::Source& source, record::Batch& batch) {
  record::Record& record =
      put_gap(batch, {path, from, to, cause}, clock_->wall(), labels(Stream::none, batch), metadata(batch, 1), *stats_);
  if (options_->tracked) record.source = source;
}

record::Record& put_gap(record::Batch& batch, const Gap& gap, base::Timestamp now, const record::LabelSet* labels,
                        std::span<record::Label> metadata, ReadStats& stats) {
  std::string text;
  if (gap.to) {
    text = fmt::format("weir: {} bytes of {} from byte {} on are lost: {}", *gap.to - gap.from, gap.path, gap.from, gap.cause);
  } else if (gap.from < LogReader::kAbandoned) {
    text = fmt::format("weir: the content of {} from byte {} on is lost: {}", gap.path, gap.from, gap.cause);
  } else {
    text = fmt::format("weir: the end of {} is lost: {}", gap.path, gap.cause);
  }
  const auto bytes = gap.to ? std::optional(*gap.to - gap.from) : std::nullopt;
  return put_gap(batch, std::move(text), bytes, now, labels, metadata, stats);
}

record::Record& put_gap(record::Batch& batch, std::string text, std::optional<std::uint64_t> bytes, base::Timestamp now,
                        const record::LabelSet* labels, std::span<record::Label> metadata, ReadStats& stats) {
  ++stats.gaps;
  stats.gap_bytes += bytes.value_or(0);
  metadata.back() = {record::kGapBytes, bytes ? batch.copy(fmt::format("{}", *bytes)) : std::string_view("unknown")};
  record::Record& record = batch.records.emplace_back();
  record.timestamp = now;
  record.labels = labels;
  record.line = record::Text::bytes(batch.copy(text));
  record.metadata = metadata;
  const record::GapReport report = record::gap_report(record);
  stats.lost.add(report.log, report.bytes);
  constexpr std::size_t kLines = 8;
  if (stats.gap_lines.size() < kLines) stats.gap_lines.push_back(text);
  stats.latest_gap = std::move(text);
  return record;
}

}  // namespace weir::tail
