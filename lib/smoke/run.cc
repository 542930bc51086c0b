#include "smoke/run.h"

#include "base/count.h"
#include "base/secrets.h"
#include "base/thread.h"
#include "record/timestamp.h"
#include "smoke/command.h"
#include "smoke/push_writer.h"
#include "smoke/queries.h"
#include "smoke/reader.h"
#include "smoke/text_writer.h"

#include <fmt/format.h>

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>
#include <tuple>

namespace weir::smoke {

using base::Code;
using base::Duration;
using base::Monotonic;
using base::Result;
using base::Timestamp;

namespace {

constexpr Duration kShortPause = 100 * base::kMillisecond, kLongPause = base::kSecond;  // between two looks
constexpr Duration kAround = 5 * base::kMinute;       // that is read before the first and behind the last record
constexpr Duration kSettle = base::kSecond;           // in which repeats may follow what has arrived
constexpr Duration kAfterTheEnd = 5 * base::kSecond;  // that records may take when the command has ended, or the rest was refused
constexpr Duration kStopping = 20 * base::kSecond;    // that the command may take to end
constexpr Duration kHurried = 2 * base::kSecond;      // the same without a verdict
constexpr Duration kCounting = 5 * base::kSecond;     // that count_over_time may stay behind query_range
constexpr int kNotExecutable = 126, kNotFound = 127;  // of a shell

// Sleeps, or wakes for a request to stop.
void pause(const base::Stop& stop, Duration duration, base::Clock& clock) {
  pollfd waits = {stop.fd(), POLLIN, 0};
  ::poll(&waits, 1, base::poll_timeout(clock.monotonic(), base::after(clock.monotonic(), duration)));
}

base::Error interrupted() { return base::fail(Code::interrupted, "interrupted before there was a verdict"); }

// A temporary folder, removed with all that is in it.
class Folder {
 public:
  static Result<std::unique_ptr<Folder>> create(const std::string& below) {
    std::string path = below + "/weir-smoke-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return base::io_error(errno, fmt::format("create a folder in '{}'", below));
    return std::unique_ptr<Folder>(new Folder(std::move(path)));
  }
  ~Folder() {
    std::error_code ignored;  // a temporary folder: nothing depends on its end
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

// The thread that hands batches over, and the judge that both threads tell what they know.
class Sender {
 public:
  struct Patience {
    Duration allowed = 0;  // what a record may take
    Duration answer = 0;   // what the answer to a request may take
    // After one batch of each stream: wait until a record of each was seen. A command needs a while to start, and a log that is
    // rotated before somebody follows it is lost for most of those who follow logs.
    bool warm_up = false;
  };
  Sender(const Plan& plan, Writer& writer, Judge& judge, base::Clock& clock, const Patience& patience)
      : plan_(plan), writer_(writer), judge_(judge), clock_(clock), patience_(patience) {}
  ~Sender() { halt(); }
  Sender(const Sender&) = delete;  // its thread points to it
  Sender& operator=(const Sender&) = delete;

  Result<void> start() {
    auto thread = base::start_thread("send records", [this] { work(); });
    if (!thread) return std::move(thread).error();
    thread_ = std::move(*thread);
    return {};
  }
  // Sends no more.
  void halt() {
    {
      const std::lock_guard lock(mutex_);
      halted_ = true;
    }
    changed_.notify_all();
    writer_.give_up();
    if (thread_.joinable()) thread_.join();
  }

  // Calls use(judge) while the sender does not.
  template <typename Use>
  auto with_judge(Use&& use) {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();  // the sender may wait for what the judge learns
    return use(judge_);
  }
  struct State {
    bool done = false;   // all is handed over, or there was an error
    Monotonic last = 0;  // when the latest batch was
    std::optional<base::Error> error;
  };
  [[nodiscard]] State state() {
    const std::lock_guard lock(mutex_);
    return state_;
  }

 private:
  void work() {
    Monotonic begin = clock_.monotonic();
    Result<void> result;
    for (std::uint32_t index = 0; index < plan_.batches() && result; ++index) {
      if (patience_.warm_up && index == plan_.streams()) {
        std::unique_lock lock(mutex_);
        const Monotonic waits = clock_.monotonic();
        changed_.wait_for(lock, std::chrono::nanoseconds(patience_.allowed),
                          [this] { return halted_ || judge_.saw_each_stream(); });
        begin += clock_.monotonic() - waits;
      }
      const PlannedBatch batch = plan_.batch(index);
      const Monotonic due = begin + static_cast<Duration>(batch.first + batch.size - 1) * plan_.spec().gap;
      {
        std::unique_lock lock(mutex_);
        const Duration left = std::max<Duration>(0, due - clock_.monotonic());
        if (changed_.wait_for(lock, std::chrono::nanoseconds(left), [this] { return halted_; })) return;
        state_.last = clock_.monotonic();
        judge_.sent(batch.first, batch.size, state_.last);
      }
      result = writer_.write(batch);
    }
    // As long as the last batch may be sent again, and the last request be answered: so that late records are not taken for
    // missing.
    if (result) result = writer_.finish(base::after(clock_.monotonic(), patience_.allowed + patience_.answer));
    const std::lock_guard lock(mutex_);
    state_.done = true;
    if (!result) state_.error = std::move(result).error();
  }

  const Plan& plan_;
  Writer& writer_;
  Judge& judge_;  // guarded by mutex_
  base::Clock& clock_;
  const Patience patience_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool halted_ = false;
  State state_;
  std::thread thread_;
};

class Run {
 public:
  Run(const RunSpec& spec, const pipeline::Context& context) : spec_(spec), context_(context), clock_(*context.clock) {}

  Result<RunReport> operator()() {
    if (spec_.read_back) {
      if (auto ready = open_readers(); !ready) return std::move(ready).error();
    }
    auto report = attempt(spec_.way == Way::push ? Form::metadata : Form::line);
    if (report || !again_) return report;
    notes_.emplace_back("Loki takes no structured metadata here, so the run's id stands in the lines");
    return attempt(Form::line);
  }

 private:
  Result<void> open_readers() {
    for (auto* reader : {&quick_, &patient_}) {
      auto made = Reader::create(spec_.query, reader == &patient_, clock_, *context_.diagnostics, context_.stop);
      if (!made) return std::move(made).error();
      *reader = std::move(*made);
    }
    const Monotonic deadline = base::after(clock_.monotonic(), spec_.wait);
    loki::QueryClientConfig config = spec_.query;
    if (spec_.wait > 0) config.http.timeout = std::min(config.http.timeout, spec_.wait);
    auto prober = Reader::create(config, false, clock_, *context_.diagnostics, context_.stop);
    if (!prober) return std::move(prober).error();
    for (;;) {
      auto answered = (*prober)->probe(selector());
      if (answered) return answered;
      base::Error& error = answered.error();
      // A selector of the user's may be wrong. Ours is not, so that a refusal says that this is no Loki.
      if (error.code == Code::config && spec_.selector.empty()) {
        error.code = Code::network;
        if (error.hint.empty()) error.hint = "is this a Loki that answers queries? --write-only checks only that it takes records";
      }
      const bool may_pass = error.code == Code::network || error.code == Code::unreachable;
      if (context_.stop->stopped()) return interrupted();
      if (!may_pass || clock_.monotonic() >= deadline) {
        if (error.code == Code::network && error.system == ETIMEDOUT) return no_answer();
        return answered;
      }
      pause(*context_.stop, kLongPause, clock_);
    }
  }

  // Somebody accepts the connection and answers nothing.
  [[nodiscard]] base::Error no_answer() const {
    const bool waits = spec_.wait > 0;
    return base::fail(Code::network, "cannot query {}: it accepted the connection, but answered no query within {:g} s{}",
                      spec_.query.http.base.display(),
                      static_cast<double>(waits ? spec_.wait : spec_.query.http.timeout) / base::kSecond, waits ? " (--wait)" : "")
        .with_hint(waits ? "is a Loki there, or a proxy that cannot reach it?"
                         : "is a Loki there? --wait gives it more time to start");
  }

  [[nodiscard]] std::string selector() const { return spec_.selector.empty() ? standard_selector(spec_.way) : spec_.selector; }

  [[nodiscard]] Labels labels_of(std::uint32_t stream) const {
    if (spec_.way == Way::push) return {{"job", "weir-smoke"}, {"smoke_stream", fmt::to_string(stream)}};
    if (spec_.way == Way::command && spec_.selector.empty()) {
      return {{"namespace", std::string(PodWriter::kNamespace)},
              {"pod", PodWriter::pod_of(stream)},
              {"container", std::string(PodWriter::kContainer)},
              {"stream", std::string(PodWriter::stream_name_of(stream))}};
    }
    return {};
  }

  [[nodiscard]] Expectation expectation(const Plan& plan) const {
    Expectation expected;
    for (std::uint32_t stream = 1; stream <= plan.streams(); ++stream) {
      Labels labels = labels_of(stream);
      labels.insert(labels.end(), spec_.labels.begin(), spec_.labels.end());
      expected.labels.push_back(std::move(labels));
    }
    expected.only_these = spec_.way == Way::push && spec_.labels.empty();
    expected.times = spec_.way != Way::print;
    return expected;
  }

  Result<RunReport> attempt(Form form) {
    auto id = new_run_id();
    if (!id) return std::move(id).error();
    again_ = false;
    refused_ = 0;
    const Monotonic began = clock_.monotonic();
    const Plan plan({.run = *id,
                     .seed = spec_.seed,
                     .records = spec_.records,
                     .streams = spec_.streams,
                     .large = spec_.large.value_or(standard_large(spec_)),
                     .form = form,
                     .begin = clock_.wall(),
                     .gap = base::kSecond / spec_.rate});
    Judge judge(plan, expectation(plan), spec_.timeout);

    auto delivery = deliver(plan);
    if (!delivery) return std::move(delivery).error();

    RunReport report;
    report.run = *id;
    report.way = spec_.way;
    report.read_back = spec_.read_back;
    report.streams = plan.streams();
    report.begin = plan.spec().begin;
    const Queries queries(plan, selector());
    {
      Sender sender(plan, *delivery->writer, judge, clock_,
                    {spec_.timeout, spec_.push.timeout, spec_.way == Way::command && spec_.read_back});
      if (auto started = sender.start(); !started) return std::move(started).error();
      auto watched = watch(plan, queries, *delivery, sender);
      sender.halt();
      context_.diagnostics->progress({});
      if (delivery->command) {
        delivery->command->stop(watched ? kStopping : kHurried, clock_);
        report.command_output = delivery->command->last_lines();
        if (const base::Secrets* secrets = context_.diagnostics->secrets(); secrets != nullptr) {
          for (std::string& line : report.command_output) line = secrets->redact(line);
        }
      }
      if (!watched) return std::move(watched).error();
    }
    report.written = delivery->writer->report();
    tell_refused(report.written, judge);
    if (spec_.read_back) {
      pause(*context_.stop, kSettle, clock_);
      if (auto judged = read_back(plan, queries, judge); !judged) return std::move(judged).error();
    } else {
      take_all_but(report.written, plan, judge);
    }
    report.verdict = judge.verdict();
    report.took = clock_.monotonic() - began;
    note_what_happened(report);
    report.notes = std::move(notes_);
    return report;
  }

  void note_what_happened(const RunReport& report) {
    if (report.written.repeats > 0) {
      notes_.push_back(fmt::format("{} sent again: {}",
                                   base::count_of(report.written.repeats, "push request was", "push requests were"),
                                   report.written.trouble));
    }
    if (looks_failed_ > 0) {
      notes_.push_back(fmt::format("{} while the records were awaited; the latest: {}",
                                   base::count_of(looks_failed_, "query failed", "queries failed"), look_trouble_));
    }
    if (report.verdict.joined > 0) {
      notes_.push_back(fmt::format("{} joined to records before", base::count_of(report.verdict.joined, "line was", "lines were")));
    }
  }

  // How the records go out.
  struct Delivery {
    std::unique_ptr<Folder> folder;
    std::unique_ptr<Writer> writer;
    PushWriter* push = nullptr;  // it is the writer
    std::optional<Command> command;
  };

  Result<Delivery> deliver(const Plan& plan) const {
    Delivery delivery;
    if (spec_.way == Way::print) {
      delivery.writer = std::make_unique<LineWriter>(STDOUT_FILENO, plan);
      return delivery;
    }
    if (spec_.way == Way::push) {
      PushWriterConfig config{.http = spec_.push, .tenant = spec_.query.tenant, .give_up = spec_.timeout};
      for (std::uint32_t stream = 1; stream <= plan.streams(); ++stream) config.labels.push_back(labels_of(stream));
      auto push = PushWriter::create(std::move(config), plan, clock_);
      if (!push) return std::move(push).error();
      delivery.push = push->get();
      delivery.writer = std::move(*push);
      return delivery;
    }
    auto folder = Folder::create(spec_.folder);
    if (!folder) return std::move(folder).error();
    delivery.folder = std::move(*folder);
    auto pods = PodWriter::create(delivery.folder->path(), plan);
    if (!pods) return std::move(pods).error();
    delivery.writer = std::move(*pods);
    auto environment = spec_.command_environment;
    environment.emplace_back("WEIR_SMOKE_DIR", delivery.folder->path());
    auto command = Command::start(spec_.command, environment);
    if (!command) return std::move(command).error();
    delivery.command.emplace(std::move(*command));
    return delivery;
  }

  // What follows from the end of the command, if it has ended: the time is up soon.
  Result<void> notice_end(Command& command, bool all_written, Sender& sender, Monotonic& enough) {
    const auto end = command.ended();
    if (!end || enough != base::kNever) return {};
    if (end->exit_code == kNotFound || end->exit_code == kNotExecutable) {
      return base::fail(Code::config, "cannot run the command of --via: {}", end->words)
          .with_hint("the shell's own message stands above");
    }
    enough = base::after(clock_.monotonic(), kAfterTheEnd);
    if (!end->ok) {
      sender.with_judge(
          [&](Judge& judge) { judge.command_failed(fmt::format("it ended with {} before it was stopped", end->words)); });
    } else if (!all_written) {
      notes_.emplace_back("the command ended before all records were written: does it follow its logs (tail -f)?");
    }
    return {};
  }

  // Looks until all was seen or the time is up. An error ends the run without a verdict.
  Result<void> watch(const Plan& plan, const Queries& queries, Delivery& delivery, Sender& sender) {
    Monotonic enough = base::kNever;  // the time is up earlier
    Duration wait = kShortPause;
    for (;;) {
      if (context_.stop->stopped()) return interrupted();
      const Sender::State state = sender.state();
      if (delivery.push != nullptr && delivery.push->wants_no_metadata() && plan.spec().form == Form::metadata) {
        again_ = true;
        return base::fail(Code::rejected, "this Loki takes no structured metadata");
      }
      if (state.error) return base::Error(*state.error);
      sender.with_judge([&](Judge& judge) { tell_refused(delivery.writer->report(), judge); });
      if (delivery.command) {
        if (auto noticed = notice_end(*delivery.command, state.done, sender, enough); !noticed) return noticed;
      }
      const Monotonic looked = clock_.monotonic();
      if (spec_.read_back) look(plan, queries, sender);
      const auto [sent, unseen, awaited] =
          sender.with_judge([](Judge& judge) { return std::tuple(judge.sent(), judge.unseen(), judge.awaited()); });
      context_.diagnostics->progress(fmt::format("{} of {} records sent", sent, plan.records()) +
                                     (spec_.read_back ? fmt::format(", {} read back", sent - unseen) : std::string()));
      const Monotonic now = clock_.monotonic();
      if (!spec_.read_back && state.done) return {};
      if (state.done) {
        if (unseen == 0) return {};
        if (awaited == 0 && enough == base::kNever) enough = base::after(now, kAfterTheEnd);
        if (now >= std::min(enough, base::after(state.last, spec_.timeout))) return {};
        wait = std::min(kLongPause, wait + wait / 4);
      } else if (delivery.command && now >= enough) {
        return {};  // nobody reads what is still to be written
      }
      pause(*context_.stop, std::max(wait, std::min(kLongPause, 2 * (now - looked))), clock_);
    }
  }

  void tell_refused(const WriteReport& written, Judge& judge) {
    for (; refused_ < written.refused.size(); ++refused_) {
      const Refused& one = written.refused[refused_];
      judge.refused(one.first, one.size, one.words);
    }
  }

  [[nodiscard]] base::TimeRange whole_window(const Plan& plan) const {
    const Timestamp last = spec_.way == Way::print ? std::max(clock_.wall(), plan.last_time()) : plan.last_time();
    return {plan.spec().begin - kAround, last + kAround};
  }

  void look(const Plan& plan, const Queries& queries, Sender& sender) {
    const std::uint32_t first = sender.with_judge([](Judge& judge) { return judge.look(), judge.first_unseen(); });
    if (first == 0) return;
    base::TimeRange window = whole_window(plan);
    if (spec_.way != Way::print) window = {plan.time_of(first), plan.last_time() + 1};
    // The glance shows short lines, and there is one look after the other.
    const auto listed = quick_->list(
        queries.glance(), window,
        [&](const Arrived& arrived) { sender.with_judge([&](Judge& judge) { judge.seen(arrived, clock_.monotonic()); }); },
        Reader::Empty::believed);
    if (listed || context_.stop->stopped()) return;
    ++looks_failed_;
    look_trouble_ = listed.error().message;
  }

  // The last look, which is judged.
  Result<void> read_back(const Plan& plan, const Queries& queries, Judge& judge) {
    const base::TimeRange window = whole_window(plan);
    const auto take = [&](const Arrived& arrived) {
      judge.seen(arrived, clock_.monotonic());
      judge.take(arrived);
    };
    judge.look();
    if (auto listed = patient_->list(queries.list(), window, take); !listed) return listed;
    if (judge.arrived() < judge.sent()) look_wider(plan, window, judge);
    if (auto counted = count(plan, queries, window, judge); !counted || !shows_nothing_of(judge)) return counted;
    // They may have come in between.
    judge.look();
    if (auto listed = patient_->list(queries.list(), window, take); !listed) return listed;
    if (!shows_nothing_of(judge)) return count(plan, queries, window, judge);
    return base::fail(Code::network, "cannot judge: Loki counts {} and shows none",
                      base::count_of(*judge.verdict().counted, "record"))
        .with_hint("its answer may be over grpc_server_max_send_msg_size (4 MiB by default)");
  }

  // Loki counts records, and query_range shows none at all: then nothing is known of them.
  static bool shows_nothing_of(const Judge& judge) {
    const Verdict verdict = judge.verdict();
    return verdict.entries == 0 && verdict.counted.value_or(0) > 0;
  }

  // A label that was changed on the way moves records into other streams.
  void look_wider(const Plan& plan, const base::TimeRange& window, Judge& judge) {
    for (const std::string& selector : wider_selectors(spec_.way == Way::push ? "smoke_stream" : "")) {
      const bool none = judge.arrived() == 0;
      const auto take = [&](const Arrived& arrived) {
        if (!none && judge.knows(arrived)) return;
        judge.take_elsewhere(arrived);
        ++elsewhere_;
      };
      if (auto listed = quick_->list(Queries(plan, selector).list(), window, take); !listed) {
        notes_.push_back(fmt::format("streams with other labels were not searched: {}", listed.error().message));
        return;
      }
      if (judge.arrived() == judge.sent()) return;
    }
  }

  Result<void> count(const Plan& plan, const Queries& queries, const base::TimeRange& window, Judge& judge) {
    // What has other labels is not counted.
    const std::uint64_t want = judge.listed() - std::min(judge.listed(), elsewhere_);
    const Duration length = window.to - window.from;
    const Monotonic deadline = base::after(clock_.monotonic(), kCounting);
    for (;;) {
      const auto counted = patient_->number(queries.count(length), window.to);
      if (!counted) {
        if (context_.stop->stopped()) return interrupted();
        notes_.push_back(fmt::format("count_over_time was not checked: {}", counted.error().message));
        return {};
      }
      if (*counted < want && clock_.monotonic() < deadline) {
        pause(*context_.stop, kShortPause, clock_);
        if (context_.stop->stopped()) return interrupted();
        continue;
      }
      judge.counted(*counted + elsewhere_);
      if (*counted <= want || plan.spec().form != Form::metadata) return {};
      const auto which =
          patient_->numbers(queries.stored_twice(length), window.to, kRecordName,
                            [&](std::string_view number, std::uint64_t times) { record_times(number, times, judge); });
      if (!which) notes_.push_back(fmt::format("which records are repeated is not known: {}", which.error().message));
      return {};
    }
  }

  static void record_times(std::string_view number, std::uint64_t times, Judge& judge) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error == std::errc() && end == number.data() + number.size()) judge.stored_times(value, times);
  }

  // Without reading back: what was not refused was taken.
  static void take_all_but(const WriteReport& written, const Plan& plan, Judge& judge) {
    std::vector<bool> refused(plan.records() + 1);
    for (const Refused& one : written.refused)
      for (std::uint32_t number = one.first; number < one.first + one.size; ++number) refused[number] = true;
    for (std::uint32_t number = 1; number <= plan.records(); ++number)
      if (!refused[number]) judge.taken(number);
  }

  const RunSpec& spec_;
  const pipeline::Context& context_;
  base::Clock& clock_;
  std::unique_ptr<Reader> quick_, patient_;
  bool again_ = false;
  std::size_t refused_ = 0;  // batches that the judge knows as refused
  std::uint64_t looks_failed_ = 0, elsewhere_ = 0;
  std::string look_trouble_;
  std::vector<std::string> notes_;
};

}  // namespace

Large standard_large(const RunSpec& spec) {
  constexpr std::uint32_t kMostRecords = 400, kMostRate = 100;  // 15 MB, 3.8 MB a second
  return spec.way == Way::push && spec.records <= kMostRecords && spec.rate <= kMostRate ? Large::all : Large::one;
}

std::string standard_selector(Way way) {
  switch (way) {
    case Way::push:
      return "{job=\"weir-smoke\"}";
    case Way::command:
      return fmt::format("{{namespace=\"{}\"}}", PodWriter::kNamespace);
    case Way::print:
      return {};
  }
  return {};
}

Result<void> check(const RunSpec& spec) {
  if (spec.way == Way::print && spec.selector.empty()) {
    return base::fail(Code::usage, "--selector is missing")
        .with_hint("with --emit, name the streams that the agent makes of this output: --selector '{namespace=\"monitoring\"}'");
  }
  if (spec.way != Way::push && !spec.read_back)
    return base::fail(Code::usage, "cannot use --write-only with --via or --emit: only a push is answered");
  return {};
}

Result<RunReport> run(const RunSpec& spec, const pipeline::Context& context) { return Run(spec, context)(); }

}  // namespace weir::smoke
