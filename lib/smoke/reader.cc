#include "smoke/reader.h"

#include "loki/query_pager.h"
#include "record/record.h"

#include <fmt/format.h>

#include <charconv>

namespace weir::smoke {

using base::Result;

namespace {

// Of the JSON string of a sample's value: "12".
std::uint64_t whole(const record::Record& sample) {
  std::string_view text = sample.extra == nullptr ? std::string_view() : sample.extra->value;
  if (text.size() >= 2) text = text.substr(1, text.size() - 2);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value > 0 ? static_cast<std::uint64_t>(value + 0.5) : 0;
}

}  // namespace

Result<std::unique_ptr<Reader>> Reader::create(const loki::QueryClientConfig& config, bool patient, base::Clock& clock,
                                               base::Diagnostics& diagnostics, const base::Stop* stop) {
  loki::QueryClientConfig mine = config;
  if (!patient) mine.attempts = 1;
  auto client = loki::QueryClient::create(std::move(mine), clock, diagnostics, stop);
  if (!client) return std::move(client).error();
  return std::unique_ptr<Reader>(new Reader(std::move(*client), clock));
}

Result<void> Reader::probe(const std::string& selector) {
  record::Batch batch;
  const base::Timestamp now = clock_.wall();
  const auto page = client_->page({.query = selector, .window = {now - base::kSecond, now}, .limit = 1}, batch);
  if (!page) return page.error();
  return {};
}

Result<void> Reader::list(const std::string& query, const base::TimeRange& window, const Visit& visit, Empty empty) {
  loki::QueryPager pager(*client_, query, window, loki::Direction::forward, {.check_empty = empty == Empty::checked});
  record::Batch batch;
  for (;;) {
    batch.clear();
    const auto more = pager.next(batch);
    if (!more) return more.error();
    if (!*more) return {};
    for (record::Record& record : batch.records) {
      visit({record.timestamp, batch.line(record), record.metadata, record.labels->labels()});
    }
  }
}

Result<std::uint64_t> Reader::number(const std::string& query, base::Timestamp time) {
  record::Batch batch;
  if (auto got = client_->instant(query, time, batch); !got) return std::move(got).error();
  return batch.records.empty() ? 0 : whole(batch.records.front());
}

Result<void> Reader::numbers(const std::string& query, base::Timestamp time, std::string_view label,
                             const std::function<void(std::string_view label_value, std::uint64_t value)>& visit) {
  record::Batch batch;
  if (auto got = client_->instant(query, time, batch); !got) return got;
  for (const record::Record& sample : batch.records) visit(sample.labels->get(label), whole(sample));
  return {};
}

}  // namespace weir::smoke
