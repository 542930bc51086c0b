#include "tail/decoder.h"

#include "record/json.h"
#include "tail/line_cut.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace weir::tail {
namespace {

constexpr char kZero[Decoder::kHole] = {};
constexpr std::string_view kZeros(kZero, sizeof kZero);

bool has_zeros(std::string_view text) { return !text.empty() && std::memchr(text.data(), 0, text.size()) != nullptr; }

std::size_t leading_zeros(std::string_view text) { return std::min(text.find_first_not_of('\0'), text.size()); }

// Bytes of the byte order mark that `text`, from `offset` of a file on, begins with.
std::size_t mark_size(std::string_view text, std::uint64_t offset) {
  return offset == 0 && text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
}

}  // namespace

void Decoder::enter(const Stamp& stamp, record::Batch& batch) {
  stamp_ = &stamp;
  batch_ = &batch;
  labels_ = {};
}

std::size_t Decoder::decode(std::string_view block, const Stamp& stamp, record::Batch& batch) {
  enter(stamp, batch);
  const char* const data = block.data();
  std::size_t at = mark_size(block, stamp.place.offset);
  has_zeros_ = has_zeros(block);
  while (at < block.size() && batch.records.size() < kMaxRecords) {
    const auto* newline = static_cast<const char*>(std::memchr(data + at, '\n', block.size() - at));
    if (newline == nullptr) {
      const std::string_view rest = block.substr(at);
      if (inside_) {
        add(inside_stream_, inside_timestamp_, rest, at, at, block.size(), false);
      } else if (rest.size() < enough()) {
        break;
      } else if (const std::size_t taken = has_zeros_ ? take_zeros(rest, at) : 0; taken > 0) {
        at += taken;
        continue;
      } else {
        if (zeros_ > 0) report_hole(at);
        begin_long_line(rest, at);
      }
      at = block.size();
      break;
    }
    const auto end = static_cast<std::size_t>(newline - data);
    line({data + at, end - at}, at, end + 1);
    at = end + 1;
  }
  settle();
  return at;
}

void Decoder::end_of_file(std::string_view rest, const Stamp& stamp, record::Batch& batch) {
  enter(stamp, batch);
  has_zeros_ = has_zeros(rest);
  const std::size_t begin = mark_size(rest, stamp.place.offset);
  rest.remove_prefix(begin);
  if (!rest.empty() || inside_ || zeros_ > 0) line(rest, begin, begin + rest.size());
  settle();
}

void Decoder::close_groups(const Stamp& stamp, record::Batch& batch) {
  enter(stamp, batch);
  if (joiner_ != nullptr) joiner_->close(*this);
}

bool Decoder::has_text(std::string_view rest) const {
  if (rest.empty()) return open_lines_ > 0;
  if (inside_) return true;
  if (has_zeros(rest)) return false;
  switch (format_) {
    case Format::cri:
      return parse_cri(rest).has_value();
    case Format::docker:
      return parse_docker(rest).has_value();
    case Format::journal:
    case Format::rfc3339:
      return false;  // who prints these ends each line
    case Format::automatic:
    case Format::raw:
      return true;
  }
  return true;
}

void Decoder::give_out(std::string_view rest, const Stamp& stamp, record::Batch& batch) {
  enter(stamp, batch);
  const std::size_t end = rest.size();
  if (inside_) {
    if (end > 0) add(inside_stream_, inside_timestamp_, rest, 0, 0, end, false);
  } else if (end > 0) {
    const std::size_t begin = mark_size(rest, stamp.place.offset);
    rest.remove_prefix(begin);
    if (format_ == Format::docker && parse_docker(rest)) {
      line(rest, begin, end);
      inside_ = inside_closes_ = true;
      inside_stream_ = Stream::none;
      inside_timestamp_ = read_time();
    } else if (!rest.empty()) {
      begin_long_line(rest, begin);
    }
  }
  const record::Place place{stamp.place.generation, stamp.place.offset + end};
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const auto stream = static_cast<Stream>(i);
    if (!lines_[i].open || (stamp.tracked && stream != Stream::standard_error && malformed_end_ == place)) continue;
    add(stream, lines_[i].timestamp, {}, 0, 0, end, true);
    if (stamp.tracked && stream != Stream::standard_error) malformed_end_ = place;
  }
  if (joiner_ != nullptr) joiner_->close(*this);
}

void Decoder::end_of_log(const Stamp& stamp, record::Batch& batch) {
  enter(stamp, batch);
  inside_ = false;
  zeros_ = 0;  // what is lost behind them, or cut off, is reported by whoever ends the log here
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    // Ends behind the file's last byte, each at its own place, so that none is taken for a record that ended with the file.
    if (lines_[i].open) add(static_cast<Stream>(i), lines_[i].timestamp, {}, 0, 0, i + 1, true);
  }
  if (joiner_ != nullptr) joiner_->close(*this);
}

const record::Place* Decoder::open() const {
  const record::Place* oldest = joiner_ != nullptr ? joiner_->oldest() : nullptr;
  if (arriving_ != nullptr && (oldest == nullptr || *arriving_ < *oldest)) oldest = arriving_;
  if (open_lines_ == 0) return oldest;
  for (const Line& line : lines_) {
    if (line.open && (oldest == nullptr || line.start < *oldest)) oldest = &line.start;
  }
  return oldest;
}

void Decoder::line(std::string_view text, std::size_t begin, std::size_t end) {
  if (inside_) {
    inside_ = false;
    // All of it may have been given out before its newline came.
    if (text.empty() && !state(inside_stream_).open) return;
    add(inside_stream_, inside_timestamp_, text, begin, begin, end, inside_closes_);
    return;
  }
  if (has_zeros_ || zeros_ > 0) return line_with_zeros(text, begin, end);
  whole_line(text, begin, end);
}

// `text` taken apart at its holes.
void Decoder::line_with_zeros(std::string_view text, std::size_t begin, std::size_t end) {
  while (true) {
    const std::size_t zeros = leading_zeros(text);
    if (zeros_ > 0 || zeros >= least_hole()) {
      zeros_ += zeros;
      begin += zeros;
      text.remove_prefix(zeros);
      report_hole(begin);
      if (text.empty()) return;  // the rest of what was lost
    }
    const std::size_t torn = text.find(kZeros);
    if (torn == std::string_view::npos) return whole_line(text, begin, end);
    whole_line(text.substr(0, torn), begin, begin + torn);
    text.remove_prefix(torn);
    begin += torn;
  }
}

// Of `rest`, whose newline is not in sight, the zeros in front or the line before a hole; how much that is, 0 for nothing.
std::size_t Decoder::take_zeros(std::string_view rest, std::size_t begin) {
  if (const std::size_t zeros = leading_zeros(rest); zeros > 0 && (zeros_ > 0 || zeros >= least_hole())) {
    zeros_ += zeros;
    return zeros;
  }
  const std::size_t torn = rest.find(kZeros);
  if (torn == std::string_view::npos) return 0;
  line(rest.substr(0, torn), begin, begin + torn);
  return torn;
}

// The zeros that were taken end at `end` of the block.
void Decoder::report_hole(std::size_t end) {
  // Where it begins, as an offset in the block, which it may lie before: the sums below are those of unsigned numbers.
  const std::size_t begin = end - zeros_;
  // A line that was open broke off there. Each gets a place of its own, so that none is taken for a record before the hole.
  for (std::size_t i = 0; i < lines_.size() && zeros_ > lines_.size(); ++i) {
    if (lines_[i].open) add(static_cast<Stream>(i), lines_[i].timestamp, {}, 0, 0, begin + i + 1, true);
  }
  if (joiner_ != nullptr) joiner_->close(*this);
  const std::uint64_t size = std::exchange(zeros_, 0);
  const std::uint64_t to = stamp_->place.offset + end;
  record::Source source;
  if (stamp_->tracked) {
    source = record::Source::in_file(stamp_->log, stamp_->place.generation, 0, to);
    if (const record::Place* oldest = open(); oldest != nullptr) {
      source.resume = oldest->offset;
      source.resume_generation = oldest->generation;
    }
  }
  stamp_->labeller->hole(to - size, to, source, *batch_);
}

void Decoder::whole_line(std::string_view text, std::size_t begin, std::size_t end) {
  switch (format_) {
    case Format::cri:
      return cri(text, begin, end);
    case Format::docker:
      return docker(text, begin, end);
    case Format::journal:
      return journal(text, begin, end);
    case Format::rfc3339:
      return rfc3339(text, begin, end);
    case Format::automatic:
    case Format::raw:
      return raw(text, begin, end);
  }
}

void Decoder::cri(std::string_view text, std::size_t begin, std::size_t end) {
  const auto header = parse_cri(text, second_);
  if (!header) return malformed(text, begin, end);
  const std::string_view content = text.substr(header->size);
  if (!header->partial && !state(header->stream).open && content.size() <= max_line_) {
    return emit(header->stream, header->timestamp, content, place_of(begin), end, 0, true);
  }
  add(header->stream, header->timestamp, content, begin, begin + header->size, end, !header->partial);
}

void Decoder::docker(std::string_view text, std::size_t begin, std::size_t end) {
  const auto parsed = parse_docker(text);
  if (!parsed) return malformed(text, begin, end);
  std::string_view content = unescaped(parsed->log);
  const bool closes = content.ends_with('\n');
  if (closes) content.remove_suffix(1);
  if (closes && !state(parsed->stream).open && content.size() <= max_line_) {
    return emit(parsed->stream, parsed->timestamp, content, place_of(begin), end, 0, true);
  }
  add(parsed->stream, parsed->timestamp, content, begin, begin, end, closes);
}

void Decoder::malformed(std::string_view text, std::size_t begin, std::size_t end) {
  ++stats_->malformed;
  if (open_lines_ > 0) malformed_end_ = {stamp_->place.generation, stamp_->place.offset + end};
  raw(text, begin, end);
}

void Decoder::raw(std::string_view text, std::size_t begin, std::size_t end) {
  if (text.size() <= max_line_) return emit(Stream::none, read_time(), text, place_of(begin), end, 0, true);
  add(Stream::none, read_time(), text, begin, begin, end, true);
}

// `text` is the beginning of a line whose end is not in sight. Takes all of it.
void Decoder::begin_long_line(std::string_view text, std::size_t begin) {
  inside_stream_ = Stream::none;
  inside_closes_ = true;
  std::size_t header_size = 0;
  const auto header = format_ == Format::cri ? parse_cri(text) : std::nullopt;
  if (header) {
    header_size = header->size;
    inside_stream_ = header->stream;
    inside_timestamp_ = header->timestamp;
    inside_closes_ = !header->partial;
  } else {
    if (format_ != Format::raw && format_ != Format::automatic) ++stats_->malformed;
    inside_timestamp_ = read_time();
  }
  inside_ = true;
  add(inside_stream_, inside_timestamp_, text.substr(header_size), begin, begin + header_size, begin + text.size(), false);
}

// The next part of a line: `content` stands at `content_begin` in the block, its physical line from `begin` to `end`.
void Decoder::add(Stream stream, base::Timestamp timestamp, std::string_view content, std::size_t begin, std::size_t content_begin,
                  std::size_t end, bool closes) {
  Line& line = state(stream);
  if (!line.open) {
    line.open = true;
    line.start = {stamp_->place.generation, stamp_->place.offset + begin};
    line.pieces = 0;
    ++open_lines_;
  }
  line.timestamp = timestamp;
  while (line.bytes.size() + content.size() > max_line_) {
    // The cut depends on the line alone, never on the parts it came in, so that reading it again cuts the same.
    const std::size_t room = max_line_ - line.bytes.size();
    line.bytes.append(content.substr(0, room));
    const std::size_t cut = cut_between_characters(line.bytes, max_line_, content[room]);
    content.remove_prefix(room);
    content_begin += room;
    if (line.pieces == 0) ++stats_->split;
    const std::string_view piece = batch_->copy(std::string_view(line.bytes).substr(0, cut));
    emit(stream, timestamp, piece, line.start, content_begin, ++line.pieces, false);
    line.bytes.erase(0, cut);
  }
  if (!closes) {
    line.bytes.append(content);
    return;
  }
  if (!line.bytes.empty()) {
    char* const joined = batch_->allocate(line.bytes.size() + content.size());
    std::memcpy(joined, line.bytes.data(), line.bytes.size());
    if (!content.empty()) std::memcpy(joined + line.bytes.size(), content.data(), content.size());
    content = {joined, line.bytes.size() + content.size()};
    line.bytes.clear();
    if (line.bytes.capacity() > max_line_ / 4) line.bytes.shrink_to_fit();
  }
  line.open = false;
  --open_lines_;
  emit(stream, timestamp, content, line.start, end, line.pieces == 0 ? 0 : line.pieces + 1, true);
}

void Decoder::emit(Stream stream, base::Timestamp timestamp, std::string_view text, record::Place start, std::size_t end,
                   std::uint32_t piece, bool last) {
  if (joiner_ == nullptr) return put(stream, timestamp, text, place_of(end), piece, last);
  join({text, timestamp, stream, stream != Stream::none, start, place_of(end)}, piece, last);
}

void Decoder::join(const Joiner::Line& line, std::uint32_t piece, bool last) {
  // What is safe is read again for the sake of the other stream, perhaps from the middle of a record: it is not to become one
  // again.
  const bool safe = line.end.offset <= stamp_->safe[line.stream == Stream::standard_error ? 1 : 0];
  arriving_ = &line.start;
  if (safe || piece > 0)
    joiner_->interrupt(line, *this);
  else
    joiner_->take(line, *this);
  arriving_ = nullptr;
  if (piece > 0 && !safe) put(line.stream, line.timestamp, line.text, line.end, piece, last);
}

void Decoder::put_record(const Joiner::Line& line) {
  stats_->joined += line.lines - 1;
  put(line.stream, line.timestamp, line.text, line.end, 0, true);
}

void Decoder::put(Stream stream, base::Timestamp timestamp, std::string_view text, record::Place end, std::uint32_t piece,
                  bool last) {
  record::Source source;
  if (stamp_->tracked) {
    source = record::Source::in_file(stamp_->log, end.generation, stream == Stream::standard_error ? 1 : 0, end.offset);
    const record::Place* oldest = open_lines_ > 0 || joiner_ != nullptr ? open() : nullptr;
    if (oldest != nullptr && *oldest < end) {
      source.resume = oldest->offset;
      source.resume_generation = oldest->generation;
    }
  }
  if (timestamp < stamp_->not_before) {
    ++stats_->before_start;
    dropped_ = source;
    return;
  }
  dropped_ = {};
  ++stats_->records;
  stats_->bytes += text.size();
  record::Record& record = batch_->records.emplace_back();
  record.timestamp = timestamp;
  const record::LabelSet*& labels = labels_[static_cast<std::size_t>(stream)];
  if (labels == nullptr) labels = stamp_->labeller->labels(stream, *batch_);
  record.labels = labels;
  record.line = record::Text::bytes(text);
  record.metadata = stamp_->metadata;
  record.source = source;
  if (piece == 0) return;
  const std::span<record::Label> metadata = batch_->allocate_labels(stamp_->metadata.size() + 1);
  std::ranges::copy(stamp_->metadata, metadata.begin());
  metadata.back() = {"weir_split", batch_->copy(last ? fmt::format("{0}/{0}", piece) : fmt::format("{}", piece))};
  record.metadata = metadata;
}

std::string_view Decoder::unescaped(std::string_view escaped) {
  if (escaped.find('\\') == std::string_view::npos) return escaped;
  char* const to = batch_->allocate(escaped.size());
  const std::size_t size = record::unescape(to, escaped);
  batch_->shrink(to, size);
  return {to, size};
}

// Loki drops a line that repeats one of the same stream and time, so lines without a time of their own never share one.
base::Timestamp Decoder::read_time() {
  last_read_time_ = std::max(stamp_->now, last_read_time_ + 1);
  return last_read_time_;
}

}  // namespace weir::tail
