#include "delivery/waiting_streams.h"

#include <algorithm>

namespace weir::delivery {

WaitingStreams::Stream& WaitingStreams::add(std::uint64_t stream, spool::BlockPlace from) {
  const auto [at, fresh] = numbers_.try_emplace(stream, next_number_);
  Stream& added = streams_[at->second];
  if (!fresh) return added;
  next_number_ = (next_number_ + 1) & kStreamMask;
  added.key = stream;
  added.start = added.next = added.until = from;
  return added;
}

WaitingStreams::Stream* WaitingStreams::find(std::uint64_t stream, const record::Source& source) {
  const auto found = numbers_.find(stream);
  if (found == numbers_.end()) return nullptr;
  Stream& waiting = streams_[found->second];
  return spool::BlockPlace{source.block, source.ordinal} < waiting.start ? nullptr : &waiting;
}

WaitingStreams::Stream* WaitingStreams::stream_of(PushToken token) {
  const auto found = streams_.find(static_cast<std::uint32_t>(token >> kIndexBits) & kStreamMask);
  return found == streams_.end() ? nullptr : &found->second;
}

PushToken WaitingStreams::enter(Stream& stream, const record::Source& source) {
  stream.next = {source.block, source.ordinal + 1};
  const PushToken number = numbers_[stream.key];
  return kWaitingMark | number << kIndexBits | (stream.lane.enter(source, false) & kIndexMask);
}

WaitingStreams::Reached WaitingStreams::advance(Stream& stream) {
  stream.lane.take_settled([](const record::Source&) {});
  if (stream.lane.empty()) return {stream.key, stream.next};
  return {stream.key, {stream.lane.front().block, stream.lane.front().ordinal}};
}

void WaitingStreams::restore(std::uint64_t stream, spool::BlockPlace from, spool::BlockPlace until) {
  add(stream, from).until = until;
}

std::optional<PushToken> WaitingStreams::arrive(std::uint64_t stream, const record::Source& source) {
  Stream* waiting = find(stream, source);
  if (waiting == nullptr) return std::nullopt;
  return waiting->left ? kNoToken : enter(*waiting, source);
}

bool WaitingStreams::leave(std::uint64_t stream, const record::Source& source, PushToken token) {
  const spool::BlockPlace place{source.block, source.ordinal};
  Stream& waiting = add(stream, place);
  if (waiting.left) return false;
  // arrive() had entered the record as taken.
  if (is_of_waiting_stream(token)) waiting.lane.undo();
  waiting.start = std::min(waiting.start, place);
  waiting.next = place;
  waiting.left = true;
  return true;
}

std::optional<PushToken> WaitingStreams::read_again(std::uint64_t stream, const record::Source& source) {
  Stream* waiting = find(stream, source);
  if (waiting == nullptr) return std::nullopt;
  return enter(*waiting, source);
}

std::optional<WaitingStreams::Reached> WaitingStreams::resume(std::uint64_t stream, spool::BlockPlace position) {
  const auto found = numbers_.find(stream);
  if (found == numbers_.end()) return std::nullopt;
  Stream& waiting = streams_[found->second];
  waiting.left = false;
  waiting.next = waiting.until = position;
  return advance(waiting);
}

std::optional<WaitingStreams::Reached> WaitingStreams::settle(PushToken token) {
  Stream* stream = stream_of(token);
  if (stream == nullptr || !stream->lane.settle(token & kIndexMask)) return std::nullopt;
  return advance(*stream);
}

std::optional<spool::BlockPlace> WaitingStreams::place(PushToken token) {
  Stream* stream = stream_of(token);
  const record::Source* source = stream == nullptr ? nullptr : stream->lane.source_of(token & kIndexMask);
  if (source == nullptr) return std::nullopt;
  return spool::BlockPlace{source->block, source->ordinal};
}

std::vector<std::uint64_t> WaitingStreams::release(spool::BlockPlace position) {
  std::vector<std::uint64_t> released;
  std::erase_if(streams_, [&](const auto& entry) {
    const Stream& stream = entry.second;
    if (stream.left || !stream.lane.empty() || position < stream.until) return false;
    numbers_.erase(stream.key);
    released.push_back(stream.key);
    return true;
  });
  return released;
}

}  // namespace weir::delivery
