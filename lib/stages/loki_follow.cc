#include "stages/follow_source.h"

#include "loki/follow_window.h"
#include "loki/query_pager.h"
#include "record/age.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace weir::stages {

using base::Code;
using base::Result;
using base::Timestamp;
using pipeline::Context;
using pipeline::Outlet;
using record::Batch;
using record::Record;

namespace {

constexpr base::Duration kLongestRequest = base::kMinute;
constexpr std::uint32_t kSmallPage = 100;

class LokiFollow : public FollowSource {
 public:
  LokiFollow(const QuerySpec& query, const FollowSpec& follow, const Context& context)
      : FollowSource(query, follow, context), window_(spec_.range.from, spec_.range.to, follow.looks) {}

  // Makes its client and the source of what is there already, once, before run().
  Result<void> open() {
    auto config = spec_.loki;
    config.attempts = 1;  // the window says when to ask again
    config.http.timeout = std::min(config.http.timeout, kLongestRequest);
    config.http.headers.push_back({"Cache-Control", "no-cache"});
    config.http.cancelled = [this] {
      report_slow();
      report_behind();
      return context_.stop != nullptr && context_.stop->stopped();
    };
    auto client = loki::QueryClient::create(std::move(config), *context_.clock, *context_.diagnostics, context_.stop);
    if (!client) return std::move(client).error();
    client_ = std::move(*client);
    auto first = first_source();
    if (!first) return std::move(first).error();
    first_ = std::move(*first);
    return {};
  }

  Result<void> run(Outlet& out, base::Stop& stop) override {
    Timestamp oldest = base::TimeRange::kForever;
    Tap tap(*this, out, [&](Batch& batch) {
      for (Record& record : batch.records) {
        oldest = std::min(oldest, record.timestamp);
        if (record.timestamp >= spec_.range.to - follow_.looks.late)
          window_.shown(record.timestamp, loki::identity_of(batch, record));
      }
    });
    auto result = run_first(tap, out, stop);
    lost_ = first_->counters().lost;
    if (!result || tap.ended() || stop.stopped()) {
      if (result) static_cast<void>(looked());
      return result;
    }
    nothing_ = first_->summary();
    first_.reset();
    // What the limit has left out stays out.
    if (spec_.limit > 0 && shown() >= spec_.limit) window_.start_at(oldest + 1);
    while (trouble_ || looked() == Next::go_on) {
      auto next = wait_until(window_.due(), out, stop);
      if (!next) return std::move(next).error();
      if (*next == Next::end) return {};
      next = look(out);
      if (!next && next.error().code == Code::interrupted) return {};
      if (!next) return std::move(next).error();
      if (*next == Next::end) break;
      if (is_over() && trouble_) return *trouble_;
    }
    static_cast<void>(looked());
    return {};
  }

 private:
  // Asks for what is there. With --wait, a Loki that starts a moment later is asked until it answers, unless it broke off within
  // its answer; who follows is told at once, because an address may be wrong.
  Result<void> run_first(Tap& tap, Outlet& out, base::Stop& stop) {
    for (;;) {
      asked_ = context_.clock->monotonic();
      auto result = first_->run(tap, stop);
      const bool silent = !result && (result.error().code == Code::unreachable || result.error().code == Code::network);
      if (result) report_recovery();
      if (!silent || follow_.follow || shown() > 0 || stop.stopped()) return result;
      report_outage(result.error());
      const auto next = wait_until(base::after(context_.clock->monotonic(), follow_.looks.pause), out, stop);
      if (!next) return next.error();
      if (*next == Next::end) return {};
      if (is_over()) return *trouble_;
      auto again = first_source();
      if (!again) return std::move(again).error();
      first_ = std::move(*again);
    }
  }

  void report_recovery() {
    if (!trouble_) return;
    context_.diagnostics->say(fmt::format("Loki answers again after {}: following goes on where it was",
                                          record::in_words(context_.clock->monotonic() - trouble_since_)));
    trouble_.reset();
  }

  Result<Next> look(Outlet& out) {
    const auto look = window_.begin(context_.clock->wall(), context_.clock->monotonic());
    // An empty answer that hides entries is found by the next wide look.
    loki::QueryPager pager(*client_, spec_.logql, look.window, loki::Direction::forward,
                           {.first_page = page_, .check_empty = look.wide});
    std::uint32_t entries = 0;
    for (;;) {
      Batch batch;
      const auto more = next_of(pager, batch);
      if (!more) {
        const base::Error& error = more.error();
        if (error.code == Code::interrupted || error.code == Code::config) return error;
        window_.failed(context_.clock->monotonic());
        report_outage(error);
        return Next::go_on;
      }
      if (!*more) break;
      entries += static_cast<std::uint32_t>(batch.records.size());
      std::erase_if(batch.records,
                    [&](Record& record) { return !window_.is_new(record.timestamp, loki::identity_of(batch, record)); });
      window_.read_so_far(context_.clock->monotonic());
      report_shortened();
      report_behind();
      const auto next = pass_on(out, batch);
      if (!next || *next == Next::end) return next;
    }
    // Times are read again and again: the worst look counts.
    if (pager.incomplete() > lost_) {
      lost_ = pager.incomplete();
      say_incomplete(lost_);
    }
    page_ = std::clamp<std::uint32_t>(entries + entries / 2, kSmallPage, 5000);
    if (!window_.done(context_.clock->wall(), context_.clock->monotonic())) {
      report_outage(base::fail(Code::network, "Loki does not give all that it gave before"));
    } else {
      report_recovery();
      report_behind();
    }
    return Next::go_on;
  }

  // Once for each outage.
  void report_outage(const base::Error& trouble) {
    if (trouble_) return;
    trouble_ = trouble;
    trouble_since_ = asked_;
    context_.diagnostics->say(fmt::format("{}; asking again until it answers", trouble.message));
  }
  // While an answer is waited for. A Loki that is always slow is not reported each time.
  void report_slow() {
    if (trouble_ || context_.clock->monotonic() - asked_ <= patience_) return;
    report_outage(base::fail(Code::network, "{} has not answered for {}", spec_.loki.http.base.display(),
                             record::in_words(context_.clock->monotonic() - asked_)));
    patience_ *= 2;
  }
  void report_shortened() {
    const auto shortened = window_.shortened();
    if (shortened.has_value() == shortened_) return;
    shortened_ = shortened.has_value();
    if (!shortened_) return;
    context_.diagnostics->say(
        fmt::format("too many records match: those that arrive more than {} after their time are not shown "
                    "(a filter in the query makes them fewer)",
                    record::in_words(*shortened)));
  }

  // Once when records begin to show late, and again whenever it takes twice as long.
  void report_behind() {
    const auto behind = window_.behind(context_.clock->monotonic());
    const std::string soon = record::in_words(window_.soon());
    if (!behind) {
      if (behind_reported_ > 0 && !trouble_) context_.diagnostics->say(fmt::format("new records show within {} again", soon));
      if (!trouble_) behind_reported_ = 0;
      return;
    }
    if (*behind < 2 * behind_reported_) return;
    behind_reported_ = *behind;
    context_.diagnostics->say(
        fmt::format("new records show more than {} after they reach Loki, not within {}: so many match that Loki takes long to "
                    "give those of {} again (a filter in the query or a shorter --late makes them fewer)",
                    record::in_words(*behind), soon, record::in_words(follow_.looks.late)));
  }

  Result<bool> next_of(loki::QueryPager& pager, Batch& batch) {
    asked_ = context_.clock->monotonic();
    const metrics::Wait waits(context_.driver, metrics::On::loki);
    return pager.next(batch);
  }

  std::unique_ptr<loki::QueryClient> client_;
  std::unique_ptr<pipeline::Source> first_;
  loki::FollowWindow window_;
  std::uint32_t page_ = 1000;
  std::optional<base::Error> trouble_;  // while Loki does not answer, or not with all it has
  base::Monotonic asked_ = 0, trouble_since_ = 0;
  base::Duration patience_ = follow_.patience;
  bool shortened_ = false;
  base::Duration behind_reported_ = 0;  // 0: records show soon enough
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_loki_follow(const QuerySpec& query, const FollowSpec& follow,
                                                           const Context& context) {
  auto source = std::make_unique<LokiFollow>(query, follow, context);
  if (auto opened = source->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<pipeline::Source>(std::move(source));
}

}  // namespace weir::stages
