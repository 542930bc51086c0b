#include "tail/reader_queue.h"

#include <algorithm>
#include <utility>

namespace weir::tail {

void ReaderQueue::add(Reader& reader) {
  due_.erase(&reader);
  if (std::exchange(reader.queued_, true)) return;
  ready_.push_back(&reader);
}

void ReaderQueue::add_first(Reader& reader) {
  remove(reader);
  reader.queued_ = true;
  ready_.push_front(&reader);
}

ReaderQueue::Turn ReaderQueue::read(record::Batch& batch, Space& space) {
  Reader& reader = *ready_.front();
  ready_.pop_front();
  reader.queued_ = false;
  const Reader::Outcome outcome = reader.read(batch, space);
  if (outcome == Reader::Outcome::more || outcome == Reader::Outcome::full)
    add(reader);
  else if (outcome == Reader::Outcome::idle && reader.due() != base::kNever)
    due_[&reader] = reader.due();
  return {&reader, outcome};
}

base::Monotonic ReaderQueue::due() const {
  base::Monotonic first = base::kNever;
  for (const auto& [reader, when] : due_) first = std::min(first, when);
  return first;
}

void ReaderQueue::add_due(base::Monotonic now) {
  for (auto next = due_.begin(); next != due_.end();) {
    const auto here = next++;
    if (here->second <= now) add(*here->first);
  }
}

void ReaderQueue::remove(Reader& reader) {
  due_.erase(&reader);
  if (std::exchange(reader.queued_, false)) std::erase(ready_, &reader);
}

}  // namespace weir::tail
