#include "smoke/verdict.h"

#include "base/count.h"
#include "record/age.h"
#include "record/record.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace weir::smoke {

using base::count_of;
using base::Duration;
using base::Monotonic;
using base::Timestamp;

namespace {

constexpr std::size_t kShown = 60;  // bytes of a line or value in an example

std::string shown(std::string_view text) {
  if (text.size() <= kShown) return fmt::format("\"{}\"", text);
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // no character is cut
  return fmt::format("\"{}…\"", text.substr(0, end));
}

std::string printed(std::span<const record::Label> labels) {
  std::string text = "{";
  for (const record::Label& label : labels)
    text += fmt::format("{}{}=\"{}\"", text.size() == 1 ? "" : ", ", label.name, label.value);
  return text + "}";
}

Duration rank(const std::vector<Duration>& sorted, double share) {
  const auto place = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(place, 1, sorted.size()) - 1];
}

std::string seconds(Duration duration) {
  return fmt::format("{:.1f} s", static_cast<double>(duration) / static_cast<double>(base::kSecond));
}

}  // namespace

std::string_view name_of(Fault fault) {
  switch (fault) {
    case Fault::missing:
      return "missing";
    case Fault::refused:
      return "refused";
    case Fault::late:
      return "late";
    case Fault::repeated:
      return "repeated";
    case Fault::truncated:
      return "truncated";
    case Fault::changed:
      return "changed";
    case Fault::metadata:
      return "wrong_metadata";
    case Fault::time:
      return "wrong_time";
    case Fault::labels:
      return "wrong_labels";
    case Fault::order:
      return "wrong_order";
    case Fault::unexpected:
      return "unexpected";
    case Fault::count:
      return "wrong_count";
    case Fault::command:
      return "command_failed";
  }
  return {};
}

std::string sentence(Fault fault, std::uint64_t count) {
  const auto with = [count](std::string_view one, std::string_view many) {
    return fmt::format("{} {}", count_of(count, "record"), count == 1 ? one : many);
  };
  switch (fault) {
    case Fault::missing:
      return with("is missing", "are missing");
    case Fault::refused:
      return with("was refused", "were refused");
    case Fault::late:
      return with("came late", "came late");
    case Fault::repeated:
      return with("is repeated", "are repeated");
    case Fault::truncated:
      return with("has a truncated line", "have truncated lines");
    case Fault::changed:
      return with("has another line than was sent", "have other lines than were sent");
    case Fault::metadata:
      return with("has wrong metadata", "have wrong metadata");
    case Fault::time:
      return with("has another time than was sent", "have other times than were sent");
    case Fault::labels:
      return with("has wrong labels", "have wrong labels");
    case Fault::order:
      return with("is out of order", "are out of order");
    case Fault::unexpected:
      return with("was not sent by this run", "were not sent by this run");
    case Fault::count:
      return fmt::format("count_over_time and query_range differ by {}", count_of(count, "record"));
    case Fault::command:
      return "the command failed";
  }
  return {};
}

std::uint64_t Verdict::count_of(Fault fault) const {
  for (const Finding& finding : findings)
    if (finding.fault == fault) return finding.count;
  return 0;
}

Judge::Judge(const Plan& plan, Expectation expectation, Duration allowed)
    : plan_(plan), expectation_(std::move(expectation)), allowed_(allowed), states_(plan.records()), progress_(plan.streams()) {
  if (plan.spec().form != Form::line) return;
  for (std::uint32_t number = 1; number <= plan.records(); ++number)
    if (plan.kind_of(number) == Kind::same_line) same_lines_.push_back(number);
}

void Judge::sent(std::uint32_t first, std::uint32_t size, Monotonic at) {
  for (std::uint32_t number = first; number < first + size; ++number) states_[number - 1].sent_at = at;
  sent_ += size;
}

void Judge::see(std::uint32_t number, Monotonic at) {
  State& state = states_[number - 1];
  if (state.sent_at < 0 || state.seen_at >= 0) return;
  state.seen_at = at;
  ++seen_;
}

std::uint32_t Judge::same_line_at(Timestamp time) const {
  if (!expectation_.times) return 0;
  for (const std::uint32_t number : same_lines_)
    if (plan_.time_of(number) == time) return number;
  return 0;
}

void Judge::seen(const Arrived& arrived, Monotonic at) {
  // A record may hold several lines that a stage has joined.
  std::string_view rest = arrived.line;
  do {
    const std::size_t end = plan_.spec().form == Form::line ? rest.find('\n') : std::string_view::npos;
    const auto identity = identify(plan_, rest.substr(0, end), arrived.metadata);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (!identity) continue;
    if (!identity->same) {
      see(identity->number, at);
    } else if (const std::uint32_t number = same_line_at(arrived.time); number > 0) {
      see(number, at);
    } else if (same_in_look_ < same_lines_.size()) {
      see(same_lines_[same_in_look_++], at);
    }
  } while (!rest.empty());
}

std::uint32_t Judge::first_unseen() const {
  for (std::uint32_t number = 1; number <= plan_.records(); ++number)
    if (states_[number - 1].sent_at >= 0 && states_[number - 1].seen_at < 0) return number;
  return 0;
}

std::uint32_t Judge::awaited() const {
  return static_cast<std::uint32_t>(std::count_if(states_.begin(), states_.end(), [](const State& state) {
    return state.sent_at >= 0 && state.seen_at < 0 && state.refusal < 0;
  }));
}

bool Judge::saw_each_stream() const {
  std::vector<bool> saw(plan_.streams());
  for (std::uint32_t number = 1; number <= plan_.records(); ++number)
    if (states_[number - 1].seen_at >= 0) saw[plan_.stream_of(number) - 1] = true;
  return std::find(saw.begin(), saw.end(), false) == saw.end();
}

std::uint64_t Judge::arrived() const {
  return static_cast<std::uint64_t>(
      std::count_if(states_.begin(), states_.end(), [](const State& state) { return state.times > 0; }));
}

std::uint64_t Judge::listed() const {
  const std::uint64_t all = arrived() + notes_[static_cast<std::size_t>(Fault::unexpected)].count;
  return all - std::min(all, joined_);
}

void Judge::take(const Arrived& arrived) {
  ++entries_;
  if (plan_.spec().form == Form::metadata) return take_line(arrived, arrived.line, false);
  std::string_view rest = arrived.line;
  for (bool joined = false;; joined = true) {
    const std::size_t end = rest.find('\n');
    take_line(arrived, rest.substr(0, end), joined);
    if (end == std::string_view::npos) return;
    ++joined_;
    rest.remove_prefix(end + 1);
  }
}

bool Judge::knows(const Arrived& arrived) const {
  const auto identity = identify(plan_, arrived.line, arrived.metadata);
  if (!identity) return true;  // none of ours
  const std::uint32_t number = identity->same ? same_line_at(arrived.time) : identity->number;
  return number == 0 || has(number);
}

void Judge::take_elsewhere(const Arrived& arrived) {
  elsewhere_ = true;
  take(arrived);
  elsewhere_ = false;
}

void Judge::take_line(const Arrived& arrived, std::string_view line, bool joined) {
  const auto identity = identify(plan_, line, arrived.metadata);
  if (!identity) return note(Fault::unexpected, fmt::format("{} at {}", shown(line), record::to_rfc3339(arrived.time)));
  std::uint32_t number = identity->number;
  if (identity->same) {
    number = same_line_at(arrived.time);
    for (const std::uint32_t one : same_lines_) {
      if (number > 0) break;
      if (!has(one)) number = one;
    }
    if (number == 0) return note(Fault::repeated, fmt::format("{} at {}", shown(line), record::to_rfc3339(arrived.time)));
  }
  State& state = states_[number - 1];
  if (++state.times > 1) {
    if (state.times == 2) note(Fault::repeated, name(number));
    return;
  }
  const PlannedRecord wanted = plan_.record(number);
  check_line(wanted, line);
  check_metadata(wanted, arrived);
  // A joined line has the time of the first.
  if (expectation_.times && !joined && arrived.time != wanted.time) {
    note(Fault::time,
         fmt::format("{}: {} instead of {}", name(number), record::to_rfc3339(arrived.time), record::to_rfc3339(wanted.time)));
  }
  if (check_labels(wanted, arrived) && elsewhere_)
    note(Fault::labels, fmt::format("{} is not in the selected streams, but in {}", name(number), printed(arrived.labels)));
  check_order(wanted, arrived);
}

void Judge::check_line(const PlannedRecord& wanted, std::string_view line) {
  if (line == wanted.line) return;
  if (line.size() < wanted.line.size() && std::string_view(wanted.line).starts_with(line)) {
    return note(Fault::truncated, fmt::format("{}: {} of {} bytes are there", name(wanted.number), base::grouped(line.size()),
                                              base::grouped(wanted.line.size())));
  }
  const auto [mine, theirs] = std::mismatch(wanted.line.begin(), wanted.line.end(), line.begin(), line.end());
  std::size_t at = static_cast<std::size_t>(mine - wanted.line.begin());
  while (at > 0 && at < wanted.line.size() && (static_cast<unsigned char>(wanted.line[at]) & 0xc0) == 0x80) --at;
  note(Fault::changed, fmt::format("{}, from byte {} on: {} instead of {}", name(wanted.number), base::grouped(at),
                                   shown(line.substr(std::min(at, line.size()))), shown(std::string_view(wanted.line).substr(at))));
}

void Judge::check_metadata(const PlannedRecord& wanted, const Arrived& arrived) {
  for (const auto& [name_of_pair, value] : wanted.metadata) {
    const std::string_view there = record::find(arrived.metadata, name_of_pair);
    if (there == value) continue;
    return note(Fault::metadata, there.empty() ? fmt::format("{}: {} is missing", name(wanted.number), name_of_pair)
                                               : fmt::format("{}: {} is {} instead of {}", name(wanted.number), name_of_pair,
                                                             shown(there), shown(value)));
  }
}

bool Judge::check_labels(const PlannedRecord& wanted, const Arrived& arrived) {
  if (wanted.stream > expectation_.labels.size()) return true;
  const Labels& labels = expectation_.labels[wanted.stream - 1];
  for (const auto& [label, value] : labels) {
    const std::string_view there = record::find(arrived.labels, label);
    if (there == value) continue;
    note(Fault::labels, there.empty()
                            ? fmt::format("{}: {}=\"{}\" is missing", name(wanted.number), label, value)
                            : fmt::format("{}: {}={} instead of \"{}\"", name(wanted.number), label, shown(there), value));
    return false;
  }
  if (!expectation_.only_these) return true;
  for (const record::Label& label : arrived.labels) {
    const bool known = label.name == "service_name" ||
                       std::any_of(labels.begin(), labels.end(), [&](const auto& one) { return one.first == label.name; });
    if (known) continue;
    note(Fault::labels, fmt::format("{}: {}={} was added", name(wanted.number), label.name, shown(label.value)));
    return false;
  }
  return true;
}

void Judge::check_order(const PlannedRecord& wanted, const Arrived& arrived) {
  Progress& latest = progress_[wanted.stream - 1];
  // Records with the same line cannot be told apart, so their numbers say nothing where the times are not known.
  if (wanted.kind == Kind::same_line && plan_.spec().form == Form::line && !expectation_.times) return;
  if (wanted.number < latest.number && arrived.time > latest.time)
    note(Fault::order, fmt::format("{} stands behind record {}", name(wanted.number), latest.number));
  if (wanted.number > latest.number) latest.number = wanted.number;
  latest.time = std::max(latest.time, arrived.time);
}

void Judge::stored_times(std::uint32_t number, std::uint64_t times) {
  if (number > 0 && number <= plan_.records() && times > 1) stored_[number] = times;
}

void Judge::refused(std::uint32_t first, std::uint32_t size, std::string_view words) {
  for (std::uint32_t number = first; number < first + size; ++number)
    states_[number - 1].refusal = static_cast<std::int32_t>(refusals_.size());
  refusals_.emplace_back(words);
}

void Judge::command_failed(std::string words) { note(Fault::command, std::move(words)); }

void Judge::note(Fault fault, std::string example) {
  Notes& notes = notes_[static_cast<std::size_t>(fault)];
  ++notes.count;
  if (notes.examples.size() < kExamples) notes.examples.push_back(std::move(example));
}

std::string Judge::name(std::uint32_t number) const {
  return fmt::format("record {} of stream {} ({})", number, plan_.stream_of(number), word_of(plan_.kind_of(number)));
}

Verdict Judge::verdict() const {
  Verdict verdict;
  verdict.sent = sent_;
  verdict.entries = entries_;
  verdict.joined = joined_;
  std::array<Notes, kFaults> notes = notes_;
  const auto add = [&](Fault fault, std::string example) {
    Notes& one = notes[static_cast<std::size_t>(fault)];
    ++one.count;
    if (one.examples.size() < kExamples) one.examples.push_back(std::move(example));
  };
  std::vector<Duration> latencies;
  for (std::uint32_t number = 1; number <= plan_.records(); ++number) {
    const State& state = states_[number - 1];
    if (state.sent_at < 0) continue;
    if (state.times > 0) {
      ++verdict.arrived;
    } else if (state.refusal >= 0) {
      add(Fault::refused, fmt::format("{}: {}", name(number), refusals_[static_cast<std::size_t>(state.refusal)]));
    } else {
      add(Fault::missing, name(number));
    }
    if (state.seen_at < 0 || state.times == 0) continue;  // a record that is missing in the end has no latency
    const Duration latency = state.seen_at - state.sent_at;
    latencies.push_back(latency);
    if (allowed_ > 0 && latency > allowed_)
      add(Fault::late, fmt::format("{} came after {}, {} are allowed", name(number), seconds(latency), seconds(allowed_)));
  }
  if (!latencies.empty()) {
    std::sort(latencies.begin(), latencies.end());
    const Duration most = latencies.back(), p50 = rank(latencies, 0.5), p95 = rank(latencies, 0.95), p99 = rank(latencies, 0.99);
    verdict.latency = {std::move(latencies), p50, p95, p99, most};
  }
  // Listing leaves out what is stored twice in different chunks; counting shows it.
  if (counted_) {
    const std::uint64_t counted = *counted_;
    verdict.counted = counted;
    const std::uint64_t have = listed();
    Notes& repeated = notes[static_cast<std::size_t>(Fault::repeated)];
    // What is counted and not shown is either a record that is missing in the list, or a repeat.
    const std::uint64_t missing = notes[static_cast<std::size_t>(Fault::missing)].count;
    const std::uint64_t more = counted - std::min(counted, have);
    const std::uint64_t repeats =
        std::min<std::uint64_t>(more, std::max<std::uint64_t>(more - std::min(more, missing), stored_.size()));
    const auto differ = [&](std::uint64_t by) {
      notes[static_cast<std::size_t>(Fault::count)] = {
          by, {fmt::format("count_over_time counts {}, query_range shows {}", base::grouped(counted), base::grouped(have))}};
    };
    if (repeats > 0) {
      repeated.count = std::max<std::uint64_t>(repeated.count, repeats);
      std::vector<std::string> examples;
      for (const auto& [number, times] : stored_) {
        if (examples.size() < kExamples) examples.push_back(fmt::format("{} is stored {} times", name(number), times));
      }
      if (examples.empty()) {
        examples.push_back(
            fmt::format("count_over_time counts {}, query_range shows {}", base::grouped(counted), base::grouped(have)));
      }
      if (repeated.examples.empty()) repeated.examples = std::move(examples);
    }
    if (counted < have) differ(have - counted);
    if (more > repeats) differ(more - repeats);
  }
  for (std::size_t i = 0; i < kFaults; ++i)
    if (notes[i].count > 0) verdict.findings.push_back({static_cast<Fault>(i), notes[i].count, std::move(notes[i].examples)});
  return verdict;
}

}  // namespace weir::smoke
