// Reads the records of a run back from Loki.
#pragma once

#include "base/time_range.h"
#include "loki/query_client.h"
#include "smoke/verdict.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace weir::smoke {

// Not thread safe.
class Reader {
 public:
  // `patient` asks again when Loki has trouble that may pass; else the first trouble is an error. The other arguments outlive it.
  static base::Result<std::unique_ptr<Reader>> create(const loki::QueryClientConfig& config, bool patient, base::Clock& clock,
                                                      base::Diagnostics& diagnostics, const base::Stop* stop);

  // Asks for nothing, to learn whether Loki answers queries.
  base::Result<void> probe(const std::string& selector);

  // Everything that `query` shows in `window`, in the order of time. Views last as long as the call.
  using Visit = std::function<void(const Arrived&)>;
  enum class Empty : bool { believed, checked };  // what becomes of an empty answer: loki::QueryClient::page()
  base::Result<void> list(const std::string& query, const base::TimeRange& window, const Visit& visit,
                          Empty empty = Empty::checked);

  // The value of a metric query that gives one number; 0 when it gives none.
  base::Result<std::uint64_t> number(const std::string& query, base::Timestamp time);
  // Calls visit(value of `label`, value of the series) for each series.
  base::Result<void> numbers(const std::string& query, base::Timestamp time, std::string_view label,
                             const std::function<void(std::string_view label_value, std::uint64_t value)>& visit);

 private:
  Reader(std::unique_ptr<loki::QueryClient> client, base::Clock& clock) : client_(std::move(client)), clock_(clock) {}
  std::unique_ptr<loki::QueryClient> client_;
  base::Clock& clock_;
};

}  // namespace weir::smoke
