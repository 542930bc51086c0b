// The words of `weir query`: what is asked.
//
//   [logs] [LOGQL]        labels [NAME] [SELECTOR]        series [SELECTOR]
//   stats [SELECTOR]      volume [SELECTOR]               fields [LOGQL]       values NAME [LOGQL]       fmt [LOGQL]
//
// and as logcli has them: query, instant-query, detected-fields LOGQL [NAME].
#pragma once

#include "base/result.h"
#include "stages/query.h"
#include "tail/selection.h"

#include <string>
#include <vector>

namespace weir::cli {

struct QueryQuestion {
  stages::QuerySpec::What what = stages::QuerySpec::What::records;
  std::string label;
  std::string logql;     // narrowed to the selection
  bool instant = false;  // the word says so
  bool input = false;    // the query of `fmt` comes from standard input
};

// What surrounds the words, to explain a mistake in them.
struct QueryWordsContext {
  bool asks_loki = true;
  bool time_given = false;
  bool follow = false;
};

// Code::usage for words that are no question, such as a second query; Code::config for a query that cannot be narrowed to
// `selection` because it does not parse. Looks at the first bytes of a file that a word names: it may be a spool.
[[nodiscard]] base::Result<QueryQuestion> read_query_words(const std::vector<std::string>& words, const tail::Selection& selection,
                                                           const QueryWordsContext& context);

}  // namespace weir::cli
