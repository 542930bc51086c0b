#include "tail/multiline.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::tail {

void Joiner::take(const Line& line, Sink& sink) {
  Group& group = group_of(line);
  close_late(groups_[&group == &groups_[0] ? 1 : 0], line, sink);
  const Shape shape = options_->shape;
  const bool by_regex = shape == Shape::regex;
  if (group.parts.empty()) return begin(group, line, by_regex ? kOrdinary : trace_start(shape, line.text));

  TraceStep step;
  if (by_regex) {
    if (!options_->matcher->is_first(line.text)) step.action = TraceStep::Action::join;
  } else {
    step = trace_step(shape, group.state, line.text);
  }
  bool joins = step.action != TraceStep::Action::begin;
  if (joins) {
    joins = group.stream == line.stream && group.parts.size() < options_->max_lines &&
            group.size + 1 + line.text.size() <= options_->max_bytes && !is_late(group, line) && (!step.asks_head || heads(group));
    const bool too_doubtful = step.action == TraceStep::Action::might && group.parts.size() - group.sure >= kMostDoubtful;
    if (!joins || too_doubtful) {
      end(group, sink);
      // What was doubtful may be a group of its own by now, to which the line may belong.
      if (!group.parts.empty()) return take(line, sink);
      return begin(group, line, by_regex ? kOrdinary : trace_start(shape, line.text));
    }
    add(group, line);
    group.state = step.state;
    if (step.action == TraceStep::Action::join) group.sure = group.parts.size();
    return;
  }
  end(group, sink);
  if (!group.parts.empty()) return take(line, sink);
  begin(group, line, step.state);
}

void Joiner::interrupt(const Line& line, Sink& sink) {
  Group& group = group_of(line);
  close_late(groups_[&group == &groups_[0] ? 1 : 0], line, sink);
  while (!group.parts.empty()) end(group, sink);
}

void Joiner::settle(Sink& sink) {
  if (member_.asked()) return close(sink);
  std::size_t held = 0;
  for (Group& group : groups_) {
    if (group.parts.size() == 1 && group.state == kOrdinary && options_->shape != Shape::regex && !heads(group)) {
      end(group, sink);
      static_cast<void>(trim(group));
      continue;
    }
    for (; group.kept < group.parts.size(); ++group.kept) {
      const std::string_view text = group.parts[group.kept].text();
      group.bytes.reserve(group.bytes.size() + text.size() + 1);  // not twice as much for the newline
      group.bytes.append(text);
      group.bytes.push_back('\n');
      group.parts[group.kept].data = nullptr;
    }
    held += trim(group);
  }
  member_.hold(held);
  if (member_.asked()) close(sink);
}

void Joiner::close(Sink& sink) {
  for (Group& group : groups_) {
    if (member_.asked() && !group.parts.empty()) member_.count_early(1);
    while (!group.parts.empty()) end(group, sink);
    static_cast<void>(trim(group));
  }
  member_.hold(0);
}

// Gives back memory that larger groups needed; how much is left.
std::size_t Joiner::trim(Group& group) {
  constexpr std::size_t kFewParts = 16, kFewBytes = 1024;
  if (group.parts.capacity() > std::max(kFewParts, 4 * group.parts.size())) group.parts.shrink_to_fit();
  if (group.bytes.capacity() > std::max(kFewBytes, 4 * group.bytes.size())) group.bytes.shrink_to_fit();
  return group.parts.empty() ? 0 : group.bytes.capacity() + group.parts.capacity() * sizeof(Part);
}

const record::Place* Joiner::oldest() const {
  const record::Place* oldest = nullptr;
  for (const Group& group : groups_) {
    if (!group.parts.empty() && (oldest == nullptr || group.parts.front().start < *oldest)) oldest = &group.parts.front().start;
  }
  return oldest;
}

bool Joiner::holds(std::uint32_t generation) const {
  return std::ranges::any_of(groups_, [&](const Group& group) {
    return std::ranges::any_of(group.parts, [&](const Part& part) { return part.end.generation == generation; });
  });
}

void Joiner::begin(Group& group, const Line& line, TraceState state) {
  group.stream = line.stream;
  group.timed = line.timed;
  group.state = state;
  group.head_asked = false;
  group.size = 0;
  add(group, line);
  group.sure = 1;
}

void Joiner::add(Group& group, const Line& line) {
  group.size += line.text.size() + (group.parts.empty() ? 0 : 1);
  group.parts.push_back({line.text.data(), line.text.size(), line.timestamp, line.start, line.end});
}

// Passes on the lines that are sure. Those that are doubtful are judged anew; so the group may not be empty afterwards.
void Joiner::end(Group& group, Sink& sink) {
  const Line record = joined(group, sink);
  std::vector<Line> again;
  std::size_t at = 0;  // in the bytes that are kept
  for (std::size_t i = 0; i < group.parts.size() && group.sure < group.parts.size(); ++i) {
    const Part& part = group.parts[i];
    Line line{part.text(), part.timestamp, group.stream, group.timed, part.start, part.end};
    if (i < group.kept) {
      const std::string_view kept(group.bytes.data() + at, part.size);
      at += part.size + 1;
      if (i < group.sure) continue;
      char* const copy = sink.allocate_text(kept.size());
      std::ranges::copy(kept, copy);
      line.text = {copy, kept.size()};
    }
    if (i >= group.sure) again.push_back(line);
  }
  // Before the record is passed on: it is not held any more.
  group.parts.clear();
  group.kept = 0;
  group.bytes.clear();
  sink.put_record(record);
  for (const Line& line : again) take(line, sink);
}

// The lines of the group that are sure, as one.
Joiner::Line Joiner::joined(const Group& group, Sink& sink) {
  const std::size_t count = group.sure;
  const Part* const parts = group.parts.data();
  Line record{parts[0].text(), parts[0].timestamp, group.stream, group.timed, parts[0].start, parts[count - 1].end, count};
  if (group.kept == 0 && count == 1) return record;
  std::size_t size = parts[0].size;
  bool in_place = group.kept == 0;  // the lines of a plain file stand behind each other
  for (std::size_t i = 1; i < count; ++i) {
    const char* const before = parts[i - 1].data + parts[i - 1].size;
    in_place = in_place && parts[i].data == before + 1 && *before == '\n';
    size += 1 + parts[i].size;
  }
  if (in_place) {
    record.text = {parts[0].data, size};
    return record;
  }
  char* const text = sink.allocate_text(size + 1);
  std::size_t at = std::min(group.bytes.size(), size + 1);
  if (at > 0) std::memcpy(text, group.bytes.data(), at);
  for (std::size_t i = group.kept; i < count; ++i) {
    if (parts[i].size > 0) std::memcpy(text + at, parts[i].data, parts[i].size);
    at += parts[i].size;
    text[at++] = '\n';
  }
  record.text = {text, size};
  return record;
}

void Joiner::close_late(Group& group, const Line& line, Sink& sink) {
  while (!group.parts.empty() && is_late(group, line)) end(group, sink);
}

bool Joiner::is_late(const Group& group, const Line& line) const {
  return line.timed && group.timed && line.timestamp > group.parts.back().timestamp &&
         line.timestamp - group.parts.back().timestamp >= options_->wait;
}

bool Joiner::heads(Group& group) {
  if (!std::exchange(group.head_asked, true)) {
    // Asked of the first line while more are there only where they were doubtful because of it.
    const Part& head = group.parts.front();
    group.head_may = may_head(group.kept > 0 ? std::string_view(group.bytes.data(), head.size) : head.text());
  }
  return group.head_may;
}

}  // namespace weir::tail
