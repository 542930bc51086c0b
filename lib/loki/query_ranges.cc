#include "loki/query_ranges.h"

#include "base/thread.h"

#include <algorithm>
#include <utility>

namespace weir::loki {

using base::Duration;
using base::Result;
using base::Timestamp;
using record::Batch;

namespace {

constexpr double kFastest = 8;  // the most by which a range is longer than the one before it

}  // namespace

QueryRanges::QueryRanges(QueryClient& client, MakeClient make_client, std::string query, base::TimeRange window,
                         const Options& options)
    : query_(std::move(query)),
      window_(window),
      options_(options),
      make_client_(std::move(make_client)),
      first_(client, query_, window, Direction::forward, options.pager) {}

QueryRanges::~QueryRanges() {
  {
    const std::scoped_lock lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<void> QueryRanges::start() {
  // So much time for a page, as the first have taken.
  const Duration read = window_.to - window_.from - first_.left();
  to_take_ = window_.to - first_.left();
  length_ = std::max<Duration>(static_cast<Duration>(static_cast<double>(read) / pages_ * options_.pages), 1);
  pager_options_ = first_.learned();
  for (unsigned i = 0; i < options_.workers; ++i) {
    auto client = make_client_([this] {
      const std::scoped_lock lock(mutex_);
      return ends_;
    });
    if (!client) return std::move(client).error();
    clients_.push_back(std::move(*client));
  }
  for (const auto& client : clients_) {
    auto thread = base::start_thread("read from Loki", [this, &client] { work(*client); });
    if (!thread) {
      if (threads_.empty()) return std::move(thread).error();
      break;  // fewer do it, too
    }
    threads_.push_back(std::move(*thread));
  }
  return {};
}

// With the lock held. Null: everything is read or being read.
QueryRanges::Range* QueryRanges::take() {
  if (to_take_ >= window_.to) return nullptr;
  const Timestamp to = length_ < window_.to - to_take_ ? to_take_ + length_ : window_.to;
  ranges_.push_back(std::make_unique<Range>());
  ranges_.back()->window = {to_take_, to};
  to_take_ = to;
  return ranges_.back().get();
}

void QueryRanges::work(QueryClient& client) {
  std::unique_lock lock(mutex_);
  for (;;) {
    // One range for each worker, and one that is read before the caller has come to its end.
    changed_.wait(lock, [&] { return ends_ || to_take_ >= window_.to || ranges_.size() <= options_.workers; });
    if (ends_) return;
    Range* const range = take();
    if (range == nullptr) return;
    read(client, *range, lock);
  }
}

void QueryRanges::read(QueryClient& client, Range& range, std::unique_lock<std::mutex>& lock) {
  QueryPager pager(client, query_, range.window, Direction::forward, pager_options_);
  unsigned pages = 0;
  for (;;) {
    changed_.wait(lock, [&] { return ends_ || range.held < options_.held || ranges_.front().get() == &range; });
    if (ends_) return;
    lock.unlock();
    Batch page;
    auto more = pager.next(page);
    lock.lock();
    if (!more) range.error = std::move(more).error();
    if (!more || !*more) break;
    ++pages;
    range.held += page.bytes();
    range.pages.push_back(std::move(page));
    changed_.notify_all();
  }
  incomplete_ += pager.incomplete();
  if (pages > 0) pager_options_ = pager.learned();
  range.done = true;
  const double length = static_cast<double>(range.window.to - range.window.from);
  const double wanted = options_.pages / std::max(pages, 1U);
  length_ = static_cast<Duration>(std::clamp(length * std::min(pages > 0 ? wanted : kFastest, kFastest), 1.0, 1e18));
  changed_.notify_all();
}

Result<bool> QueryRanges::next(Batch& out) {
  if (threads_.empty()) {
    auto more = first_.next(out);
    if (!more || !*more) return more;
    ++pages_;
    const bool samples = !out.records.empty() && out.records.front().sample;
    if (options_.workers < 2 || pages_ < options_.alone || samples || first_.within_timestamp() || first_.left() <= 0) return true;
    if (auto started = start(); !started) return std::move(started).error();
    return true;
  }
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(
        lock, [&] { return ranges_.empty() ? to_take_ >= window_.to : !ranges_.front()->pages.empty() || ranges_.front()->done; });
    if (ranges_.empty()) return false;
    Range& range = *ranges_.front();
    if (!range.pages.empty()) {
      Batch page = std::move(range.pages.front());
      range.pages.pop_front();
      range.held -= std::min(range.held, page.bytes());
      changed_.notify_all();
      lock.unlock();
      if (out.records.empty()) {
        out = std::move(page);
      } else {
        for (const record::Record& record : page.records) out.add_copy(record);
      }
      return true;
    }
    if (range.error) return *range.error;
    ranges_.pop_front();
    changed_.notify_all();
  }
}

Duration QueryRanges::left() const {
  if (threads_.empty()) return first_.left();
  const std::scoped_lock lock(mutex_);
  return window_.to - (ranges_.empty() ? to_take_ : ranges_.front()->window.from);
}

std::uint64_t QueryRanges::incomplete() const {
  const std::scoped_lock lock(mutex_);
  return first_.incomplete() + incomplete_;
}

}  // namespace weir::loki
