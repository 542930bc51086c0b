// The records that a log query takes.
#pragma once

#include "logql/log_query.h"
#include "scan/matcher.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace weir::scan {

class LogMatcher : public Matcher {
 public:
  struct Options {
    bool as_stored = false;                                     // the query only selects, and changes nothing
    bool gaps = false;                                          // records that report a gap match when the selector takes them
    bool times = false;                                         // only the times are asked for: records come as they are stored
    std::function<bool(const record::LabelSet&)> streams = {};  // leaves out others beside those of the query; may be null
  };
  LogMatcher(logql::LogQuery query, Options options) : query_(std::move(query)), options_(std::move(options)) {}

  [[nodiscard]] bool selects(const record::LabelSet& labels) const override {
    return query_.selects(labels) && (!options_.streams || options_.streams(labels));
  }
  // A gap record need not have the words of the lines that are searched for.
  [[nodiscard]] std::span<const std::vector<std::string>> needles() const override {
    return options_.gaps ? std::span<const std::vector<std::string>>() : query_.needles();
  }
  [[nodiscard]] bool reads_line() const override { return !options_.times || query_.reads_line(); }
  base::Result<void> take(record::Batch& block, std::uint32_t index, Matches& out) override;

 private:
  void add_changed(const record::Record& record, const logql::LogQuery::Entry& entry, Matches& out);

  logql::LogQuery query_;
  Options options_;
  std::string text_;
  std::vector<record::Label> parsed_;
};

}  // namespace weir::scan
