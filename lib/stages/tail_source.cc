#include "stages/tail_source.h"

#include "base/count.h"
#include "record/timestamp.h"
#include "spool/positions_file.h"
#include "stages/stream_input.h"
#include "tail/decoder.h"
#include "tail/outlook.h"
#include "tail/pattern.h"
#include "tail/pod_path.h"
#include "tail/resume.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using base::Monotonic;
using base::Result;
using metrics::Account;
using pipeline::Flow;
using tail::LogReader;

constexpr auto kRecordsIn =
    metrics::counter("weir_tail_read_records_total", "records", "Records that were read from logs.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_tail_read_bytes_total", "bytes", "Bytes of the lines of these records.", Account::in);
constexpr auto kGapRecords = metrics::counter("weir_tail_gap_records_total", "records",
                                              "Records that tell of a part of a log which is lost.", Account::added);
constexpr auto kRecordsOut =
    metrics::counter("weir_tail_output_records_total", "records", "Records that tail passed on.", Account::out);
constexpr auto kBytesOut =
    metrics::counter("weir_tail_output_bytes_total", "bytes", "Bytes of the lines that tail passed on.", Account::out);
constexpr auto kDropped = metrics::counter("weir_tail_dropped_records_total", "records", "Records that tail left out, by reason.",
                                           Account::dropped, "reason");
constexpr auto kGathered =
    metrics::gauge("weir_tail_gathered_records", "records", "Records that were read and not passed on.", Account::in_flight);
constexpr auto kMalformed =
    metrics::counter("weir_tail_malformed_lines_total", "lines", "Lines that are not of the form of their file.", Account::invalid);
constexpr auto kGaps =
    metrics::counter("weir_tail_lost_parts_total", "parts", "Parts of logs that went before they were read.", Account::lost);
constexpr auto kLostBytes =
    metrics::counter("weir_tail_lost_bytes_total", "bytes", "Bytes of these parts, where they could be counted.");
constexpr auto kUnreadable =
    metrics::counter("weir_tail_unreadable_files_total", "files", "Files that could not be read.", Account::unreadable);

constexpr std::size_t kOpenLogs = 256;  // logs that a one-shot run reads in turns
constexpr base::Duration kLongestSpacing = base::kSecond;  // of what is read while lines keep coming
constexpr std::string_view kStandardInput = "the input";
constexpr std::size_t kFixedPolls = 3;  // of what is polled: the watcher, the stop, the reader; then the streams
constexpr auto kAnyTime = std::numeric_limits<base::Timestamp>::min();

// A log a file descriptor: what the process may open is raised to what the system allows.
void raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// What stands behind the path in "cannot open PATH: CAUSE".
std::string_view cause_of(std::string_view message) {
  const std::size_t at = message.rfind(": ");
  return at == std::string_view::npos ? message : message.substr(at + 2);
}
std::string_view cause_of(const base::Error& error) { return cause_of(std::string_view(error.message)); }

std::string hint_of(std::string_view cause) {
  if (cause == "Permission denied") return "run as root, or give the process CAP_DAC_READ_SEARCH";
  if (cause == tail::kLeadsOutOfRoots) return std::string(tail::kLeadsOutHint);
  if (cause == "Too many open files") return "raise the limit of open files (ulimit -n)";
  if (cause == "No such file or directory") return "name the file or folder to read: weir tail PATH";
  return {};
}

std::string message_of(const tail::Unreadable::Cause& files, std::string_view cause) {
  if (files.count == 1) return fmt::format("cannot read {}: {}", files.first, cause);
  return fmt::format("cannot read {}: {} (the first: {})", base::count_of(files.count, "file"), cause, files.first);
}

// Where a container's log stands in the order of its container's logs: folder and number of …/CONTAINER/N.log.
std::optional<std::pair<std::string_view, std::uint64_t>> restart_of(std::string_view key) {
  if (!tail::parse_pod_path(key)) return std::nullopt;
  const std::string_view name = tail::base_name(key);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || name.substr(static_cast<std::size_t>(end - name.data())) != ".log") return std::nullopt;
  return std::pair(key.substr(0, key.size() - name.size()), number);
}

class TailSource final : public pipeline::Source {
 public:
  TailSource(TailSpec spec, const pipeline::Context& context)
      : spec_(std::move(spec)),
        context_(context),
        clock_(*context.clock),
        space_needed_(LogReader::space_needed(spec_.read)),
        roots_(spec_.follow_links ? tail::LogRoots() : tail::LogRoots(spec_.inputs, spec_.log_roots)),
        held_(spec_.hold_deleted, *context.diagnostics),
        block_(context.metrics) {
    spec_.read.tracked = !spec_.checkpoint.empty();
    spec_.read.roots = &roots_;
  }

  [[nodiscard]] std::string_view name() const override { return "tail"; }

  [[nodiscard]] pipeline::Counters counters() const override { return pipeline::counters_of(block_); }

  [[nodiscard]] std::string summary() const override {
    if (gaps_.value() == 0) return {};
    const std::string bytes =
        lost_bytes_.value() > 0 ? fmt::format(" ({} that could be counted)", base::count_of(lost_bytes_.value(), "byte")) : "";
    return fmt::format("lost {} of the logs{}: a record with metadata weir_gap_bytes names each",
                       base::count_of(gaps_.value(), "part"), bytes);
  }

  Result<void> run(pipeline::Outlet& out, base::Stop& stop) override {
    auto read = read_all(out, stop);
    publish();
    return read;
  }

 private:
  // What was read and what was passed on go to the cells.
  void publish() {
    records_in_.reach(stats_.records + stats_.before_start);
    bytes_in_.reach(stats_.bytes);
    gap_records_.reach(stats_.gaps);
    before_start_.reach(stats_.before_start);
    gathered_.set(stats_.records + stats_.gaps - records_out_.value());
    malformed_.reach(stats_.malformed);
    gaps_.reach(stats_.gaps);
    lost_bytes_.reach(stats_.gap_bytes);
    unreadable_files_.reach(unreadable_);
  }

  Result<void> read_all(pipeline::Outlet& out, base::Stop& stop) {
    out_ = &out;
    stop_ = &stop;
    raise_open_files();
    if (auto opened = open_streams(); !opened) return opened;
    const bool files = !spec_.inputs.empty();
    if (spec_.read.tracked) {
      if (auto begun = begin(); !begun) return begun;
    } else if (spec_.read.follow && files) {
      context_.diagnostics->say("no positions are kept, a restart begins anew: for that, --checkpoint FILE and a `buffer` or `push` that keeps it");
    }
    Result<Flow> ended = files ? read_files() : Flow::more;
    if (ended && *ended == Flow::more) ended = read_streams();
    tell_troubles();
    if (!ended) return std::move(ended).error();
    if (*ended == Flow::done) return {};
    if (spec_.read.tracked) {
      put_marker(record::Marker::Type::end);
      if (ended = emit(); !ended) return std::move(ended).error();
    }
    if (opened_ == troubled_ && stats_.records == 0 && unreadable_ > 0) {
      return nothing_readable();
    }
    return {};
  }

  // -- tracked streams --

  Result<void> begin() {
    if (spec_.positions) {
      positions_ = std::move(*spec_.positions);
    } else {
      auto read = spool::read_positions(spec_.checkpoint, spec_.wait, stop_);
      if (!read) return std::move(read).error();
      positions_ = std::move(read).value();
    }
    resumed_ = !positions_.empty();
    put_marker(record::Marker::Type::begin)->checkpoint = batch_.copy(spec_.checkpoint);
    auto flow = emit();
    if (!flow) return std::move(flow).error();
    return {};
  }

  record::Marker* put_marker(record::Marker::Type type) {
    auto* marker = batch_.make<record::Marker>();
    marker->type = type;
    record::Record& record = batch_.records.emplace_back();
    record.labels = batch_.hold(record::LabelSet::empty());
    record.marker = marker;
    return marker;
  }

  // Logs of which there are positions and no live file: their rotated files are read, and those of which nothing is left are ended.
  void queue_absent_logs() {
    for (auto next = positions_.begin(); next != positions_.end();) {
      const auto here = next++;
      const std::string& key = here->first;
      if (!wanted(key) || !is_absent(key)) continue;
      auto reader = new_reader(key);
      if (!tail::resume(*reader, here->second, nullptr, followed_)) reader->set_gone();
      queue(*reader);
      absent_.emplace(key, std::move(reader));
      positions_.erase(here);
    }
  }

  bool wanted(std::string_view key) const {
    return std::ranges::any_of(patterns_, [&](const tail::Pattern& pattern) { return tail::names(pattern, key); }) &&
           tail::wants_file(spec_.selection, key);
  }

  // Not so when it is there and could not be opened, or when the folder that it is looked for in is not there (a disk that is not mounted
  // yet): it may come.
  bool is_absent(const std::string& key) const {
    if (::access(key.c_str(), F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)) return false;
    return std::ranges::any_of(patterns_, [&](const tail::Pattern& pattern) {
      return tail::names(pattern, key) && ::access(pattern.base.c_str(), R_OK | X_OK) == 0;
    });
  }

  // -- files --

  std::unique_ptr<LogReader> new_reader(std::string key) {
    return std::make_unique<LogReader>(++last_log_, std::move(key), spec_.read, stats_, clock_, &held_);
  }

  // A file that was there at the start; the log's first.
  void add_initial(LogReader& reader, std::shared_ptr<tail::InputFile> file) {
    auto offset = tail::start_offset(*file, spec_.start);
    if (!offset) {
      refuse(file->path(), cause_of(offset.error()));
      return;
    }
    ++initial_;
    if (*offset > 0) ++shortened_;
    latest_initial_ = file->path();
    reader.add_file(std::move(file), *offset, spec_.start.kind == tail::Start::Kind::time ? spec_.start.time : kAnyTime);
  }

  // False when the log has no position and is to be read from its live file on. `was_there`: when this process started. `rotated`: it came
  // since then, and was rotated before it was seen.
  bool resume(LogReader& reader, std::shared_ptr<tail::InputFile>& live, bool was_there, bool rotated = false) {
    const auto stored = positions_.find(reader.key());
    if (stored == positions_.end()) {
      if (!rotated && (!was_there || !resumed_ || spec_.start.kind != tail::Start::Kind::beginning)) return false;
      // Of a log that appeared while nothing ran, the rotated files were never read either.
      tail::resume(reader, {}, std::move(live), followed_);
      return true;
    }
    const record::LogPosition position = std::move(stored->second);
    positions_.erase(stored);
    tail::resume(reader, position, std::move(live), followed_);
    return true;
  }

  Result<Flow> read_files() {
    for (const std::string& input : spec_.inputs) {
      for (tail::Pattern& pattern : tail::patterns_of(input)) patterns_.push_back(std::move(pattern));
    }
    return spec_.read.follow ? follow() : read_once();
  }

  Result<Flow> read_once() {
    tail::Unreadable unreadable;
    auto logs = tail::find_files(patterns_, spec_.selection, unreadable);
    nothing_matches_ = logs.empty() && unreadable.causes.empty();
    report(unreadable);
    std::set<std::pair<std::uint64_t, std::uint64_t>> seen;  // a file that two names lead to is read once
    known_ = tail::KnownFiles(positions_);
    auto next = logs.begin();
    while (!stop_->stopped()) {
      for (; next != logs.end() && readers_.size() < kOpenLogs; ++next) open_log(next->first, next->second, seen);
      if (ready_.empty()) {
        if (next != logs.end()) continue;
        queue_absent_logs();
        if (ready_.empty()) break;
        nothing_matches_ = false;
        continue;
      }
      auto flow = step();
      if (!flow || *flow == Flow::done) return flow;
    }
    if (nothing_matches_) {
      const std::string why = tail::explain_no_log(spec_.inputs, spec_.selection);
      context_.diagnostics->say(why.empty() ? "no log file matches" : base::escape_control(why));
      if (spec_.nothing_matched != nullptr) *spec_.nothing_matched = true;
    }
    return emit();
  }

  void open_log(const std::string& key, const std::vector<std::string>& paths, std::set<std::pair<std::uint64_t, std::uint64_t>>& seen) {
    std::vector<std::shared_ptr<tail::InputFile>> files;
    for (const std::string& path : paths) {
      held_.make_room();
      auto file = tail::InputFile::open(path, &roots_);
      if (!file) {
        refuse(path, cause_of(file.error()));
      } else if (const auto owner = known_.owner(**file).log; !owner.empty() && owner != key && wanted(owner)) {
        continue;  // it was renamed, and is read as that log's
      } else if (seen.emplace((*file)->device(), (*file)->inode()).second) {
        files.push_back(std::move(file).value());
        held_.add(files.back());
      }
    }
    if (files.empty()) return;
    opened_ += files.size();
    auto reader = new_reader(key);
    std::shared_ptr<tail::InputFile> live;
    if (tail::live_name_of(tail::base_name(paths.back())).empty()) live = std::move(files.back());
    if (!resume(*reader, live, true)) {
      if (live != nullptr) files.back() = std::move(live);
      for (auto& file : files) add_initial(*reader, std::move(file));
    }
    queue(*reader);
    const std::uint32_t number = reader->number();
    readers_.emplace(number, std::move(reader));
  }

  // -- following --

  Result<Flow> follow() {
    // A little longer than the end of the chain waits, so that it is ready for what comes.
    const base::Duration wait = std::min(out_->batch_wait(), kLongestSpacing);
    spec_.times.spacing = std::max(spec_.times.spacing, wait + wait / 32);
    auto started = tail::Watcher::start(patterns_, spec_.selection, spec_.times, clock_, held_, {&roots_, tail::KnownFiles(positions_)});
    if (!started) return std::move(started).error();
    watcher_ = std::move(started).value();
    while (true) {
      auto waited = wait_for_changes();
      if (!waited) return std::move(waited).error();
      if (reader_left_) return Flow::done;
      if (stop_->stopped()) break;
      if (*waited) {
        if (auto applied = apply(watcher_->take()); !applied) return std::move(applied).error();
      }
      if (auto flow = serve_streams(); !flow || *flow == Flow::done) return flow;
      while (!ready_.empty() && !stop_->stopped()) {
        auto flow = step();
        if (!flow || *flow == Flow::done) return flow;
        // A backlog of one log must not keep the others waiting.
        if (batch_.records.empty() && !ready_.empty() && changes_waiting()) break;
      }
      // Also without records, to give the batch's memory back.
      auto flow = emit();
      if (!flow || *flow == Flow::done) return flow;
    }
    return last_words();
  }

  // What is open at the end of what the files hold. Tracked, it is left for the next time.
  Result<Flow> last_words() {
    if (spec_.read.tracked) return emit();
    std::vector<LogReader*> readers;
    for (const auto& [number, reader] : readers_) readers.push_back(reader.get());
    for (LogReader* const reader : readers) {
      reader->set_ending();
      // One that has more to tell than last words was stopped in the middle of it.
      for (int reads = 0; reads < 2; ++reads) {
        if (space_.at == nullptr) space_ = {batch_.allocate(space_needed_), space_needed_, true};
        const LogReader::Outcome outcome = reader->read(batch_, space_);
        if (outcome == LogReader::Outcome::idle || outcome == LogReader::Outcome::finished) break;
        if (outcome != LogReader::Outcome::full) continue;
        if (auto flow = emit(); !flow || *flow == Flow::done) return flow;
      }
    }
    return emit();
  }

  bool changes_waiting() const {
    pollfd ready{watcher_->fd(), POLLIN, 0};
    return ::poll(&ready, 1, 0) > 0;
  }

  // Until the watcher has something to tell (true), a log or a stream is due, or it is time to stop; does not wait while logs are ready.
  Result<bool> wait_for_changes() {
    const Monotonic now = clock_.monotonic();
    auto due = out_->nudge(now);
    if (!due) return std::move(due).error();
    nudge_due_ = *due;
    Monotonic until = ready_.empty() ? *due : now;
    for (const auto& [reader, when] : due_) until = std::min(until, when);
    polled_.assign({{watcher_ != nullptr ? watcher_->fd() : -1, POLLIN, 0}, {stop_->fd(), POLLIN, 0}, reader()});
    for (const auto& stream : streams_) {
      until = std::min(until, stream->due());
      polled_.push_back({stream->fd(), POLLIN, 0});
    }
    if (::poll(polled_.data(), polled_.size(), base::poll_timeout(now, until)) < 0) {
      if (errno != EINTR) return base::io_error(errno, "wait for new lines");
      for (pollfd& one : polled_) one.revents = 0;
    }
    if (auto looked = look_at_reader(polled_[2]); !looked) return std::move(looked).error();
    const Monotonic then = due_.empty() ? now : clock_.monotonic();
    for (auto next = due_.begin(); next != due_.end();) {
      const auto here = next++;
      if (here->second <= then) queue(*here->first);
    }
    return polled_[0].revents != 0;
  }

  // Whoever reads what comes out may leave while nothing is written.
  pollfd reader() const { return {watch_reader_ ? out_->reader_fd() : -1, 0, 0}; }

  Result<void> look_at_reader(const pollfd& polled) {
    if (polled.fd < 0 || polled.revents == 0) return {};
    auto flow = out_->reader_left();
    if (!flow) return std::move(flow).error();
    reader_left_ = *flow == Flow::done;
    watch_reader_ = false;
    return {};
  }

  Result<void> apply(tail::Changes changes) {
    for (const std::string& warning : changes.warnings) context_.diagnostics->warn("tail.watch", warning);
    for (const std::string& path : changes.awaited) context_.diagnostics->say(fmt::format("{} is not there yet: waiting for it", path));
    report(changes.unreadable);
    for (tail::Changes::Event& event : changes.events) {
      if (event.lost > 0) {
        if (const auto known = readers_.find(event.log); known != readers_.end()) {
          known->second->add_unseen(event.lost);
          queue(*known->second);
        }
        continue;
      }
      if (event.file == nullptr) {
        if (const auto known = readers_.find(event.log); known != readers_.end()) {
          known->second->set_missing(true);
          queue(*known->second);
        }
        continue;
      }
      ++opened_;
      std::unique_ptr<LogReader>& reader = readers_[event.log];
      if (reader == nullptr) {
        reader = adopt(event.key);
        watched_[reader.get()] = event.log;
        succeed(*reader);
        if (!resume(*reader, event.file, event.initial, event.rotated) && event.initial) add_initial(*reader, std::move(event.file));
      }
      if (event.file != nullptr && reader->has(event.file->inode(), event.file->device())) {
        reader->set_missing(false);  // a rename that was undone
      } else if (event.file != nullptr) {
        reader->add_file(std::move(event.file), event.offset);
      }
      queue(*reader);
    }
    for (const std::uint32_t log : changes.changed) {
      if (const auto known = readers_.find(log); known != readers_.end()) queue(*known->second);
    }
    if (changes.complete) {
      tell_left_out();
      if (opened_ == 0 && unreadable_ > 0) {
        return nothing_readable();
      }
      queue_absent_logs();
      if (opened_ == 0 && absent_.empty() && changes.awaited.empty()) {
        const std::string why = tail::explain_no_log(spec_.inputs, spec_.selection);
        if (!why.empty()) {
          context_.diagnostics->say(base::escape_control(why));
          context_.diagnostics->say("waiting for a log that matches");
        }
      }
    }
    return {};
  }

  // Of a container's logs only the last is written to.
  void succeed(LogReader& reader) {
    const auto restart = restart_of(reader.key());
    if (!restart) return;
    const auto [known, first] = latest_restarts_.try_emplace(std::string(restart->first), &reader);
    if (first) return;
    LogReader*& latest = known->second;
    LogReader* older = &reader;
    if (restart_of(latest->key())->second < restart->second) std::swap(latest, older);
    older->set_succeeded();
    queue(*older);
  }

  // What this run does not show because the user did not say where to begin.
  void tell_left_out() {
    if (!spec_.shortens || shortened_ == 0) return;
    const std::string of = initial_ == 1 ? latest_initial_ : fmt::format("each of {}", base::count_of(initial_, "log"));
    context_.diagnostics->say(
        fmt::format("showing the last {} of {}; --lines all for everything", base::count_of(spec_.start.lines, "line"), base::escape_control(of)));
  }

  // The reader of a log whose rotated files are being read, or a new one.
  std::unique_ptr<LogReader> adopt(const std::string& key) {
    const auto known = absent_.find(key);
    if (known == absent_.end()) return new_reader(key);
    auto reader = std::move(known->second);
    absent_.erase(known);
    return reader;
  }

  // -- reading --

  void queue(LogReader& reader) {
    due_.erase(&reader);
    if (std::exchange(reader.queued, true)) return;
    ready_.push_back(&reader);
  }

  // A block of the next log.
  Result<Flow> step() {
    LogReader& reader = *ready_.front();
    ready_.pop_front();
    reader.queued = false;
    if (space_.at == nullptr) space_ = {batch_.allocate(space_needed_), space_needed_, true};
    const std::uint64_t odd = oddities();
    const LogReader::Outcome outcome = reader.read(batch_, space_);
    if (oddities() != odd) latest_odd_ = reader.key();
    if (const std::string trouble = reader.take_trouble(); !trouble.empty()) {
      ++troubled_;
      refuse(reader.key(), cause_of(trouble));
    }
    switch (outcome) {
      case LogReader::Outcome::more: queue(reader); return Flow::more;
      case LogReader::Outcome::full: queue(reader); return emit();
      case LogReader::Outcome::idle:
        if (reader.due() != base::kNever) due_[&reader] = reader.due();
        return Flow::more;
      case LogReader::Outcome::finished: erase(reader); return Flow::more;
    }
    return Flow::more;
  }

  void erase(LogReader& reader) {
    due_.erase(&reader);
    if (const auto restart = restart_of(reader.key()); restart && spec_.read.follow) {
      const auto latest = latest_restarts_.find(std::string(restart->first));
      if (latest != latest_restarts_.end() && latest->second == &reader) latest_restarts_.erase(latest);
    }
    if (const auto watched = watched_.find(&reader); watched != watched_.end()) {
      const std::uint32_t log = watched->second;
      watched_.erase(watched);
      watcher_->forget(log);
      readers_.erase(log);
      return;
    }
    if (const auto absent = absent_.find(reader.key()); absent != absent_.end() && absent->second.get() == &reader) {
      absent_.erase(absent);
      return;
    }
    readers_.erase(reader.number());
  }

  Result<Flow> emit() {
    Result<Flow> flow = Flow::more;
    if (!batch_.records.empty()) {
      tell_troubles();
      records_out_.reach(stats_.records + stats_.gaps);
      bytes_out_.reach(stats_.bytes);
      publish();
      flow = out_->emit(batch_);
      if (const Monotonic now = clock_.monotonic(); flow && *flow == Flow::more && now >= nudge_due_) {
        auto due = out_->nudge(now);
        if (!due) return std::move(due).error();
        nudge_due_ = *due;
      }
    }
    batch_.clear();
    space_ = {};
    return flow;
  }

  // -- streams --

  // Takes those that are streams out of the inputs.
  Result<void> open_streams() {
    const base::Timestamp not_before = spec_.start.kind == tail::Start::Kind::time ? spec_.start.time : kAnyTime;
    std::vector<std::string> files;
    for (std::string& input : spec_.inputs) {
      if (input == "-") {
        base::UniqueFd fd(::fcntl(spec_.stdin_fd, F_DUPFD_CLOEXEC, 0));
        if (!fd) return base::io_error(errno, "read standard input");
        streams_.push_back(std::make_unique<StreamInput>(std::move(fd), std::string(kStandardInput), spec_.read, not_before, stats_, clock_));
      } else if (is_stream(input)) {
        auto stream = StreamInput::open(input, spec_.read, not_before, stats_, clock_);
        if (stream) streams_.push_back(std::move(stream).value());
        else refuse(input, cause_of(stream.error()));
      } else {
        files.push_back(std::move(input));
      }
    }
    spec_.inputs = std::move(files);
    opened_ += streams_.size();
    if (!streams_.empty() && spec_.read.tracked) {
      return base::fail(Code::usage, "cannot keep a position in {}: it is no file", streams_.front()->name());
    }
    return {};
  }

  Result<Flow> read_streams() {
    while (!streams_.empty()) {
      if (auto waited = wait_for_changes(); !waited) return std::move(waited).error();
      if (reader_left_ || stop_->stopped()) {
        for (const auto& stream : streams_) stream->end();
      }
      if (auto flow = serve_streams(); !flow || *flow == Flow::done) return flow;
    }
    return emit();
  }

  // After wait_for_changes().
  Result<Flow> serve_streams() {
    if (streams_.empty()) return Flow::more;
    const Monotonic now = clock_.monotonic();
    const bool ending = reader_left_ || stop_->stopped();
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      StreamInput& stream = *streams_[i];
      bool readable = polled_[kFixedPolls + i].revents != 0;
      if (!readable && !ending && now < stream.due()) continue;
      latest_odd_ = stream.name();
      bool more = true, ended = false;
      for (; more; readable = false) {
        auto outcome = stream.read(readable, batch_);
        if (!outcome && stream.name() == kStandardInput) return std::move(outcome).error();
        if (!outcome) {
          ++troubled_;
          refuse(stream.name(), cause_of(outcome.error()));
        }
        more = outcome && *outcome == StreamInput::Outcome::full;
        ended = !outcome || *outcome == StreamInput::Outcome::ended;
        if (!more && !ended && now >= stream.due()) stream.give_out(batch_);
        if (auto flow = emit(); !flow || *flow == Flow::done) return flow;
      }
      if (ended) streams_[i].reset();
    }
    std::erase(streams_, nullptr);
    return Flow::more;
  }

  // -- troubles --

  base::Error nothing_readable() const { return unreadable_ == 1 ? base::fail(Code::io, "cannot read the log file") : base::fail(Code::io, "cannot read any of {} log files", base::grouped(unreadable_)); }

  void refuse(std::string_view path, std::string_view cause) {
    tail::Unreadable one;
    one.add(path, cause);
    report(one);
  }

  void report(const tail::Unreadable& unreadable) {
    for (const auto& [cause, files] : unreadable.causes) {
      unreadable_ += files.count;
      tail::Unreadable::Cause& all = causes_.causes[cause];
      if (all.count == 0) all.first = files.first;
      all.count += files.count;
    }
    // Following goes on for ever, so what it cannot read is told at once.
    if (spec_.read.follow) tell_unreadable();
  }

  void tell_unreadable() {
    for (const auto& [cause, files] : std::exchange(causes_, {}).causes) {
      std::string text = message_of(files, cause);
      if (const std::string hint = hint_of(cause); !hint.empty()) text += fmt::format(" ({})", hint);
      context_.diagnostics->warn(fmt::format("tail.unreadable.{}", cause), base::escape_control(text));
    }
  }

  // What tell_troubles() names a log for.
  std::uint64_t oddities() const { return stats_.malformed + stats_.split + stats_.truncated + stats_.leading_holes; }

  void tell_troubles() {
    tell_unreadable_at_end();
    const auto news = [](std::uint64_t& told, std::uint64_t now) { return std::exchange(told, now) != now; };
    if (news(told_.malformed, stats_.malformed)) {
      context_.diagnostics->warn("tail.malformed", fmt::format("{}: a line is not of the file's form: it goes on as it is, with the time of reading", latest_odd_));
    }
    if (news(told_.split, stats_.split)) {
      context_.diagnostics->warn("tail.split", fmt::format("{}: a line is longer than {} (--max-line): it goes on in pieces, with metadata weir_split",
                                                           latest_odd_, record::print_size(spec_.read.max_line)));
    }
    if (news(told_.too_old_files, stats_.too_old_files)) {
      context_.diagnostics->warn("tail.too_old", fmt::format("left out {} of {}, older than {} (--max-age; for all of it --max-age 0)",
                                                             record::print_size(stats_.too_old_bytes), base::count_of(stats_.too_old_files, "log file"),
                                                             record::print_duration(spec_.read.max_age)));
    }
    if (news(told_.leading_holes, stats_.leading_holes)) {
      context_.diagnostics->warn("tail.hole", fmt::format("{}: the file begins with zeros, as when its writer goes on at its old place after a "
                                                          "truncation: they are left out",
                                                          latest_odd_));
    }
    if (stats_.gaps > told_.gaps) tell_gaps();
    if (news(told_.truncated, stats_.truncated)) {
      context_.diagnostics->warn("tail.truncated", fmt::format("{}: the file was truncated: reading what it held from a copy, if there is one, and then the file from its start", latest_odd_));
    }
  }

  // Each, unless there are many at once. The keys make room for some in a short time.
  void tell_gaps() {
    constexpr std::uint64_t kKeys = 16;
    std::vector<std::string> lines = std::exchange(stats_.gap_lines, {});
    const std::uint64_t more = stats_.gaps - told_.gaps - lines.size();
    for (std::size_t i = 0; i < lines.size(); ++i) {
      // The record's line without the name that stands before every message.
      const std::string_view line = std::string_view(lines[i]).substr(std::string_view("weir: ").size());
      const std::string others = i + 1 == lines.size() && more > 0 ? fmt::format("; and {} more", base::grouped(more)) : "";
      context_.diagnostics->warn(fmt::format("tail.gap.{}", (told_.gaps + i) % kKeys),
                                 fmt::format("{} (a record with metadata weir_gap_bytes says so){}", base::escape_control(line), others));
    }
    told_.gaps = stats_.gaps;
  }

  void tell_unreadable_at_end() {
    if (!spec_.read.follow && ready_.empty()) tell_unreadable();
  }

  TailSpec spec_;
  const pipeline::Context context_;
  const base::Clock& clock_;
  const std::size_t space_needed_;
  pipeline::Outlet* out_ = nullptr;
  base::Stop* stop_ = nullptr;
  Monotonic nudge_due_ = 0;
  bool watch_reader_ = true;  // out_->reader_fd() is worth waiting for
  bool reader_left_ = false;

  const tail::LogRoots roots_;
  tail::HeldFiles held_;  // outlives the watcher
  std::vector<tail::Pattern> patterns_;
  // Whether a path is followed as a log of its own.
  const std::function<bool(std::string_view)> followed_ = [this](std::string_view path) { return wanted(path); };
  tail::KnownFiles known_;       // when reading once
  record::Positions positions_;  // of logs that were not met yet
  bool resumed_ = false;         // there were positions at the start
  std::uint32_t last_log_ = 0;
  std::unique_ptr<tail::Watcher> watcher_;
  std::unordered_map<std::uint32_t, std::unique_ptr<LogReader>> readers_;  // by the watcher's number; one-shot: by their own
  std::unordered_map<LogReader*, std::uint32_t> watched_;
  std::map<std::string, std::unique_ptr<LogReader>> absent_;  // logs that are known from positions alone, by key
  std::deque<LogReader*> ready_;
  std::unordered_map<LogReader*, Monotonic> due_;

  std::unordered_map<std::string, LogReader*> latest_restarts_;  // of each container, by its folder
  std::vector<std::unique_ptr<StreamInput>> streams_;
  std::vector<pollfd> polled_;

  record::Batch batch_;
  tail::Space space_;
  tail::ReadStats stats_;
  tail::ReadStats told_;
  std::string latest_odd_;  // the log of the latest of oddities(), for messages
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter gap_records_ = block_.counter(kGapRecords);
  metrics::Counter records_out_ = block_.counter(kRecordsOut), bytes_out_ = block_.counter(kBytesOut);
  metrics::Counter before_start_ = block_.family(kDropped).at("before_start");
  metrics::Gauge gathered_ = block_.gauge(kGathered);
  metrics::Counter malformed_ = block_.counter(kMalformed);
  metrics::Counter gaps_ = block_.counter(kGaps), lost_bytes_ = block_.counter(kLostBytes);
  metrics::Counter unreadable_files_ = block_.counter(kUnreadable);
  std::uint64_t opened_ = 0;
  std::uint64_t unreadable_ = 0;
  std::uint64_t troubled_ = 0;   // of what was opened, what could not be read after all
  std::uint64_t initial_ = 0, shortened_ = 0;  // files that were there at the start, and those that are not read from their beginning
  std::string latest_initial_;
  bool nothing_matches_ = false;  // a one-shot run found no file and no position of one
  tail::Unreadable causes_;       // not told yet
};

}  // namespace

Result<void> rehearse_tail(const TailSpec& spec) {
  if (spec.inputs == std::vector<std::string>{"-"}) return {};
  const tail::Unreadable unreadable = tail::find_unreadable(spec.inputs, spec.selection, spec.read.follow);
  if (unreadable.causes.empty()) return {};
  const auto& [cause, files] = *unreadable.causes.begin();
  return base::fail(Code::io, "{}", message_of(files, cause)).with_hint(hint_of(cause));
}

std::unique_ptr<pipeline::Source> make_tail_source(TailSpec spec, const pipeline::Context& context) {
  return std::make_unique<TailSource>(std::move(spec), context);
}

}  // namespace weir::stages
