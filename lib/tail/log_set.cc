#include "tail/log_set.h"

#include "base/count.h"
#include "base/path.h"
#include "record/pod_path.h"
#include "tail/outlook.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>

namespace weir::tail {
namespace {

constexpr std::size_t kOpenLogs = 256;  // that are read in turns when reading once

std::vector<Pattern> patterns_of_all(const std::vector<std::string>& inputs) {
  std::vector<Pattern> patterns;
  for (const std::string& input : inputs) {
    for (Pattern& pattern : patterns_of(input)) patterns.push_back(std::move(pattern));
  }
  return patterns;
}

std::uint64_t size_of(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace

LogSet::LogSet(const LogSetParts& parts)
    : parts_(parts), stored_(patterns_of_all(parts.inputs), parts.selection, parts.start, parts.held, parts.roots, parts.clock) {}

std::unique_ptr<LogReader> LogSet::new_reader(std::string key) {
  return std::make_unique<LogReader>(++last_log_, std::move(key), parts_.read, parts_.stats, parts_.clock, &parts_.held);
}

// The reader of a log whose rotated files are being read, or a new one.
std::unique_ptr<LogReader> LogSet::adopt(const std::string& key) {
  if (auto left = left_alone_.extract(key); !left.empty()) return std::move(left.mapped());
  const auto known = absent_.find(key);
  if (known == absent_.end()) return new_reader(key);
  auto reader = std::move(known->second);
  absent_.erase(known);
  return reader;
}

// A file that was there at the start; the log's first.
void LogSet::add_initial(LogReader& reader, std::shared_ptr<InputFile> file) {
  auto offset = start_offset(*file, parts_.start);
  if (!offset) {
    parts_.troubles.add(file->path(), Cause::of(offset.error()));
    return;
  }
  ++initial_;
  if (*offset > 0) ++shortened_;
  latest_initial_ = file->path();
  reader.add_file(std::move(file), *offset,
                  parts_.start.kind == Start::Kind::time ? parts_.start.time : std::numeric_limits<base::Timestamp>::min());
}

void LogSet::queue_absent() {
  if (const auto use = stored_.take_foreign_use(); use.logs + use.absent > 0) {
    std::string text = fmt::format("{} where --positions says", base::count_of(use.logs, "log begins", "logs begin"));
    if (use.absent == 1) text += "; 1 position there is of a file that is gone";
    if (use.absent > 1) text += fmt::format("; {} positions there are of files that are gone", base::grouped(use.absent));
    parts_.diagnostics.say(text);
  }
  for (auto& reader : stored_.take_absent([this](std::string key) { return new_reader(std::move(key)); },
                                          [this](const std::string& key) { return answer(key); })) {
    parts_.queue.add(*reader);
    const std::string key = reader->key();
    absent_.emplace(key, std::move(reader));
  }
}

// -- logs that are left alone --

PodFilter::Answer LogSet::answer(const std::string& key) const {
  return verdict_of(parts_.filter, key, parts_.clock.monotonic()).answer;
}

base::Monotonic LogSet::undecided(base::Monotonic now) {
  if (!found_) find();
  base::Monotonic until = 0;
  for (const auto& [key, paths] : files_) {
    const PodFilter::Verdict verdict = verdict_of(parts_.filter, key, now);
    if (verdict.answer == PodFilter::Answer::later) until = std::max(until, verdict.ask_at);
  }
  return until;
}

void LogSet::set_aside(std::uint32_t log) {
  const auto known = readers_.find(log);
  if (known == readers_.end()) return;
  std::unique_ptr<LogReader> reader = std::move(known->second);
  readers_.erase(known);
  parts_.queue.remove(*reader);
  numbers_.erase(reader.get());
  restarts_.remove(*reader);
  reader->leave_alone();
  std::string key = reader->key();
  left_alone_.insert_or_assign(std::move(key), std::move(reader));
}

// Its position ends with it: what was not read of it is no loss.
void LogSet::end_left_alone(const std::string& key) {
  std::unique_ptr<LogReader> reader;
  if (auto left = left_alone_.extract(key); !left.empty()) {
    reader = std::move(left.mapped());
    reader->set_gone();
  } else {
    reader = stored_.take_ended(key, [this](std::string name) { return new_reader(std::move(name)); });
  }
  if (reader == nullptr || absent_.contains(key)) return;
  parts_.queue.add(*reader);
  absent_.emplace(key, std::move(reader));
}

void LogSet::add_at_end(LogReader& reader, std::shared_ptr<InputFile> file) {
  stored_.forget(reader.key());
  reader.come_back();
  auto offset = start_offset(*file, {Start::Kind::end, 0, 0});
  if (!offset) return parts_.troubles.add(file->path(), Cause::of(offset.error()));
  reader.add_file(std::move(file), *offset);
}

void LogSet::hand_over(Handover& handover) {
  if (watcher_ != nullptr) {
    // While the chain was blocked, it opened files that no reader has yet.
    watcher_->stop();
    Changes changes = watcher_->take();
    for (Changes::Event& event : changes.events) apply(event);
  }
  const auto give = [&](LogReader& reader) {
    if (OpenFiles files = reader.hand_over(); !files.empty()) handover.add(reader.key(), std::move(files));
  };
  for (const auto& [number, reader] : readers_) give(*reader);
  for (const auto& [key, reader] : absent_) give(*reader);
  // Those of logs that have ended.
  if (parts_.read.read_files != nullptr) {
    for (auto& [key, files] : parts_.read.read_files->take_all()) handover.add(key, std::move(files));
  }
  for (auto& [key, files] : stored_.take_left()) handover.add(key, std::move(files));
}

// -- reading once --

void LogSet::find() {
  Unreadable unreadable;
  files_ = find_files(stored_.patterns(), parts_.selection, unreadable);
  next_ = files_.cbegin();
  nothing_matches_ = files_.empty() && unreadable.causes.empty();
  parts_.troubles.add(unreadable);
  if (measures_) {
    for (const auto& [key, paths] : files_) {
      for (const std::string& path : paths) unopened_ += size_of(path);
    }
  }
  stored_.find_moved(files_);
  found_ = true;
}

bool LogSet::open_some() {
  if (!found_) find();
  for (; next_ != files_.cend() && readers_.size() < kOpenLogs; ++next_) open(next_->first, next_->second);
  if (!parts_.queue.empty() || next_ != files_.cend()) return true;
  queue_absent();
  if (parts_.queue.empty()) return false;
  nothing_matches_ = false;
  return true;
}

void LogSet::open(const std::string& key, const std::vector<std::string>& paths) {
  if (answer(key) == PodFilter::Answer::leave) {
    for (const std::string& path : paths) unopened_ -= std::min(unopened_, measures_ ? size_of(path) : 0);
    return;
  }
  std::vector<std::shared_ptr<InputFile>> files;
  for (const std::string& path : paths) {
    if (measures_) unopened_ -= std::min(unopened_, size_of(path));
    parts_.held.make_room();
    auto file = InputFile::open(path, &parts_.roots);
    if (!file) {
      parts_.troubles.add(path, Cause::of(file.error()));
    } else if (stored_.is_of_another(**file, key) && !stored_.own_from(path)) {
      continue;  // it was renamed, and is read as that log's
    } else if (seen_.emplace((*file)->device(), (*file)->inode()).second) {
      files.push_back(std::move(file).value());
      parts_.held.add(files.back());
    }
  }
  if (files.empty()) return;
  opened_ += files.size();
  auto reader = new_reader(key);
  std::shared_ptr<InputFile> live;
  if (record::live_name_of(base::base_name(paths.back())).empty()) live = std::move(files.back());
  const std::uint64_t offset = stored_.own_from(paths.back()).value_or(0);
  if (!stored_.resume(*reader, live, {.was_there = offset == 0, .others = {stored_.moved_of(key), offset}})) {
    if (live != nullptr) files.back() = std::move(live);
    for (auto& file : files) {
      if (offset > 0)
        reader->add_file(std::move(file), offset);
      else
        add_initial(*reader, std::move(file));
    }
  }
  parts_.queue.add(*reader);
  const std::uint32_t number = reader->number();
  numbers_[reader.get()] = number;
  readers_.emplace(number, std::move(reader));
}

// -- following --

base::Result<void> LogSet::watch(const WatchTimes& times) {
  auto started = Watcher::start(stored_.patterns(), parts_.selection, times, parts_.clock, parts_.held,
                                {&parts_.roots, stored_.take_known(), parts_.filter});
  if (!started) return std::move(started).error();
  watcher_ = std::move(started).value();
  return {};
}

bool LogSet::changes_waiting() const {
  pollfd ready{watcher_->fd(), POLLIN, 0};
  return ::poll(&ready, 1, 0) > 0;
}

base::Result<void> LogSet::take_changes(bool shortens) {
  Changes changes = watcher_->take();
  for (const std::string& warning : changes.warnings) parts_.diagnostics.warn("tail.watch", warning);
  for (const std::string& path : changes.awaited)
    parts_.diagnostics.say(fmt::format("{} does not exist yet: waiting for it", path));
  parts_.troubles.add(changes.unreadable);
  for (Changes::Event& event : changes.events) apply(event);
  for (const std::uint32_t log : changes.changed) {
    if (const auto known = readers_.find(log); known != readers_.end()) parts_.queue.add(*known->second);
  }
  return changes.complete ? settle(!changes.awaited.empty() || changes.left_alone, shortens) : base::Result<void>();
}

void LogSet::apply(Changes::Event& event) {
  if (event.set_aside) return set_aside(event.log);
  if (event.vanished) return end_left_alone(event.key);
  if (event.file == nullptr) {
    const auto known = readers_.find(event.log);
    if (known == readers_.end()) return;
    if (event.lost > 0)
      known->second->add_unopened(event.lost);
    else
      known->second->set_missing(true);
    parts_.queue.add(*known->second);
    return;
  }
  ++opened_;
  std::unique_ptr<LogReader>& reader = readers_[event.log];
  if (reader == nullptr) {
    reader = adopt(event.key);
    numbers_[reader.get()] = event.log;
    // Of a container's logs only the last is written to.
    if (LogReader* const older = restarts_.add(*reader); older != nullptr) {
      older->set_succeeded();
      parts_.queue.add(*older);
    }
    if (event.from_end) {
      add_at_end(*reader, std::move(event.file));
      parts_.queue.add(*reader);
      return;
    }
    OtherFiles others{std::move(event.moved), event.offset};
    const bool resumed =
        stored_.resume(*reader, event.file, {.was_there = event.initial, .rotated = event.rotated, .others = std::move(others)});
    if (!resumed && event.initial) add_initial(*reader, std::move(event.file));
  } else {
    for (auto& file : event.moved) {
      const std::uint64_t place = file->place();
      reader->add_file(std::move(file), place);
    }
  }
  if (event.file != nullptr && reader->has(event.file->inode(), event.file->device())) {
    reader->set_missing(false);  // a rename that was undone
  } else if (event.file != nullptr && event.offset > 0) {
    reader->add_done_with(std::move(event.file), event.offset);
  } else if (event.file != nullptr) {
    reader->add_file(std::move(event.file));
  }
  parts_.queue.add(*reader);
}

// The first look at everything is over.
base::Result<void> LogSet::settle(bool awaits, bool shortens) {
  if (shortens && shortened_ > 0) {
    const std::string of = initial_ == 1 ? latest_initial_ : fmt::format("each of {}", base::count_of(initial_, "log"));
    parts_.diagnostics.say(fmt::format("showing the last {} of {}; --lines all for everything",
                                       base::count_of(parts_.start.lines, "line"), base::escape_control(of)));
  }
  if (opened_ == 0 && parts_.alone && parts_.troubles.nothing_to_wait_for()) return parts_.troubles.nothing_readable();
  queue_absent();
  if (opened_ > 0 || !parts_.alone || !absent_.empty() || awaits) return {};
  const std::string why = explain_no_log(parts_.inputs, parts_.selection);
  if (!why.empty()) parts_.diagnostics.say(base::escape_control(why));
  parts_.diagnostics.say(why.empty() ? "waiting for a log that can be read" : "waiting for a log that matches");
  return {};
}

// -- both --

void LogSet::remove(Reader& reader) {
  parts_.queue.remove(reader);
  const auto number = numbers_.extract(&reader);
  if (number.empty()) {
    const auto absent = absent_.find(reader.name());
    if (absent != absent_.end() && absent->second.get() == &reader) absent_.erase(absent);
    return;
  }
  const auto known = readers_.find(number.mapped());
  restarts_.remove(*known->second);
  if (watcher_ != nullptr) watcher_->forget(number.mapped());
  readers_.erase(known);
}

std::vector<Reader*> LogSet::end() {
  std::vector<Reader*> readers;
  for (const auto& [number, reader] : readers_) {
    reader->set_ending();
    readers.push_back(reader.get());
  }
  return readers;
}

}  // namespace weir::tail
