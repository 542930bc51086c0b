// Reads all entries of a log query page by page: none missing, none twice, whatever Loki's limit for one answer is.
//
// A full page is trusted only up to its last timestamp. Entries at that time are dropped and asked for again at the head of the
// next page, so no entry must be recognised as seen before. When one timestamp alone fills a page, the pager divides it: it
// adds filters to the query (a label has a value or not, a line matches a prefix or not) until each part fits. Only entries
// that no such filter can tell apart can be lost, when they are more than fit. They are counted.
//
// A server that ignores the window cannot be paged. Entries outside the window are dropped. A full page that gets no further
// because of them is an error.
//
// An answer must hold what an earlier answer has shown: the entries that were dropped to be asked for again, and the entries of
// a sample that pass a filter. When a second try does not hold them either, that is an error. So a partial answer is never
// taken for a complete one.
//
// A Loki that takes no window as long as the pager's (max_query_length) is asked for one part of it after the other. A metric query
// is not divided: it ends with Loki's refusal.
//
// A request costs Loki by its limit and by the time that it covers. So only the first page asks for the whole window. Each
// later page asks for about as much time as a page of entries has taken so far.
#pragma once

#include "loki/query_client.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::loki {

class QueryPager {
 public:
  struct Options {
    std::uint32_t first_page = 500;    // the limit of the first request, when the size of an entry is unknown
    std::uint32_t max_page = 5000;     // Loki's default max_entries_limit_per_query; lowered when Loki names a lower limit
    std::size_t page_bytes = 2 << 20;  // the size of a page that the limit aims at
    bool check_empty = true;           // see QueryClient::page(); without it a request that finds nothing costs Loki less
  };
  // The window must be absolute and never changes, so entries that arrive during paging do not disturb it. `client` must
  // outlive the pager.
  QueryPager(QueryClient& client, std::string query, base::TimeRange window, Direction direction)
      : QueryPager(client, std::move(query), window, direction, Options()) {}
  QueryPager(QueryClient& client, std::string query, base::TimeRange window, Direction direction, Options options);

  // Appends the next entries to `out`, oldest first within one call. The calls follow each other in the pager's direction.
  // False when there are no more entries. The first call gives the whole answer of a metric query.
  base::Result<bool> next(record::Batch& out);

  // True while more entries of the latest timestamp are to come.
  [[nodiscard]] bool within_timestamp() const { return !parts_.empty(); }
  // The time that is still to be read.
  [[nodiscard]] base::Duration left() const { return done_ ? 0 : std::max<base::Duration>(0, window_.to - window_.from); }
  // The number of timestamps with entries that could not be read.
  [[nodiscard]] std::uint64_t incomplete() const { return incomplete_; }
  // At most so many entries are wanted from here on, so pages need not be larger. 0: all.
  void expect_at_most(std::uint64_t entries) { expected_ = entries; }
  void set_step(base::Duration step) { step_ = step; }

 private:
  base::Result<bool> next_page(record::Batch& out);
  [[nodiscard]] base::TimeRange next_window() const;
  base::Result<bool> next_part(record::Batch& out);
  void size_pages(std::size_t entries, std::size_t bytes);
  void size_slices(std::size_t entries, base::Duration covered, std::uint32_t limit);
  [[nodiscard]] std::uint32_t page_limit() const;
  void leave_timestamp();
  [[nodiscard]] base::Error stuck(const QueryClient::Page& page, const base::TimeRange& window) const;
  [[nodiscard]] base::Error short_of(std::size_t entries, std::size_t known, const base::TimeRange& window) const;

  struct Part {
    std::string filter;     // appended to the query
    std::size_t known = 0;  // entries that the part holds at least
  };

  QueryClient& client_;
  std::string query_;
  base::TimeRange window_;  // what is still to be read
  Direction direction_;
  Options options_;
  base::Duration step_ = 0;
  std::uint64_t expected_ = 0;
  std::uint32_t limit_;
  base::Duration slice_ = 0;            // the time that a request covers; 0: all that is left
  base::Duration longest_ = 0;          // the longest time that Loki takes; 0: not known to be limited
  std::optional<base::Error> refusal_;  // of a longer one
  bool light_ = true;                   // no answer was too large so far, so pages may grow
  bool done_ = false;
  bool metric_ = false;
  base::Timestamp instant_ = 0;  // the timestamp that is divided
  std::vector<Part> parts_;      // the parts of `instant_` that are still to be read; the last is read first
  bool divisible_ = true;
  std::size_t known_ = 0;  // entries known to be in the window, at the end where reading goes on
  std::uint64_t incomplete_ = 0;
};

// Two filters that divide the entries of `sample`. All entries have one timestamp and no error mark. Each filter, appended to
// the query, passes exactly what the other one drops. Empty strings when the entries cannot be told apart.
struct QuerySplit {
  std::string left, right;
  std::size_t left_known = 0, right_known = 0;  // how many entries of the sample surely pass
};
QuerySplit split_query(record::Batch& sample);

}  // namespace weir::loki
