// The records of a Loki, and what it lacks out of a spool: what the answers of `weir query --with-spool` have in common.
//
// Both are read in the order of time, side by side, and neither is kept: what is in memory is, for each question, a page of Loki's
// and the spool's records of one time, and a batch of the spool's. Records are the same when their streams, times, lines and
// metadata are; where Loki takes no metadata, the other three count. Whether a label is one of the stream or metadata is not
// compared, since Loki mixes them up. Of equal records there are as many as the one of the two has that has more. Loki's come first
// at each time.
//
// A record of the spool is what it would be in Loki (stored_as_pushed.h), and the question is asked about that. service_name and
// detected_level do not tell records apart, since a Loki may be told to give none. Records of a tenant other than the one that is
// asked for are left out.
#pragma once

#include "logql/log_query.h"
#include "loki/query_client.h"
#include "scan/damage.h"
#include "scan/spool_scan.h"
#include "stages/answer_source.h"
#include "stages/query_metrics.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::stages {

class MergedSource : public AnswerSource {
 public:
  using AnswerSource::AnswerSource;

  // Makes the client and opens the spool, once, before run(). Errors: those of a spool and of a client.
  base::Result<void> open();

 protected:
  struct Question {
    logql::LogQuery query;   // comparable_part() of a query
    std::string text;        // the same for Loki
    base::TimeRange window;  // of the records
  };
  // A record that the question of this index takes, as it is stored: no stage of a query has changed it. Valid during the call.
  // False: no more records are wanted.
  using Each = std::function<base::Result<bool>(std::size_t question, record::Record& record, record::Batch& batch, bool of_loki)>;

  // Calls `each` with the records of all questions together in the order of time. A record that two questions take comes once for
  // each of them. The spool is read once, whatever the number of questions. No time is read by two calls. Counts and reports what
  // could not be read. Errors: those of Loki, of the spool and of `each`, and Code::interrupted.
  base::Result<void> read(std::vector<Question> questions, const Each& each, const base::Stop& stop);

  // A scan of everything in the spool in this time. All of them share one account of what cannot be read.
  base::Result<std::unique_ptr<scan::SpoolScan>> open_scan(const base::TimeRange& range) const;
  // Counts the blocks that scans could not read so far.
  void note_damage() { unreadable_.reach(damage_.unreadable()); }
  // Says why nothing was found in this time: by the records of the selector that Loki has, where it has some in this time or the
  // spool knows none at all; else by what the spool has.
  void explain_nothing_in_both(const base::TimeRange& window);

  [[nodiscard]] loki::QueryClient& client() const { return *client_; }

 private:
  class Merge;
  // Whether the spool has a stream of the query's first selector, of whatever time.
  [[nodiscard]] bool is_in_spool() const;

  scan::Damage damage_{*context_.diagnostics};
  std::unique_ptr<loki::QueryClient> client_;
  metrics::Counter unreadable_ = block_.counter(kQueryUnreadableBlocks);
  metrics::Counter incomplete_ = block_.counter(kQueryIncomplete);
};

// What Loki and the spool are both asked for a log query: every record that it takes, and as it is stored, so that the answers can
// be compared. That is the selector, the filters on labels in front of the first stage that makes, renames or drops labels, and the
// line filters in front of the first stage that changes lines. Behind a parser, Loki gives a label that the parser made as
// metadata, and metadata as made by the parser, where another record of its answer has the other of the two. A filter that asks for
// __error__ is left out: what sets it is not always asked.
[[nodiscard]] logql::LogExpr comparable_part(const logql::LogExpr& query);

}  // namespace weir::stages
