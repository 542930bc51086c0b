#include "stages/tail_source.h"

#include "base/count.h"
#include "base/open_files.h"
#include "show/progress.h"
#include "spool/positions_file.h"
#include "stages/tail_metrics.h"
#include "tail/journal_reader.h"
#include "tail/log_set.h"
#include "tail/outlook.h"
#include "tail/reader_queue.h"
#include "tail/streams.h"
#include "tail/trouble_report.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using base::Monotonic;
using base::Result;
using metrics::Account;
using pipeline::Flow;
using tail::Reader;

constexpr auto kRecordsIn =
    metrics::counter("weir_tail_read_records_total", "records", "Records that were read from logs.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_tail_read_bytes_total", "bytes", "Bytes of the lines that were read from logs.", Account::in);
constexpr auto kGapRecords =
    metrics::counter("weir_tail_gap_records_total", "records", "Records that report a lost part of a log.", Account::added);
constexpr auto kRecordsOut =
    metrics::counter("weir_tail_output_records_total", "records", "Records that tail passed on.", Account::out);
constexpr auto kBytesOut =
    metrics::counter("weir_tail_output_bytes_total", "bytes", "Bytes of the lines that tail passed on.", Account::out);
constexpr auto kDropped = metrics::counter("weir_tail_dropped_records_total", "records", "Records that tail left out, by reason.",
                                           Account::dropped, "reason");
constexpr auto kGathered =
    metrics::gauge("weir_tail_gathered_records", "records", "Records that were read and not passed on.", Account::in_flight);
constexpr auto kJoined = metrics::counter("weir_tail_joined_lines_total", "lines",
                                          "Lines that became part of the record of a line before them (--multiline).");
constexpr auto kEarly = metrics::counter("weir_tail_early_records_total", "records",
                                         "Records of --multiline that were passed on before their last lines had come, because all "
                                         "that were open took too much memory.");
constexpr auto kMalformed = metrics::counter("weir_tail_malformed_lines_total", "lines",
                                             "Lines that could not be parsed in the format of their file.", Account::invalid);
constexpr auto kGaps =
    metrics::counter("weir_tail_lost_parts_total", "parts", "Parts of logs that were lost before they were read.", Account::lost);
constexpr auto kLostBytes = metrics::counter("weir_tail_lost_bytes_total", "bytes",
                                             "Bytes of logs that were lost before they were read, where they could be counted.");
constexpr auto kLeftAlone = metrics::gauge("weir_tail_left_alone_logs", "logs",
                                           "Logs that are not opened because of their pods: excluded, or not known yet.");
constexpr auto kUnreadable =
    metrics::counter("weir_tail_unreadable_files_total", "files", "Files that could not be read.", Account::unreadable);

constexpr base::Duration kLongestSpacing = base::kSecond;  // of what is read while lines keep coming
constexpr std::size_t kFixedPolls =
    5;  // of what is polled: the watcher, the stop, the reader, the wake, the journal; then the streams
constexpr std::size_t kJournalAt = 4;
constexpr auto kAnyTime = std::numeric_limits<base::Timestamp>::min();

// Where another agent stopped reading the journal; "" where it says nothing of that.
Result<std::string> cursor_of(const tail::ForeignPositions& foreign, const std::vector<std::string>& files) {
  std::string cursor = foreign.journal_cursor();
  if (cursor.empty() || tail::parse_cursor(cursor)) return cursor;
  return base::fail(Code::config, "cannot take over the place in the journal from {}: `{}` is no cursor",
                    base::escape_control(fmt::format("{}", fmt::join(files, ", "))), base::escape_control(cursor))
      .with_hint("without it, the journal is read from its start; --from TIME or CURSOR says where to begin");
}

class TailSource final : public pipeline::Source {
 public:
  TailSource(TailSpec spec, const pipeline::Context& context)
      : spec_(std::move(spec)),
        context_(context),
        clock_(*context.clock),
        space_needed_(tail::LogReader::space_needed(spec_.read)),
        not_before_(spec_.start.kind == tail::Start::Kind::time ? spec_.start.time : kAnyTime),
        roots_(spec_.follow_links ? tail::LogRoots() : tail::LogRoots(spec_.inputs, spec_.log_roots)),
        held_(spec_.hold_deleted, *context.diagnostics),
        troubles_(spec_.read, stats_, *context.diagnostics),
        streams_(spec_.read, not_before_, stats_, troubles_, clock_),
        block_(context.metrics, context.driver) {
    if (context.driver != nullptr) {
      context.driver->on_ask([this] {
        if (!logs_ && journal_ == nullptr) return;
        of_logs_.look(logs_ ? &*logs_ : nullptr, journal_ ? journal_->lag() : tail::JournalLag(), clock_.monotonic(),
                      clock_.wall());
      });
    }
    spec_.read.tracked = !spec_.checkpoint.empty();
    spec_.read.roots = &roots_;
    spec_.read.read_files = spec_.read_files.get();
    if (tail::Multiline& multiline = spec_.read.multiline; multiline.shape != tail::Shape::none)
      multiline.budget = std::make_shared<tail::GroupBudget>(std::max(tail::GroupBudget::kMost, 4 * multiline.max_bytes));
    if (spec_.handover != nullptr) left_ = spec_.handover->files();
  }

  [[nodiscard]] std::string_view name() const override { return "tail"; }

  [[nodiscard]] bool is_tracked() const override { return spec_.read.tracked; }
  [[nodiscard]] pipeline::Counters counters() const override { return pipeline::counters_of(block_); }

  [[nodiscard]] std::string summary() const override {
    if (gaps_.value() == 0) return {};
    return fmt::format("{} ({} with metadata weir_gap_bytes)", base::escape_control(stats_.lost.text()),
                       base::count_of(gaps_.value(), "record reports it,", "records report it,"));
  }

  Result<void> run(pipeline::Outlet& out, base::Stop& stop) override {
    auto read = read_all(out, stop);
    progress_.end();
    publish();
    if (spec_.handover != nullptr && stop.stopped()) hand_over();
    return read;
  }

 private:
  // The pipeline may be about to be replaced.
  void hand_over() {
    for (auto& [log, files] : std::exchange(left_, {})) spec_.handover->add(log, std::move(files));
    if (logs_) logs_->hand_over(*spec_.handover);
  }

  // What was read and what was passed on go to the cells.
  void publish() {
    records_in_.reach(stats_.records + stats_.before_start);
    bytes_in_.reach(stats_.bytes);
    gap_records_.reach(stats_.gaps);
    before_start_.reach(stats_.before_start);
    gathered_.set(stats_.records + stats_.gaps - records_out_.value());
    joined_.reach(stats_.joined);
    if (spec_.read.multiline.budget != nullptr) early_.reach(spec_.read.multiline.budget->early());
    malformed_.reach(stats_.malformed);
    gaps_.reach(stats_.gaps);
    lost_bytes_.reach(stats_.gap_bytes);
    unreadable_files_.reach(troubles_.unreadable());
    if (logs_) left_alone_.set(logs_->left_alone());
  }

  Result<void> read_all(pipeline::Outlet& out, base::Stop& stop) {
    out_ = &out;
    stop_ = &stop;
    base::raise_open_files();
    if (auto opened = open_streams(); !opened) return opened;
    const bool files = !spec_.inputs.empty();
    if (files) {
      logs_.emplace(tail::LogSetParts{spec_.inputs, spec_.selection, spec_.start, spec_.read, roots_, stats_, troubles_, held_,
                                      queue_, *context_.diagnostics, clock_, streams_.empty() && !spec_.journal.on,
                                      spec_.pods.get()});
    }
    const bool logs = files || spec_.journal.on;
    if (spec_.read.tracked) {
      if (auto begun = begin(); !begun) return begun;
    } else if (spec_.read.follow && logs && !spec_.glance) {
      context_.diagnostics->say(
          "no positions are kept, so a restart reads from the beginning; end the chain with `buffer SPOOL` or `push --checkpoint "
          "FILE`");
    }
    if (auto loaded = load_positions(); !loaded) return loaded;
    if (files) logs_->take_over(std::exchange(left_, {}));
    Result<Flow> ended = Flow::more;
    if (journal_ != nullptr) {
      if (auto opened = open_journal(!files && streams_.empty()); !opened) ended = std::move(opened).error();
    }
    if (logs && ended) ended = spec_.read.follow ? follow() : read_once();
    if (ended && *ended == Flow::more) ended = read_streams();
    troubles_.report(queue_.empty());
    if (!ended) return std::move(ended).error();
    if (*ended == Flow::done) return {};
    if (spec_.read.tracked) {
      batch_.append_marker(record::Marker::Type::end, {});
      if (ended = emit(); !ended) return std::move(ended).error();
    }
    const std::uint64_t opened = opened_streams_ + (logs_ ? logs_->opened() : 0) + (journal_ ? journal_->opened() : 0);
    const bool nothing_read = opened == troubles_.opened_unreadable() && stats_.records == 0;
    if (nothing_read && troubles_.nothing_to_wait_for()) return troubles_.nothing_readable();
    return {};
  }

  // -- tracked streams --

  Result<void> begin() {
    if (!spec_.positions) {
      const metrics::Wait waits(context_.driver, metrics::On::lock);
      auto read = spool::read_positions(spec_.checkpoint, spec_.wait, stop_);
      if (!read) return std::move(read).error();
      spec_.positions = std::move(read).value();
    }
    batch_.append_marker(record::Marker::Type::begin, {}).checkpoint = batch_.copy(spec_.checkpoint);
    auto flow = emit();
    if (!flow) return std::move(flow).error();
    return {};
  }

  // -- the journal --

  Result<void> open_journal(bool alone) {
    {
      const metrics::Wait waits(context_.driver, metrics::On::disk, metrics::kLongRead);
      if (auto opened = journal_->open(); !opened) return opened;
    }
    troubles_.add(journal_->take_unreadable());
    if (journal_->opened() == 0 && alone && troubles_.nothing_to_wait_for()) return troubles_.nothing_readable();
    queue_.add(*journal_);
    if (journal_->opened() > 0 || !alone) return {};
    context_.diagnostics->say(fmt::format("there is no journal in {}", base::escape_control(journal_->places())));
    if (spec_.journal.folder.empty()) context_.diagnostics->say("for a journal in another folder: --journal-dir DIR");
    if (!spec_.read.follow && spec_.nothing_matched != nullptr) *spec_.nothing_matched = true;
    return {};
  }

  // Its writers report what they wrote up to four times a second. Between two looks it is left alone for as long as the files are.
  [[nodiscard]] int journal_fd(Monotonic now) const {
    return journal_ != nullptr && now >= journal_rests_until_ ? journal_->fd() : -1;
  }
  [[nodiscard]] Monotonic journal_due(Monotonic now) const {
    return journal_ != nullptr && now < journal_rests_until_ ? journal_rests_until_ : base::kNever;
  }

  void look_at_journal() {
    const metrics::Wait opening(context_.driver, metrics::On::disk, metrics::kLongRead);
    journal_->take_changes();
    troubles_.add(journal_->take_unreadable());
    queue_.add(*journal_);
    journal_rests_until_ = base::after(clock_.monotonic(), spec_.times.spacing);
  }

  // -- files --

  // Those of another agent are of use at the first start. Later on, nothing that is wrong with them keeps a chain from running.
  Result<void> read_foreign_positions(bool has_own) {
    for (const std::string& path : spec_.foreign_positions) {
      auto added = foreign_.add_file(path);
      if (!added && !has_own) return std::move(added).error();
      if (!added) context_.diagnostics->report(added.error());
      if (added && !*added && !has_own) {
        context_.diagnostics->say(
            fmt::format("{} does not exist: logs that have no position are read from their start", base::escape_control(path)));
      }
    }
    if (const auto& nameless = foreign_.nameless(); nameless.entries > 0 && !has_own) {
      const bool one = nameless.entries == 1;
      context_.diagnostics->say(fmt::format("{} of --positions {} no file by its absolute path, as '{}': {} left out",
                                            base::count_of(nameless.entries, "entry", "entries"), one ? "names" : "name",
                                            base::escape_control(nameless.first), one ? "it is" : "they are"));
    }
    if (!foreign_.doubled().empty() && !has_own) {
      context_.diagnostics->say(fmt::format("{} several positions, as {} has: the smallest counts",
                                            base::count_of(foreign_.doubled().size(), "path has", "paths have"),
                                            base::escape_control(*foreign_.doubled().begin())));
    }
    return {};
  }

  Result<void> load_positions() {
    const bool has_own = spec_.read.tracked && !spec_.positions->empty();
    if (auto read = read_foreign_positions(has_own); !read) return read;
    record::Positions positions = std::exchange(spec_.positions, std::nullopt).value_or(record::Positions());
    if (spec_.journal.on) {
      auto cursor = cursor_of(foreign_, spec_.foreign_positions);
      if (!cursor && !has_own) return std::move(cursor).error();
      if (!cursor) context_.diagnostics->report(cursor.error());
      if (cursor && spec_.journal.cursor.empty()) spec_.journal.cursor = std::move(cursor).value();
      auto journal = tail::JournalReader::make({spec_.journal, spec_.read, spec_.start, stats_, *context_.diagnostics, clock_});
      if (!journal) return std::move(journal).error();
      journal_ = std::move(journal).value();
      journal_->load(positions);
    }
    std::erase_if(positions, [](const auto& known) { return tail::is_journal_key(known.first); });
    if (!logs_) return {};
    if (!foreign_.empty()) logs_->load_foreign(std::exchange(foreign_, {}));
    if (spec_.read.tracked) logs_->load(std::move(positions));
    return {};
  }

  Result<Flow> read_once() {
    if (progress_.on() && logs_) logs_->measure();
    if (spec_.pods != nullptr && logs_) {
      if (auto waited = wait_for_pods(); !waited) return std::move(waited).error();
    }
    const auto open_some = [this] {
      const metrics::Wait waits(context_.driver, metrics::On::disk, metrics::kLongRead);
      return (logs_ && logs_->open_some()) || !queue_.empty();
    };
    while (!stop_->stopped() && open_some()) {
      show_progress();
      if (queue_.empty()) continue;
      auto flow = step();
      if (!flow || *flow == Flow::done) return flow;
    }
    const bool journal_alone = journal_ != nullptr && !logs_ && streams_.empty();
    if (journal_alone && journal_->opened() > 0 && !stop_->stopped() && !journal_->has_selected()) {
      context_.diagnostics->say(
          fmt::format("no entry of the journal in {} matches --unit and --priority", base::escape_control(journal_->places())));
      if (spec_.nothing_matched != nullptr) *spec_.nothing_matched = true;
    }
    if (logs_ && logs_->nothing_matches()) {
      const std::string why = tail::explain_no_log(spec_.inputs, spec_.selection);
      context_.diagnostics->say(why.empty() ? "no log file matches" : base::escape_control(why));
      if (spec_.nothing_matched != nullptr) *spec_.nothing_matched = true;
    }
    return emit();
  }

  // Before anything is opened. The directory may be empty yet.
  Result<void> wait_for_pods() {
    base::Wake changed;
    if (auto opened = changed.open(); !opened) return opened;
    spec_.pods->listen(changed);
    Result<void> waited;
    while (waited && !stop_->stopped()) {
      const Monotonic now = clock_.monotonic(), until = logs_->undecided(now);
      if (until <= now) break;
      const metrics::Wait waits(context_.driver, metrics::On::pods);
      std::array<pollfd, 2> fds = {{{changed.fd(), POLLIN, 0}, {stop_->fd(), POLLIN, 0}}};
      if (::poll(fds.data(), fds.size(), base::poll_timeout(now, until)) < 0 && errno != EINTR)
        waited = base::io_error(errno, "wait for the pods of logs");
      changed.hear();
    }
    spec_.pods->unlisten(changed);
    return waited;
  }

  void show_progress() {
    if (!progress_.on() || !logs_) return;
    if (to_read_ == 0) to_read_ = logs_->unread();  // once the first are open, at the places where reading begins
    if (!progress_.due()) return;
    const std::uint64_t left = logs_->unread();
    to_read_ = std::max(to_read_, left);
    progress_.show({.records = stats_.records, .bytes = stats_.bytes, .done = to_read_ - left, .all = to_read_});
  }

  // -- following --

  Result<Flow> follow() {
    // A little longer than the end of the chain waits, so that it is ready for what comes.
    const base::Duration wait = std::min(out_->batch_wait(), kLongestSpacing);
    spec_.times.spacing = std::max(spec_.times.spacing, wait + wait / 32);
    if (logs_) {
      if (auto watched = logs_->watch(spec_.times); !watched) return std::move(watched).error();
    }
    while (true) {
      auto waited = wait_for_changes();
      if (!waited) return std::move(waited).error();
      if (reader_left_) return Flow::done;
      if (stop_->stopped()) break;
      if (polled_[kJournalAt].revents != 0) look_at_journal();
      if (*waited) {
        const metrics::Wait opening(context_.driver, metrics::On::disk, metrics::kLongRead);
        if (auto taken = logs_->take_changes(spec_.shortens); !taken) return std::move(taken).error();
      }
      if (auto flow = serve_streams(); !flow || *flow == Flow::done) return flow;
      while (!queue_.empty() && !stop_->stopped()) {
        auto flow = step();
        if (!flow || *flow == Flow::done) return flow;
        // A backlog of one log must not keep the others waiting.
        if (batch_.records.empty() && !queue_.empty() && logs_ && logs_->changes_waiting()) break;
      }
      // Also without records, so that the memory of the batch is given back.
      auto flow = emit();
      if (!flow || *flow == Flow::done) return flow;
    }
    return read_open_lines();
  }

  // Reads the lines that are open at the ends of the files. When tracked, they are left for the next run.
  Result<Flow> read_open_lines() {
    if (journal_ != nullptr) journal_->finish(batch_);
    if (spec_.read.tracked || !logs_) return emit();
    for (Reader* const reader : logs_->end()) {
      // One with more than an open line was stopped in the middle of its file.
      for (int reads = 0; reads < 2; ++reads) {
        make_space();
        const Reader::Outcome outcome = reader->read(batch_, space_);
        if (outcome == Reader::Outcome::idle || outcome == Reader::Outcome::finished) break;
        if (outcome != Reader::Outcome::full) continue;
        if (auto flow = emit(); !flow || *flow == Flow::done) return flow;
      }
    }
    return emit();
  }

  // Until the watcher has changes (true), a log or a stream is due, or it is time to stop; does not wait while logs are
  // ready.
  Result<bool> wait_for_changes() {
    const Monotonic now = clock_.monotonic();
    auto due = out_->nudge(now);
    if (!due) return std::move(due).error();
    nudge_due_ = *due;
    const Monotonic log_due = queue_.due();
    const Monotonic until = std::min({queue_.empty() ? *due : now, log_due, streams_.due(), journal_due(now)});
    polled_.assign({{logs_ ? logs_->fd() : -1, POLLIN, 0},
                    {stop_->fd(), POLLIN, 0},
                    reader(),
                    {out_->wake_fd(), POLLIN, 0},
                    {journal_fd(now), POLLIN, 0}});
    streams_.add_to(polled_);
    if (poll_until(now, until) < 0) {
      if (errno != EINTR) return base::io_error(errno, "wait for new lines");
      for (pollfd& one : polled_) one.revents = 0;
    }
    if (auto checked = check_reader(polled_[2]); !checked) return std::move(checked).error();
    if (log_due != base::kNever) queue_.add_due(clock_.monotonic());
    return polled_[0].revents != 0;
  }

  int poll_until(Monotonic now, Monotonic until) {
    const metrics::Wait waits(context_.driver, metrics::On::input);
    return ::poll(polled_.data(), polled_.size(), base::poll_timeout(now, until));
  }

  // Whoever reads what comes out may leave while nothing is written.
  pollfd reader() const { return {watch_reader_ ? out_->reader_fd() : -1, 0, 0}; }

  Result<void> check_reader(const pollfd& polled) {
    if (polled.fd < 0 || polled.revents == 0) return {};
    auto flow = out_->reader_left();
    if (!flow) return std::move(flow).error();
    reader_left_ = *flow == Flow::done;
    watch_reader_ = false;
    return {};
  }

  // -- reading --

  void make_space() {
    if (space_.at == nullptr) space_ = {batch_.allocate(space_needed_), space_needed_, true};
  }

  // A block of the next log.
  Result<Flow> step() {
    make_space();
    troubles_.begin();
    const auto [next, outcome] = [this] {
      const metrics::Wait waits(context_.driver, metrics::On::disk, metrics::kLongRead);
      return queue_.read(batch_, space_);
    }();
    if (spec_.read.multiline.budget != nullptr) look_at_budget(*spec_.read.multiline.budget);
    troubles_.note(next->name());
    if (const auto trouble = next->take_trouble()) troubles_.add_opened(next->name(), *trouble);
    if (outcome == Reader::Outcome::full) return emit();
    if (outcome == Reader::Outcome::finished && next != journal_.get()) logs_->remove(*next);
    return Flow::more;
  }

  // Whoever is to pass on its groups is next.
  void look_at_budget(tail::GroupBudget& budget) {
    while (Reader* const asked = budget.take_asked()) queue_.add_first(*asked);
    if (budget.early() == 0 || std::exchange(early_told_, true)) return;
    context_.diagnostics->say(
        fmt::format("the open records of --multiline take over {} MiB: the largest are passed on before their "
                    "last lines have come; weir_tail_early_records_total counts them",
                    budget.most() >> 20));
  }

  Result<Flow> emit() {
    Result<Flow> flow = Flow::more;
    if (!batch_.records.empty()) {
      troubles_.report(queue_.empty());
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
    if (auto opened = streams_.open(spec_.inputs, spec_.stdin_fd); !opened) return opened;
    opened_streams_ = streams_.size();
    if (streams_.empty() || !spec_.read.tracked) return {};
    return base::fail(Code::usage, "cannot keep a position in {}: it is not a file", streams_.first_name());
  }

  Result<Flow> read_streams() {
    while (!streams_.empty()) {
      if (auto waited = wait_for_changes(); !waited) return std::move(waited).error();
      if (reader_left_ || stop_->stopped()) streams_.end();
      if (auto flow = serve_streams(); !flow || *flow == Flow::done) return flow;
    }
    return emit();
  }

  // After wait_for_changes().
  Result<Flow> serve_streams() {
    if (streams_.empty()) return Flow::more;
    const auto emits = [this]() -> Result<bool> {
      auto flow = emit();
      if (!flow) return std::move(flow).error();
      return *flow == Flow::more;
    };
    auto wanted = streams_.serve(std::span(polled_).subspan(kFixedPolls), reader_left_ || stop_->stopped(), batch_, emits);
    if (!wanted) return std::move(wanted).error();
    return *wanted ? Flow::more : Flow::done;
  }

  TailSpec spec_;
  const pipeline::Context context_;
  const base::Clock& clock_;
  const std::size_t space_needed_;
  const base::Timestamp not_before_;
  pipeline::Outlet* out_ = nullptr;
  base::Stop* stop_ = nullptr;
  Monotonic nudge_due_ = 0;
  bool early_told_ = false;
  bool watch_reader_ = true;  // out_->reader_fd() is worth waiting for
  bool reader_left_ = false;

  const tail::LogRoots roots_;
  tail::HeldFiles held_;  // outlives the watcher
  tail::ReadStats stats_;
  tail::TroubleReport troubles_;
  tail::Streams streams_;
  std::vector<pollfd> polled_;

  tail::ReaderQueue queue_;
  std::optional<tail::LogSet> logs_;  // nothing: no files are read
  tail::ForeignPositions foreign_;    // until the logs have it
  std::unique_ptr<tail::JournalReader> journal_;
  Monotonic journal_rests_until_ = 0;
  std::map<std::string, tail::OpenFiles> left_;  // by the tail before this one, until the logs have it

  record::Batch batch_;
  tail::Space space_;
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter gap_records_ = block_.counter(kGapRecords);
  metrics::Counter records_out_ = block_.counter(kRecordsOut), bytes_out_ = block_.counter(kBytesOut);
  TailMetrics of_logs_{block_};
  metrics::Counter before_start_ = block_.family(kDropped).at("before_start");
  metrics::Gauge gathered_ = block_.gauge(kGathered);
  metrics::Counter joined_ = block_.counter(kJoined);
  metrics::Counter early_ = block_.counter(kEarly);
  metrics::Counter malformed_ = block_.counter(kMalformed);
  metrics::Counter gaps_ = block_.counter(kGaps), lost_bytes_ = block_.counter(kLostBytes);
  metrics::Counter unreadable_files_ = block_.counter(kUnreadable);
  metrics::Gauge left_alone_ = block_.gauge(kLeftAlone);
  std::uint64_t opened_streams_ = 0;
  show::Progress progress_{"read", *context_.diagnostics, *context_.clock};
  std::uint64_t to_read_ = 0;  // bytes of files; for progress alone
};

}  // namespace

Result<void> rehearse_tail(const TailSpec& spec) {
  if (spec.journal.on) {
    if (auto library = tail::JournalLibrary::load(); !library) return std::move(library).error();
    tail::JournalFiles files(spec.journal);
    files.scan();
    if (const tail::Unreadable unreadable = files.take_unreadable(); !unreadable.causes.empty()) {
      const tail::Unreadable::Files& first = unreadable.causes.begin()->second;
      return base::fail(Code::io, "{}", tail::message_of(first)).with_hint(std::string(tail::hint_of(first)));
    }
  }
  if (spec.inputs == std::vector<std::string>{"-"}) return {};
  tail::ForeignPositions foreign;
  for (const std::string& path : spec.foreign_positions) {
    auto added = foreign.add_file(path);
    // One that does not exist is none, as at a start: a new node never had another agent.
    if (!added) return std::move(added).error();
  }
  if (spec.journal.on) {
    if (auto cursor = cursor_of(foreign, spec.foreign_positions); !cursor) return std::move(cursor).error();
  }
  const tail::Unreadable unreadable = tail::find_unreadable(spec.inputs, spec.selection, spec.read.follow);
  if (unreadable.causes.empty()) return {};
  const tail::Unreadable::Files& files = unreadable.causes.begin()->second;
  return base::fail(Code::io, "{}", tail::message_of(files)).with_hint(std::string(tail::hint_of(files)));
}

std::unique_ptr<pipeline::Source> make_tail_source(TailSpec spec, const pipeline::Context& context) {
  return std::make_unique<TailSource>(std::move(spec), context);
}

}  // namespace weir::stages
