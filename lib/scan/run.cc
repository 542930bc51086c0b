#include "scan/run.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

namespace weir::scan {
namespace {

using record::Label;
using record::Record;

constexpr std::size_t kSetsKnown = 16;  // the latest sets of metadata that a record is compared with

enum Flag : std::uint8_t { kHeld = 1, kInvalid = 2, kSample = 4, kExtra = 8, kNewSet = 16 };

// The numbers of a record. Its texts: its set of metadata when that is new, `extra` when it has one, the line.
struct Head {
  base::Timestamp time;
  std::uint32_t stream, set, line;
  std::uint8_t form, flags;
};

std::size_t size_of(std::string_view text) { return sizeof(std::uint32_t) + text.size(); }
std::size_t size_of(std::span<const Label> set) {
  std::size_t size = sizeof(std::uint32_t);
  for (const Label& label : set) size += size_of(label.name) + size_of(label.value);
  return size;
}
std::size_t size_of(const record::Extra& extra) {
  return size_of(extra.unknown) + size_of(extra.rejected) + size_of(extra.parsed) + size_of(extra.value);
}

class Writing {
 public:
  explicit Writing(char* at) : at_(at) {}
  void number(std::uint32_t number) {
    std::memcpy(at_, &number, sizeof number);
    at_ += sizeof number;
  }
  void bytes(std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void text(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    bytes(text);
  }

 private:
  char* at_;
};

class Reading {
 public:
  explicit Reading(const char* at) : at_(at) {}
  std::uint32_t number() {
    std::uint32_t number = 0;
    std::memcpy(&number, at_, sizeof number);
    at_ += sizeof number;
    return number;
  }
  std::string_view bytes(std::size_t size) { return {std::exchange(at_, at_ + size), size}; }
  std::string_view text() { return bytes(number()); }
  [[nodiscard]] const char* place() const { return at_; }

 private:
  const char* at_;
};

}  // namespace

std::size_t Frame::numbers() const { return records * sizeof(Head); }

std::uint32_t RunWriter::stream_of(const Record& record) {
  const auto same = [&](const RunStream& stream) { return stream.labels.get() == record.labels && stream.tenant == record.tenant; };
  if (latest_stream_ < run_.streams.size() && same(run_.streams[latest_stream_])) return latest_stream_;
  constexpr std::size_t kLookedAt = 256;  // a query may make a label set for each record
  const std::size_t from = run_.streams.size() - std::min(run_.streams.size(), kLookedAt);
  const auto found = std::find_if(run_.streams.begin() + static_cast<std::ptrdiff_t>(from), run_.streams.end(), same);
  latest_stream_ = static_cast<std::uint32_t>(found - run_.streams.begin());
  if (found == run_.streams.end()) {
    run_.streams.push_back({record::LabelSetRef::share(record.labels), std::string(record.tenant)});
    run_.stream_bytes += sizeof(RunStream) + record.tenant.size() + 2 * record.labels->json().size();
  }
  return latest_stream_;
}

// The number of a set that the frame has; 0: it is empty, or new.
std::uint32_t RunWriter::set_of(std::span<const Label> set) const {
  if (set.empty()) return 0;
  const auto from = sets_.end() - static_cast<std::ptrdiff_t>(std::min(sets_.size(), kSetsKnown));
  const auto known = std::find_if(from, sets_.end(), [&](std::span<const Label> one) { return one.data() == set.data(); });
  return known != sets_.end() && known->size() == set.size() ? static_cast<std::uint32_t>(known - sets_.begin()) + 1 : 0;
}

// For one more record with texts of this size. A long line gets a frame of its own.
void RunWriter::make_room(std::size_t texts) {
  if (frame_.records > 0 && frame_.texts + texts + frame_.numbers() + sizeof(Head) > frame_.bytes.size()) close_frame();
  if (frame_.records > 0) return;
  const std::size_t size = std::max(FrameMemory::kPiece, (texts + 2 * sizeof(Head) - 1) / sizeof(Head) * sizeof(Head));
  if (frame_.bytes.size() != size) frame_.bytes = FrameBytes::plain(memory_, size);
}

void RunWriter::add(const Record& record) {
  std::uint32_t set = set_of(record.metadata);
  const std::size_t besides = record.line.data.size() + (record.extra != nullptr ? size_of(*record.extra) : 0);
  const std::size_t frames = run_.frames.size();
  make_room(besides + (set == 0 && !record.metadata.empty() ? size_of(record.metadata) : 0));
  // Another frame does not have the set.
  if (set != 0 && run_.frames.size() != frames) {
    set = 0;
    make_room(besides + size_of(record.metadata));
  }
  if (frame_.records == 0) frame_.first = record.timestamp;
  ++frame_.records;
  const bool new_set = set == 0 && !record.metadata.empty();
  Writing out(frame_.bytes.data() + frame_.texts);
  frame_.texts += static_cast<std::uint32_t>(besides);
  if (new_set) {
    sets_.push_back(record.metadata);
    set = static_cast<std::uint32_t>(sets_.size());
    frame_.labels += static_cast<std::uint32_t>(record.metadata.size());
    frame_.texts += static_cast<std::uint32_t>(size_of(record.metadata));
    out.number(static_cast<std::uint32_t>(record.metadata.size()));
    for (const Label& label : record.metadata) {
      out.text(label.name);
      out.text(label.value);
    }
  }
  if (record.extra != nullptr) {
    ++frame_.extras;
    for (const std::string_view text : {record.extra->unknown, record.extra->rejected, record.extra->parsed, record.extra->value}) {
      out.text(text);
    }
  }
  out.bytes(record.line.data);
  const Head head = {
      record.timestamp,
      stream_of(record),
      set,
      static_cast<std::uint32_t>(record.line.data.size()),
      static_cast<std::uint8_t>(record.line.form),
      static_cast<std::uint8_t>((record.held ? kHeld : 0) | (record.invalid ? kInvalid : 0) | (record.sample ? kSample : 0) |
                                (record.extra != nullptr ? kExtra : 0) | (new_set ? kNewSet : 0))};
  std::memcpy(frame_.bytes.data() + frame_.bytes.size() - frame_.numbers(), &head, sizeof head);
}

// Of a piece that is mostly empty a copy is kept: it takes less memory, and the piece is there for the next frame.
void RunWriter::close_frame() {
  sets_.clear();
  if (frame_.records == 0) return;
  const std::size_t numbers = frame_.numbers(), used = frame_.texts + numbers;
  FrameBytes all = std::move(frame_.bytes);
  FrameBytes kept;
  if (used <= all.size() / 4 * 3) {
    kept = std::move(all);
    all = FrameBytes::plain(memory_, used);
    std::memcpy(all.data(), kept.data(), frame_.texts);
    std::memcpy(all.data() + frame_.texts, kept.data() + kept.size() - numbers, numbers);
  }
  frame_.bytes = std::move(all);
  run_.frames.push_back(std::move(frame_));
  frame_ = {};
  frame_.bytes = std::move(kept);
}

Run RunWriter::finish() {
  close_frame();
  latest_stream_ = 0;
  return std::exchange(run_, {});
}

void OpenFrame::open(Frame& frame, const std::vector<RunStream>& streams, base::Timestamp end) {
  labels_.clear();
  extras_.clear();
  sets_.clear();
  bytes_ = std::move(frame.bytes);
  // Views into them are handed out, so they must not move.
  labels_.reserve(frame.labels);
  extras_.reserve(frame.extras);
  streams_ = &streams;
  text_ = bytes_.data();
  number_ = bytes_.data() + bytes_.size();
  left_ = frame.records;
  end_ = end;
  peek();
}

void OpenFrame::peek() {
  if (left_ > 0) std::memcpy(&time_, number_ - sizeof(Head) + offsetof(Head, time), sizeof time_);
}

void OpenFrame::take(Record& record) {
  Head head;
  number_ -= sizeof head;
  std::memcpy(&head, number_, sizeof head);
  Reading in(text_);
  const RunStream& stream = (*streams_)[head.stream];
  record.timestamp = head.time;
  record.labels = stream.labels.get();
  record.tenant = stream.tenant;
  if ((head.flags & kNewSet) != 0) {
    const std::size_t begin = labels_.size();
    for (std::uint32_t left = in.number(); left > 0; --left) {
      const std::string_view name = in.text();
      labels_.push_back({name, in.text()});
    }
    sets_.emplace_back(labels_.data() + begin, labels_.size() - begin);
  }
  record.metadata = head.set > 0 ? sets_[head.set - 1] : std::span<const Label>();
  record.extra = nullptr;
  if ((head.flags & kExtra) != 0) {
    record::Extra& extra = extras_.emplace_back();
    for (std::string_view* text : {&extra.unknown, &extra.rejected, &extra.parsed, &extra.value}) *text = in.text();
    record.extra = &extra;
  }
  record.held = (head.flags & kHeld) != 0;
  record.invalid = (head.flags & kInvalid) != 0;
  record.sample = (head.flags & kSample) != 0;
  record.line = {in.bytes(head.line), static_cast<record::Text::Form>(head.form)};
  text_ = in.place();
  --left_;
  peek();
}

std::size_t OpenFrame::bytes() const {
  return sizeof(OpenFrame) + bytes_.held() + labels_.capacity() * sizeof(Label) + extras_.capacity() * sizeof(record::Extra);
}

}  // namespace weir::scan
