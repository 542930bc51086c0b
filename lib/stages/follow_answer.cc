#include "stages/follow_answer.h"

#include "logql/parser.h"
#include "stages/follow_source.h"

#include <poll.h>

#include <algorithm>
#include <array>

namespace weir::stages {

using base::Code;
using base::fail;
using base::Monotonic;
using base::Result;
using pipeline::Context;
using pipeline::Flow;
using pipeline::Outlet;

FollowSource::FollowSource(QuerySpec query, const FollowSpec& follow, const Context& context)
    : AnswerSource(std::move(query), context), follow_(follow), give_up_(base::kNever) {
  if (!follow_.follow && follow_.expectation != nullptr)
    give_up_ = base::after(context.clock->monotonic(), follow_.expectation->wait());
}

std::string FollowSource::summary() const {
  if (follow_.expectation == nullptr) return {};
  std::string text = follow_.expectation->text();
  // Also where nothing was expected: a misspelt name would meet that for ever.
  if (shown() == 0 && follow_.expectation->verdict() != Expectation::Verdict::open && !nothing_.empty()) text += ": " + nothing_;
  return text;
}

pipeline::Counters FollowSource::counters() const {
  pipeline::Counters counters = AnswerSource::counters();
  counters.lost += lost_;
  return counters;
}

Result<Flow> FollowSource::Tap::emit(record::Batch& batch) {
  if (look_) look_(batch);
  const auto next = owner_.pass_on(out_, batch);
  if (!next) return next.error();
  ended_ = ended_ || *next == Next::end;
  return ended_ ? Flow::done : Flow::more;
}

Result<std::unique_ptr<pipeline::Source>> FollowSource::first_source() const {
  auto uncounted = context_;
  uncounted.metrics = nullptr;
  uncounted.driver = nullptr;
  return make_query(spec_, uncounted);
}

Result<FollowSource::Next> FollowSource::pass_on(Outlet& out, record::Batch& batch) {
  if (batch.records.empty()) return Next::go_on;
  if (follow_.expectation != nullptr && batch.records.size() > follow_.expectation->room())
    batch.records.resize(follow_.expectation->room());
  if (follow_.expectation != nullptr) follow_.expectation->add(pipeline::tally_of(batch).records);
  if (!reader_left_) {
    const auto flow = emit(out, batch);
    if (!flow) return flow.error();
    reader_left_ = *flow == Flow::done;
  }
  if (follow_.expectation == nullptr) return reader_left_ ? Next::end : Next::go_on;
  return follow_.expectation->exceeded() ? Next::end : Next::go_on;
}

FollowSource::Next FollowSource::looked() {
  if (follow_.expectation == nullptr) return follow_.follow ? Next::go_on : Next::end;
  const bool over = !waits() || is_over();
  return follow_.expectation->judge(over) == Expectation::Verdict::open ? Next::go_on : Next::end;
}

Result<FollowSource::Next> FollowSource::wait_until(Monotonic due, Outlet& out, base::Stop& stop) {
  // The last look is at the end of the time, not before.
  due = std::min(due, give_up_);
  for (;;) {
    if (stop.stopped()) return Next::end;
    const Monotonic now = context_.clock->monotonic();
    if (now >= due) return Next::go_on;
    auto next = out.nudge(now);
    if (!next) return std::move(next).error();
    std::array<pollfd, 3> fds = {
        {{stop.fd(), POLLIN, 0}, {watch_reader_ ? out.reader_fd() : -1, 0, 0}, {out.wake_fd(), POLLIN, 0}}};
    const metrics::Wait waits(context_.driver, metrics::On::input);
    if (::poll(fds.data(), fds.size(), base::poll_timeout(now, std::min(due, *next))) <= 0) continue;
    if (fds[1].revents == 0) continue;
    const auto flow = out.reader_left();
    if (!flow) return flow.error();
    watch_reader_ = false;
    reader_left_ = *flow == Flow::done;
    if (reader_left_ && follow_.expectation == nullptr) return Next::end;
  }
}

namespace {

// What is there, counted.
class Counted : public FollowSource {
 public:
  using FollowSource::FollowSource;

  Result<void> open() {
    auto source = first_source();
    if (!source) return std::move(source).error();
    source_ = std::move(*source);
    return {};
  }

  Result<void> run(Outlet& out, base::Stop& stop) override {
    Tap tap(*this, out, nullptr);
    auto result = source_->run(tap, stop);
    lost_ = source_->counters().lost;
    if (!result || stop.stopped()) return result;
    nothing_ = source_->summary();
    static_cast<void>(looked());
    return {};
  }

 private:
  std::unique_ptr<pipeline::Source> source_;
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_follow(const QuerySpec& query, const FollowSpec& follow, const Context& context) {
  const auto parsed = logql::parse(query.logql, {.selector_optional = true});
  if (parsed && !parsed->is_log()) {
    return fail(Code::usage, "cannot {} a metric query", follow.follow ? "follow" : "count the records of")
        .with_hint(follow.follow ? "follow the log query in it; --since and --step show the metric over time"
                                 : "--expect counts records: give the log query in it");
  }
  if (!follow.follow && follow.expectation->wait() == 0) {
    auto source = std::make_unique<Counted>(query, follow, context);
    if (auto opened = source->open(); !opened) return std::move(opened).error();
    return std::unique_ptr<pipeline::Source>(std::move(source));
  }
  if (query.spools.empty()) return make_loki_follow(query, follow, context);
  if (query.spools.size() > 1) {
    return fail(Code::usage, "cannot follow several spools").with_hint("follow each of them with a `weir query` of its own");
  }
  return make_spool_follow(query, follow, context);
}

}  // namespace weir::stages
