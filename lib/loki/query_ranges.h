// Reads a long answer with several requests at a time, in the order of time: an export.
//
// Loki answers one log query on about one core, so two at a time take half as long where it has two. The time is divided into
// ranges. Each worker has a thread, a client and a pager (query_pager.h); it reads the next range that nobody reads. The caller
// gets the pages of the first unfinished range as they come. The other workers go on until they hold `held` bytes, and wait then. A
// range covers about `pages` pages, by what the latest range has brought.
//
// Most answers are small: the first pages are read by the caller's thread alone, and no worker starts unless entries remain.
//
//   range     taken by a worker -> read page by page -> done, or failed
//   failed    every request was tried again before; the error reaches the caller behind the pages before it, and all workers end
//
// What QueryPager promises holds within each range, and ranges neither overlap nor leave a gap: no entry is missing, none twice.
// One caller at a time.
#pragma once

#include "loki/query_pager.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace weir::loki {

class QueryRanges {
 public:
  struct Options {
    unsigned workers = 2;
    unsigned alone = 3;               // pages that are read before workers start
    double pages = 4;                 // of a range
    std::size_t held = 384UL << 10U;  // bytes of pages that a worker holds before it is its turn
    // Smaller pages than one pager alone has, because each worker holds an answer, what its parser makes of it, and pages.
    QueryPager::Options pager = {.page_bytes = 384UL << 10U};
  };
  // Makes the client of a worker. It is called by the caller's thread; `cancelled` says that the worker is to end, and is to be
  // asked during a request (http::ClientConfig::cancelled).
  using MakeClient = std::function<base::Result<std::unique_ptr<QueryClient>>(std::function<bool()> cancelled)>;

  // `client`, which reads the first pages, must outlive it. The window must be absolute. Entries come oldest first.
  QueryRanges(QueryClient& client, MakeClient make_client, std::string query, base::TimeRange window, const Options& options);
  ~QueryRanges();  // ends the workers, which takes as long as a cancelled request
  QueryRanges(const QueryRanges&) = delete;
  QueryRanges& operator=(const QueryRanges&) = delete;

  // As QueryPager::next().
  base::Result<bool> next(record::Batch& out);
  void set_step(base::Duration step) { first_.set_step(step); }
  // The time that is still to be read, or is read and not given to the caller.
  [[nodiscard]] base::Duration left() const;
  [[nodiscard]] std::uint64_t incomplete() const;

 private:
  struct Range {
    base::TimeRange window;
    std::deque<record::Batch> pages;
    std::size_t held = 0;  // bytes of the pages
    bool done = false;
    std::optional<base::Error> error;
  };
  base::Result<void> start();
  void work(QueryClient& client);
  void read(QueryClient& client, Range& range, std::unique_lock<std::mutex>& lock);
  Range* take();

  const std::string query_;
  const base::TimeRange window_;
  const Options options_;
  MakeClient make_client_;
  QueryPager first_;
  unsigned pages_ = 0;  // that first_ has given
  std::uint64_t entries_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Range>> ranges_;  // from the caller's on, by time
  base::Timestamp to_take_ = 0;                // where the next range begins
  base::Duration length_ = 0;                  // of the next range
  QueryPager::Options pager_options_;          // of the next range
  std::uint64_t incomplete_ = 0;
  bool ends_ = false;
  std::vector<std::unique_ptr<QueryClient>> clients_;
  std::vector<std::thread> threads_;
};

}  // namespace weir::loki
