#include "scan/merge.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace weir::scan {

using base::Result;
using base::Timestamp;
using record::Record;

namespace {

constexpr std::size_t kAtOnce = 1024;            // records of a batch, at most
constexpr std::size_t kMostRetired = 1U << 20U;  // bytes that may wait for a batch to be full

constexpr auto kLaterFirst = [](const auto& a, const auto& b) { return b < a; };

}  // namespace

struct Merge::Input {
  Run run;
  std::size_t next = 0;             // the first frame that is not open
  std::size_t plain = 0;            // frames before it, from `next` on, are not packed
  std::unique_ptr<OpenFrame> open;  // null before the first record of a frame is taken

  [[nodiscard]] bool has_plain() const { return plain > next; }
  [[nodiscard]] const Frame& last_plain() const { return run.frames[plain - 1]; }
};

Merge::Merge(const Limits& limits, FrameMemory& memory, const Matcher& matcher, std::uint64_t first, const Each& each)
    : plain_(limits.plain()),
      most_(limits.most()),
      matcher_(matcher),
      at_once_(first > 0 ? std::min<std::uint64_t>(first, kAtOnce) : kAtOnce),
      each_(each),
      allowed_(most_),
      packer_(memory) {}
Merge::~Merge() = default;

void Merge::skip(Timestamp time, std::uint64_t count) {
  skip_time_ = time;
  skip_ = count;
}

void Merge::retire(std::unique_ptr<OpenFrame> frame) {
  if (!frame) return;
  bytes_ -= frame->bytes();
  retired_bytes_ += frame->bytes();
  retired_.push_back(std::move(frame));
}

// The next frame, whose turn has come.
void Merge::open(Input& input) {
  if (spare_.empty()) spare_.push_back(std::make_unique<OpenFrame>());
  input.open = std::move(spare_.back());
  spare_.pop_back();
  Frame& frame = input.run.frames[input.next++];
  input.plain = std::max(input.plain, input.next);
  bytes_ -= frame.bytes.held();
  packer_.unpack(frame);
  input.open->open(frame, input.run.streams, end_);
  bytes_ += input.open->bytes();
}

// The time of the next record. False: there is none.
bool Merge::advance(Input& input, Timestamp& time) {
  if (input.open) {
    if (!input.open->done()) {
      time = input.open->time();
      return true;
    }
    retire(std::move(input.open));
  }
  if (input.next == input.run.frames.size()) return false;
  time = input.run.frames[input.next].first;
  return true;
}

void Merge::add(Run run, std::size_t spool, std::uint64_t block) {
  std::erase_if(run.frames, [this](const Frame& frame) { return frame.first >= end_; });
  if (run.empty()) return;
  auto input = std::make_unique<Input>();
  input->run = std::move(run);
  input->plain = input->run.frames.size();
  for (const Frame& frame : input->run.frames) bytes_ += frame.bytes.held();
  bytes_ += sizeof(Input) + input->run.stream_bytes;
  next_.push_back({input->run.frames.front().first, spool, block, input.get()});
  inputs_.push_back(std::move(input));
  std::push_heap(next_.begin(), next_.end(), kLaterFirst);
}

// The top of the heap got a later record.
void Merge::settle() {
  const Next moved = next_.front();
  std::size_t at = 0;
  while (true) {
    std::size_t child = 2 * at + 1;
    if (child >= next_.size()) break;
    if (child + 1 < next_.size() && next_[child + 1] < next_[child]) ++child;
    if (moved < next_[child]) break;
    next_[at] = next_[child];
    at = child;
  }
  next_[at] = moved;
}

void Merge::take(OpenFrame& frame) {
  const Timestamp time = frame.time();
  frame.take(out_.records.emplace_back());
  if (skip_ == 0 || time != skip_time_) return;
  --skip_;
  out_.records.pop_back();
}

Result<bool> Merge::flush() {
  if (!out_.records.empty()) {
    auto more = each_(out_);
    if (!more || !*more) return more;
    out_.clear();
  }
  retired_inputs_.clear();
  constexpr std::size_t kSpare = 4;
  for (auto& frame : retired_) {
    frame->close();
    if (spare_.size() < kSpare) spare_.push_back(std::move(frame));
  }
  retired_.clear();
  retired_bytes_ = 0;
  return true;
}

Result<bool> Merge::give(Timestamp end) {
  while (!next_.empty() && next_.front().time < end) {
    Next& top = next_.front();
    Input& input = *top.input;
    bool more = true;
    // As long as no other input is earlier, without asking the heap.
    const Next* other = next_.size() > 1 ? &next_[1] : nullptr;
    if (next_.size() > 2 && next_[2] < *other) other = &next_[2];
    while (more && top.time < end && (other == nullptr || top < *other)) {
      if (!input.open) open(input);
      // A frame that ends with this record is retired: the record is a view into it.
      take(*input.open);
      more = advance(input, top.time);
      if (!more) {
        std::pop_heap(next_.begin(), next_.end(), kLaterFirst);
        next_.pop_back();
        const auto at = std::ranges::find(inputs_, &input, &std::unique_ptr<Input>::get);
        std::swap(*at, inputs_.back());
        leave(std::move(inputs_.back()));
        inputs_.pop_back();
      }
      if (out_.records.size() < at_once_ && retired_bytes_ < kMostRetired) continue;
      auto wanted = flush();
      if (!wanted || !*wanted) return wanted;
    }
    if (more) settle();
  }
  return true;
}

// An input without records; records of out_ may be views into it.
void Merge::leave(std::unique_ptr<Input> input) {
  retire(std::move(input->open));
  bytes_ -= sizeof(Input) + input->run.stream_bytes;
  retired_inputs_.push_back(std::move(input));
}

// Packs the plain frames of the latest times.
void Merge::pack(std::size_t allowed) {
  if (bytes_ <= allowed) return;
  std::vector<Input*> inputs;  // a heap by the time of the last plain frame
  const auto earlier = [](const Input* a, const Input* b) { return a->last_plain().first < b->last_plain().first; };
  for (const auto& input : inputs_) {
    if (input->has_plain()) inputs.push_back(input.get());
  }
  std::make_heap(inputs.begin(), inputs.end(), earlier);
  while (bytes_ > allowed && !inputs.empty()) {
    std::pop_heap(inputs.begin(), inputs.end(), earlier);
    Input& input = *inputs.back();
    Frame& frame = input.run.frames[--input.plain];
    bytes_ -= frame.bytes.held();
    packer_.pack(frame);
    bytes_ += frame.bytes.held();
    if (input.has_plain()) {
      std::push_heap(inputs.begin(), inputs.end(), earlier);
    } else {
      inputs.pop_back();
    }
  }
}

void Merge::end_inputs(Timestamp end) {
  end_ = end;
  for (const auto& input : inputs_) {
    auto& frames = input->run.frames;
    while (frames.size() > input->next && frames.back().first >= end) {
      bytes_ -= frames.back().bytes.held();
      frames.pop_back();
    }
    input->plain = std::min(input->plain, frames.size());
    if (input->open) input->open->cut(end);
  }
  // Those whose first record is not before the end have nothing left.
  std::erase_if(next_, [end](const Next& next) { return next.time >= end; });
  std::make_heap(next_.begin(), next_.end(), kLaterFirst);
  for (auto& input : inputs_) {
    const bool more = input->open ? !input->open->done() : input->next < input->run.frames.size();
    if (!more) leave(std::move(input));
  }
  std::erase(inputs_, nullptr);
}

// Leaves out what does not fit, the latest of it. The records of one time stay, however many they are.
Timestamp Merge::cut(std::size_t allowed) {
  std::vector<std::pair<Timestamp, std::size_t>> waiting;
  for (const auto& input : inputs_) {
    if (input->open) waiting.emplace_back(input->open->time(), input->open->bytes());
    for (std::size_t i = input->next; i < input->run.frames.size(); ++i) {
      waiting.emplace_back(input->run.frames[i].first, input->run.frames[i].bytes.held());
    }
  }
  std::ranges::sort(waiting);
  std::size_t sum = 0;
  Timestamp end = end_;
  for (const auto& [time, size] : waiting) {
    sum += size;
    if (sum > allowed) {
      end = time;
      break;
    }
  }
  end = matcher_.cut(std::max(end, next_.front().time + 1));
  end_inputs(end);
  return end;
}

std::optional<Timestamp> Merge::make_room() {
  pack(plain_);
  if (bytes_ <= allowed_ || next_.empty()) return std::nullopt;
  const Timestamp end = cut(allowed_ / 2);
  allowed_ = std::max(most_, 2 * bytes_);
  return end;
}

}  // namespace weir::scan
