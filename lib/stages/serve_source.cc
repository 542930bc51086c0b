#include "stages/serve.h"

#include "base/count.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "httpd/tls.h"
#include "metrics/driver.h"
#include "serve/tenant.h"
#include "spool/reader.h"
#include "spool/spool_file.h"
#include "stages/serve_site.h"

#include <fmt/format.h>

#include <malloc.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace weir::stages {

using base::Monotonic;
using base::Result;
using httpd::Exchange;
using pipeline::Flow;
using pipeline::Flushed;
using pipeline::Outlet;

namespace {

constexpr base::Duration kDrain = 20 * base::kSecond;    // within the 30 s that Kubernetes gives
constexpr base::Duration kOpening = 30 * base::kSecond;  // while another process makes the spool
constexpr base::Duration kTryAgain = 10 * base::kSecond;
constexpr std::size_t kManyRecords = 16 << 10, kManyBytes = 1 << 20;  // of a request: then its memory is given back

using metrics::Account;
constexpr auto kRecordsIn =
    metrics::counter("weir_serve_input_records_total", "records", "Records of push requests that could be read.", Account::in);
constexpr auto kBytesIn =
    metrics::counter("weir_serve_input_bytes_total", "bytes", "Bytes of the lines of push requests that were taken.", Account::in);
constexpr auto kRecordsOut =
    metrics::counter("weir_serve_output_records_total", "records", "Records of push requests that were passed on.", Account::out);
constexpr auto kBytesOut = metrics::counter("weir_serve_output_bytes_total", "bytes",
                                            "Bytes of the lines of push requests that were passed on.", Account::out);
constexpr auto kRefused = metrics::counter("weir_serve_refused_records_total", "records",
                                           "Records of push requests that were refused, by reason.", Account::dropped, "reason");
constexpr auto kRequests = metrics::counter("weir_serve_push_requests_total", "requests",
                                            "Push requests, by the status of the answer.", Account::none, "status");
constexpr auto kCommits =
    metrics::counter("weir_serve_push_commits_total", "commits", "Times that push requests were stored together.");

class ServeSource : public pipeline::Source {
 public:
  ServeSource(const ServeSpec& spec, const pipeline::Context& context)
      : spec_(spec), context_(context), reader_(spec.push), block_(context.metrics, context.driver) {}

  ~ServeSource() override {
    if (spec_.while_waiting) *spec_.while_waiting = {};
    if (drain_.joinable()) drain_.join();
    site_.reset();
  }

  Result<void> open() {
    drained_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!drained_) return base::io_error(errno, "make an event descriptor");
    if (!spec_.read_only) {
      auto inbox = serve::Inbox::create(spec_.inbox, *context_.clock);
      if (!inbox) return std::move(inbox).error();
      inbox_ = *std::move(inbox);
      if (spec_.while_waiting) *spec_.while_waiting = [this] { while_waiting(); };
    }
    context_.stop->allow(kDrain);
    if (spec_.try_again) return {};
    // What is no spool is said here, and not by each answer.
    if (spec_.read_only) {
      if (auto there = spool::Reader::open_if_there(spec_.spool, kOpening); !there) return std::move(there).error();
    }
    return listen();
  }

  Result<void> run(Outlet& out, base::Stop& stop) override {
    auto ended = serve(out, stop);
    if (!ended) give_up(ended.error());
    if (drain_.joinable()) drain_.join();
    site_.reset();
    return ended;
  }

  [[nodiscard]] std::string_view name() const override { return "serve"; }
  [[nodiscard]] pipeline::Counters counters() const override { return pipeline::counters_of(block_); }
  [[nodiscard]] std::string summary() const override {
    if (spec_.read_only) return {};
    std::string text = fmt::format("received {} in {}", base::count_of(records_out_.value(), "record"),
                                   base::count_of(all_requests_, "push request"));
    if (refused_ > 0) text += fmt::format("; refused {}", base::count_of(refused_, "record"));
    return text;
  }

 private:
  Result<void> listen() {
    auto site = ServeSite::start(spec_, inbox_.get(), context_);
    if (!site) return std::move(site).error();
    site_ = *std::move(site);
    if (spec_.read_only && spool::inode_of(spec_.spool) == 0) {
      context_.diagnostics->say(
          fmt::format("the spool '{}' does not exist yet; until another process makes it, all answers are empty",
                      base::escape_control(spec_.spool)));
    }
    context_.diagnostics->say(
        fmt::format("serving {}{} on {}", base::escape_control(spec_.spool), spec_.read_only ? ", read-only," : "", site_->url()));
    return {};
  }

  // Until the server has ended, and all that was pushed is answered.
  Result<void> serve(Outlet& out, base::Stop& stop) {
    Monotonic listen_at = context_.clock->monotonic();
    if (site_) site_->begun();
    for (bool has_drained = false;;) {
      const Monotonic now = context_.clock->monotonic();
      if (!site_ && now >= listen_at && !stop.stopped()) {
        listen_at = base::after(now, kTryAgain);
        if (auto listens = listen(); !listens) {
          context_.diagnostics->warn(
              "serve-listen", fmt::format("{}; trying again every {} s", listens.error().message, kTryAgain / base::kSecond));
        } else {
          site_->begun();
        }
      }
      if (stop.stopped() && !drain_.joinable()) {
        if (!site_) return {};
        if (auto begun = begin_drain(stop); !begun) return begun;
      }
      if (auto taken = receive(out, stop); !taken) return taken;
      if (has_drained && waiting_.empty()) return {};
      auto due = out.nudge(context_.clock->monotonic());
      if (!due) return std::move(due).error();
      if (!waiting_.empty()) due = std::min(*due, commit_at_);
      if (!site_) due = std::min(*due, listen_at);
      std::array<pollfd, 4> fds = {{{inbox_ ? inbox_->fd() : -1, POLLIN, 0},
                                    {drain_.joinable() ? -1 : stop.fd(), POLLIN, 0},
                                    {drained_.get(), POLLIN, 0},
                                    {out.wake_fd(), POLLIN, 0}}};
      const int count = [&] {
        const metrics::Wait waits(context_.driver, metrics::On::input);
        return ::poll(fds.data(), fds.size(), base::poll_timeout(context_.clock->monotonic(), *due));
      }();
      if (count < 0 && errno != EINTR) return base::io_error(errno, "wait for requests");
      has_drained = has_drained || (count > 0 && fds[2].revents != 0);
    }
  }

  // Draining blocks, and what it waits for is the work of this thread. So another one drains.
  Result<void> begin_drain(base::Stop& stop) {
    const Monotonic now = context_.clock->monotonic();
    const Monotonic deadline = std::min(stop.deadline(now), base::after(now, kDrain));
    auto thread = base::start_thread("end the server", [this, deadline, &stop] {
      const auto hurry = [&stop] { return stop.level() == base::Stop::leave; };
      if (!site_->drain(deadline, hurry)) context_.diagnostics->say("some requests had not ended when the server stopped");
      const std::uint64_t one = 1;
      static_cast<void>(::write(drained_.get(), &one, sizeof one));
    });
    if (!thread) return std::move(thread).error();
    drain_ = *std::move(thread);
    return {};
  }

  // Takes what has come, and stores it when it is time.
  Result<void> receive(Outlet& out, base::Stop& stop) {
    if (!inbox_) return {};
    while (auto exchange = inbox_->take()) {
      inbox_->begin_work();
      auto taken = take(std::move(exchange), out);
      if (taken && taken_bytes_ >= spec_.commit_bytes) taken = commit(out);
      inbox_->end_work();
      if (!taken) return taken;
      if (!waiting_.empty() && context_.clock->monotonic() >= commit_at_) break;
    }
    if (waiting_.empty() || (context_.clock->monotonic() < commit_at_ && !stop.stopped())) return {};
    inbox_->begin_work();
    auto stored = commit(out);
    inbox_->end_work();
    return stored;
  }

  Result<void> take(std::shared_ptr<Exchange> exchange, Outlet& out) {
    const httpd::Request& request = exchange->request();
    batch_.clear();
    loki::PushVerdict verdict = reader_.read({.content_type = request.header("Content-Type"),
                                              .content_encoding = request.header("Content-Encoding"),
                                              .old_endpoint = request.path == "/api/prom/push",
                                              .tenant = request.header("X-Scope-OrgID"),
                                              .body = request.body},
                                             context_.clock->wall(), batch_);
    if (!verdict.advice.empty()) context_.diagnostics->warn(verdict.records > 0 ? "serve-times" : "serve-type", verdict.advice);
    std::uint64_t refused = 0;
    for (const auto& [reason, count] : verdict.refused) {
      refused += count;
      refused_by_.at(reason).add(count);
    }
    refused_ += refused;
    records_in_.add(verdict.records + refused);
    bytes_in_.add(verdict.bytes);
    if (verdict.records == 0) {
      answer(*exchange, std::move(verdict));
      exchange.reset();
      give_back();
      return {};
    }
    records_out_.add(verdict.records);
    bytes_out_.add(verdict.bytes);
    if (waiting_.empty()) commit_by_ = commit_at_ = base::after(context_.clock->monotonic(), spec_.commit_after);
    taken_bytes_ += verdict.bytes;
    if (taken_bytes_ >= spec_.commit_soon_bytes)
      commit_at_ = std::min(commit_by_, base::after(context_.clock->monotonic(), spec_.commit_soon));
    waiting_.emplace_back(std::move(exchange), std::move(verdict));
    auto flow = out.emit(batch_);
    give_back();
    if (!flow) return std::move(flow).error();
    if (*flow == Flow::done) return base::fail(base::Code::io, "cannot store records: what stores them has ended");
    return {};
  }

  // What a large request took. Its body is given back with it when it is answered.
  void give_back() {
    const bool large = reader_.trim() || batch_.records.capacity() > kManyRecords || batch_.bytes() > kManyBytes;
    if (large) batch_ = {};
    was_large_ = large || was_large_;
    if (was_large_ && waiting_.empty()) give_back_pages();
  }

  void give_back_pages() {
    ::malloc_trim(0);
    was_large_ = false;
  }

  // The spool has no room. Clients wait a few seconds and no longer.
  void while_waiting() {
    if (!inbox_->is_stuck()) return;
    for (Waiting& one : waiting_) {
      if (!one.answered) answer(*one.exchange, {.status = 503, .text = std::string(serve::kStuck)});
      one.answered = true;
    }
    inbox_->refuse_waiting(std::string(serve::kStuck));
  }

  Result<void> commit(Outlet& out) {
    taken_bytes_ = 0;
    if (waiting_.empty()) return {};
    auto flushed = out.flush(base::kNever);
    if (!flushed) return std::move(flushed).error();
    commits_.add(1);
    for (auto& [exchange, verdict, answered] : waiting_) {
      if (answered) continue;
      if (*flushed == Flushed::safe) {
        answer(*exchange, std::move(verdict));
      } else {
        answer(*exchange, {.status = 503, .text = "what was received could not be stored in time\n"});
      }
    }
    waiting_.clear();
    if (was_large_) give_back_pages();
    return {};
  }

  void answer(Exchange& exchange, loki::PushVerdict verdict) {
    ++all_requests_;
    requests_.at(std::to_string(verdict.status)).add(1);
    if (verdict.status == 503) return exchange.answer(serve::try_later(std::move(verdict.text)));
    exchange.answer({.status = verdict.status, .body = std::move(verdict.text)});
  }

  // The chain cannot go on. Nobody gets a 204 for what is not stored.
  void give_up(const base::Error& error) {
    const std::string text = fmt::format("what was received cannot be stored: {}\n", error.message);
    for (const Waiting& one : waiting_) {
      if (!one.answered) answer(*one.exchange, {.status = 503, .text = text});
    }
    waiting_.clear();
    if (inbox_) inbox_->close(text);
  }

  const ServeSpec spec_;
  const pipeline::Context& context_;
  loki::PushReader reader_;
  metrics::Block block_;
  metrics::Counter records_in_ = block_.counter(kRecordsIn), bytes_in_ = block_.counter(kBytesIn);
  metrics::Counter records_out_ = block_.counter(kRecordsOut), bytes_out_ = block_.counter(kBytesOut);
  metrics::Counter commits_ = block_.counter(kCommits);
  metrics::Family refused_by_ = block_.family(kRefused), requests_ = block_.family(kRequests);
  std::uint64_t all_requests_ = 0, refused_ = 0;

  record::Batch batch_;
  struct Waiting {
    std::shared_ptr<Exchange> exchange;
    loki::PushVerdict verdict;
    bool answered = false;  // with 503, because it waited too long
  };
  std::vector<Waiting> waiting_;                                   // emitted, not stored yet
  std::uint64_t taken_bytes_ = 0;                                  // of their lines
  Monotonic commit_by_ = base::kNever, commit_at_ = base::kNever;  // at the latest; as it is now
  bool was_large_ = false;                                         // one of them took much memory

  base::UniqueFd drained_;
  std::unique_ptr<serve::Inbox> inbox_;
  std::unique_ptr<ServeSite> site_;
  std::thread drain_;  // uses the site
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_serve(const ServeSpec& spec, const pipeline::Context& context) {
  auto source = std::make_unique<ServeSource>(spec, context);
  if (auto opened = source->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<pipeline::Source>(std::move(source));
}

Result<void> rehearse_serve(const ServeSpec& spec, const pipeline::Context& context) {
  auto access = httpd::Access::create(spec.users, spec.hosts, *context.diagnostics);
  if (!access) return std::move(access).error();
  if (spec.tls.certificate.empty()) return {};
  auto tls = httpd::Tls::create(spec.tls, context.diagnostics);
  return tls ? Result<void>() : std::move(tls).error();
}

}  // namespace weir::stages
