#include "scan/run.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace weir::scan {
namespace {

using record::Label;
using record::Record;

constexpr std::size_t kFrame = 64 << 10;
constexpr std::size_t kBesides = 512;   // bytes of a record that are not its line, at most as a rule
constexpr std::size_t kSetsKnown = 16;  // the latest sets of metadata that a record is compared with

enum Flag : std::uint8_t { kHeld = 1, kInvalid = 2, kSample = 4, kExtra = 8, kNewSet = 16 };

// In front of each record. Behind it: its set of metadata when that is new, `extra` when it has one, the line.
struct Head {
  base::Timestamp time;
  std::uint32_t stream, set, line;
  std::uint8_t form, flags;
};

void put(std::string& out, std::string_view bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  out.append(bytes);
}

class Reading {
 public:
  explicit Reading(const char* at) : at_(at) {}
  template <typename T>
  T value() {
    T value;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string_view bytes(std::size_t size) {
    const std::string_view bytes(at_, size);
    at_ += size;
    return bytes;
  }
  std::string_view text() { return bytes(value<std::uint32_t>()); }
  [[nodiscard]] const char* place() const { return at_; }

 private:
  const char* at_;
};

}  // namespace

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

void RunWriter::put_set(std::span<const Label> set, std::uint32_t& number) {
  const auto from = sets_.end() - static_cast<std::ptrdiff_t>(std::min(sets_.size(), kSetsKnown));
  const auto known = std::find_if(from, sets_.end(), [&](std::span<const Label> one) { return one.data() == set.data(); });
  number = static_cast<std::uint32_t>(known - sets_.begin()) + 1;
  if (known != sets_.end() && known->size() == set.size()) return;
  sets_.push_back(set);
  number = static_cast<std::uint32_t>(sets_.size());
}

void RunWriter::add(const Record& record) {
  if (frame_.records > 0 && frame_.bytes.size() + record.line.data.size() + kBesides > kFrame) close_frame();
  if (frame_.records == 0) frame_.first = record.timestamp;
  ++frame_.records;
  Head head = {};
  head.time = record.timestamp;
  head.stream = stream_of(record);
  head.line = static_cast<std::uint32_t>(record.line.data.size());
  head.form = static_cast<std::uint8_t>(record.line.form);
  const std::size_t sets = sets_.size();
  if (!record.metadata.empty()) put_set(record.metadata, head.set);
  const bool new_set = sets_.size() > sets;
  head.flags =
      static_cast<std::uint8_t>((record.held ? kHeld : 0) | (record.invalid ? kInvalid : 0) | (record.sample ? kSample : 0) |
                                (record.extra != nullptr ? kExtra : 0) | (new_set ? kNewSet : 0));
  std::string& out = frame_.bytes;
  out.append(reinterpret_cast<const char*>(&head), sizeof head);
  if (new_set) {
    const auto size = static_cast<std::uint32_t>(record.metadata.size());
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    frame_.labels += size;
    for (const Label& label : record.metadata) {
      put(out, label.name);
      put(out, label.value);
    }
  }
  if (record.extra != nullptr) {
    ++frame_.extras;
    for (const std::string_view text : {record.extra->unknown, record.extra->rejected, record.extra->parsed, record.extra->value}) {
      put(out, text);
    }
  }
  out.append(record.line.data);
}

void RunWriter::close_frame() {
  if (frame_.records == 0) return;
  frame_.size = static_cast<std::uint32_t>(frame_.bytes.size());
  const bool full = frame_.size > kFrame / 2;
  if (frame_.bytes.capacity() > frame_.bytes.size() + frame_.bytes.size() / 8) frame_.bytes.shrink_to_fit();
  run_.frames.push_back(std::move(frame_));
  frame_ = {};
  if (full) frame_.bytes.reserve(kFrame);
  sets_.clear();
}

Run RunWriter::finish() {
  close_frame();
  frame_ = {};
  latest_stream_ = 0;
  return std::exchange(run_, {});
}

void OpenFrame::open(Frame& frame, const std::vector<RunStream>& streams, spool::Decompressor& decompressor, base::Timestamp end) {
  labels_.clear();
  extras_.clear();
  sets_.clear();
  if (frame.packed) {
    bytes_.resize(frame.size);
    if (!decompressor.read(frame.bytes, bytes_.data(), frame.size)) std::abort();  // packed by this process, and never damaged
  } else {
    bytes_.swap(frame.bytes);
  }
  std::string().swap(frame.bytes);
  // Views into them are handed out, so they must not move.
  labels_.reserve(frame.labels);
  extras_.reserve(frame.extras);
  streams_ = &streams;
  at_ = 0;
  left_ = frame.records;
  end_ = end;
  done_ = false;
  pop();
}

void OpenFrame::pop() {
  if (left_ == 0) {
    done_ = true;
    return;
  }
  --left_;
  Reading in(bytes_.data() + at_);
  const auto head = in.value<Head>();
  Record& record = front_;
  record.timestamp = head.time;
  record.labels = (*streams_)[head.stream].labels.get();
  record.tenant = (*streams_)[head.stream].tenant;
  if ((head.flags & kNewSet) != 0) {
    const std::size_t begin = labels_.size();
    for (auto left = in.value<std::uint32_t>(); left > 0; --left) {
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
  at_ = static_cast<std::size_t>(in.place() - bytes_.data());
}

std::size_t OpenFrame::bytes() const {
  return sizeof(OpenFrame) + bytes_.capacity() + labels_.capacity() * sizeof(Label) + extras_.capacity() * sizeof(record::Extra);
}

}  // namespace weir::scan
