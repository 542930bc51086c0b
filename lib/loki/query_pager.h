// All entries of a log query, page by page: none missing, none twice, whatever Loki's limit for one answer is.
//
// A full page is trusted only up to its last timestamp: entries at that time are dropped and asked for again at the head of
// the next page, so that no entry ever has to be recognised as seen before. Where one timestamp alone fills a page, it is
// divided by adding filters to the query (a label's value or not, lines that match a prefix or not) until each part fits.
// Entries that cannot be told apart by any of these and are more than fit are the only ones that can be lost; this is counted.
//
// A server that does not keep to the window it is asked for cannot be paged: entries outside of it are dropped, and a full page
// that gets no further for them is an error.
//
// A request costs Loki by the time it covers, too, not only by its limit. So only the first page asks for everything, the next ones
// for about as much time as a page of entries took so far.
#pragma once

#include "loki/query_client.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::loki {

class QueryPager {
 public:
  struct Options {
    std::uint32_t first_page = 500;     // entries of the first request: what an entry weighs is not known yet
    std::uint32_t max_page = 5000;      // Loki's default max_entries_limit_per_query; made smaller when Loki says so
    std::size_t page_bytes = 2 << 20;   // pages are sized to be about this large
  };
  // The window must be absolute and is fixed: what arrives while paging does not disturb. `client` must outlive the pager.
  QueryPager(QueryClient& client, std::string query, base::TimeRange window, Direction direction)
      : QueryPager(client, std::move(query), window, direction, Options()) {}
  QueryPager(QueryClient& client, std::string query, base::TimeRange window, Direction direction, Options options);

  // Appends the next entries to `out`, oldest first within this call; calls follow each other in the pager's direction.
  // False when there are no more. A metric query is answered whole by the first call.
  base::Result<bool> next(record::Batch& out);

  // True while entries of the timestamp that came last are still to come.
  [[nodiscard]] bool within_timestamp() const { return !parts_.empty(); }
  // How many timestamps have entries that could not be read.
  [[nodiscard]] std::uint64_t incomplete() const { return incomplete_; }
  // How many entries at most are wanted from here on: keeps pages from being larger than needed. 0: all.
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

  QueryClient& client_;
  std::string query_;
  base::TimeRange window_;  // what is still to be read
  Direction direction_;
  Options options_;
  base::Duration step_ = 0;
  std::uint64_t expected_ = 0;
  std::uint32_t limit_;
  base::Duration slice_ = 0;  // how much time a request asks for; 0: all that is left
  bool light_ = true;         // pages may grow: no answer was too large yet
  bool done_ = false;
  bool metric_ = false;
  base::Timestamp instant_ = 0;      // the timestamp that is being divided
  std::vector<std::string> parts_;   // its parts still to be read: what is appended to the query; last first
  bool divisible_ = true;
  std::uint64_t incomplete_ = 0;
};

// Two filters that part the entries of `sample` (all of one timestamp, none marked with an error): appended to the query one
// passes exactly what the other does not. Empty strings when the entries cannot be told apart.
struct QuerySplit {
  std::string left, right;
};
QuerySplit split_query(record::Batch& sample);

}  // namespace weir::loki
