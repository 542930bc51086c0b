// A log file through tail's decoder: where the cuts between blocks fall changes nothing, and nothing is made that did not stand
// there.
#pragma once

#include "fuzz/fuzz.h"
#include "record/jsonl_writer.h"
#include "tail/decoder.h"

#include <algorithm>
#include <memory>
#include <string>

namespace weir::fuzz {

class NoLabels final : public tail::Labeller {
 public:
  const record::LabelSet* labels(tail::Stream, record::Batch& batch) override { return batch.hold(record::LabelSet::empty()); }
  void hole(std::uint64_t from, std::uint64_t to, const record::Source&, record::Batch&) override { WEIR_HOLDS(from < to); }
};

inline constexpr std::size_t kMaxLine = 64;

// Bytes of a line from which on the decoder does not wait for its end.
inline std::size_t longest_line() {
  tail::DecodeStats stats;
  return tail::Decoder(kMaxLine, stats).enough();
}

// All records of `text` as JSON lines, given to the decoder in blocks of `cut` bytes and more. With `multiline` those of stdout
// come before those of stderr, without RESUME: what one stream waits for, and for how long, depends on the blocks.
inline std::string decoded(std::string_view text, tail::Format format, std::size_t cut, std::size_t& line_bytes,
                           const tail::Multiline* multiline = nullptr) {
  constexpr base::Timestamp kNow = 1'760'000'000 * base::kSecond;
  tail::DecodeStats stats;
  tail::Decoder decoder(kMaxLine, stats, multiline);
  decoder.set_format(format);
  NoLabels labeller;
  std::string out, errors;
  const bool joins = multiline != nullptr && multiline->shape != tail::Shape::none;
  record::Batch batch;
  tail::Stamp stamp = {.labeller = &labeller, .metadata = {}, .tracked = true, .log = 1, .place = {1, 0}, .now = kNow};
  const auto take = [&] {
    for (record::Record& record : batch.records) {
      line_bytes += record.line.data.size();
      WEIR_HOLDS(record.source.resume <= record.source.end);
      if (joins) record.source.resume = record.source.end;
      record::append_jsonl(joins && record.source.substream == 1 ? errors : out, record);
    }
    batch.clear();
  };
  std::size_t at = 0;
  for (std::size_t seen = 0; seen < text.size();) {
    seen = std::min(seen + cut, text.size());
    while (true) {
      stamp.place.offset = at;
      const std::string_view block = batch.copy(text.substr(at, seen - at));
      const std::size_t used = decoder.decode(block, stamp, batch);
      WEIR_HOLDS(used <= block.size());
      WEIR_HOLDS(used > 0 || block.size() <= decoder.enough());
      at += used;
      take();
      if (used == 0) break;
    }
  }
  stamp.place.offset = at;
  decoder.end_of_file(batch.copy(text.substr(at)), stamp, batch);
  decoder.end_of_log(stamp, batch);
  take();
  return out + errors;
}

// Lines that begin with a letter or an opening bracket are the first ones of records.
struct FirstLines final : tail::LineMatcher {
  [[nodiscard]] bool is_first(std::string_view line) const override {
    return !line.empty() && ((line[0] >= 'a' && line[0] <= 'z') || (line[0] >= 'A' && line[0] <= 'Z') || line[0] == '[');
  }
};

// As `weir tail --multiline` joins them, with bounds that short inputs reach.
inline tail::Multiline joins(tail::Shape shape) {
  tail::Multiline multiline;
  multiline.shape = shape;
  multiline.max_lines = 5;
  multiline.max_bytes = 2 * kMaxLine;
  if (shape == tail::Shape::regex) multiline.matcher = std::make_shared<FirstLines>();
  return multiline;
}

inline void check_decoder(std::string_view input, tail::Format format) {
  const std::size_t cut = 1 + take_byte(input);
  // The exceptions that the decoder's contract names. A line with its time in front that is too long is passed as it is, too.
  const bool by_line = format == tail::Format::docker || format == tail::Format::rfc3339;
  bool excepted = input.find('\0') != std::string_view::npos;
  for (std::size_t at = 0; at < input.size() && by_line && !excepted;) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    excepted = end - at >= longest_line();
    at = end + 1;
  }
  static const tail::Multiline kJoins[] = {joins(tail::Shape::none), joins(tail::Shape::regex), joins(tail::Shape::java)};
  for (const tail::Multiline& multiline : kJoins) {
    std::size_t whole_bytes = 0, cut_bytes = 0;
    const std::string whole = decoded(input, format, std::max<std::size_t>(input.size(), 1), whole_bytes, &multiline);
    const std::string in_pieces = decoded(input, format, cut, cut_bytes, &multiline);
    WEIR_HOLDS(whole_bytes <= input.size() && cut_bytes <= input.size());
    if (!excepted) WEIR_HOLDS(whole == in_pieces);
  }
}

}  // namespace weir::fuzz
