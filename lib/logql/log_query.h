// A LogQL log query over records: what `weir filter`, rules, `replay` and `query --spool` ask of every record. The meaning is
// Loki's; where Loki reorders stages, drops a line early or anchors a regular expression, so does this.
//
//   auto query = LogQuery::compile(R"({namespace="shop"} | json | status >= 500)", {});
//   if (query->matches(record, batch)) …
//
// Compiled once, then asked for millions of records. Movable, not copyable, not thread safe (not even its const methods: they
// cache): compile one for each thread. Nothing is allocated per record once the buffers have grown.
#pragma once

#include "base/result.h"
#include "logql/ast.h"
#include "logql/needles.h"
#include "record/record.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::logql {

struct ParseOptions {
  // Records at hand need no selector: "", `|= "x"` and `{}` mean every record. Loki refuses all three.
  bool selector_optional = false;
};

class LogQuery {
 public:
  // Code::config. The message is Loki's ("parse error at line 1, col 6: …"); the hint holds the line of the query and a caret
  // under the column when there is one. A metric query is an error that says so.
  static base::Result<LogQuery> compile(std::string_view text, const ParseOptions& options);
  // The same of a tree. `text` is what it was parsed from, for errors to point into, or "".
  static base::Result<LogQuery> compile(LogExpr expr, std::string_view text);
  // The log query of a range, and behind it what unwraps a label: a record passes when it is a sample, and run() gives its value.
  static base::Result<LogQuery> compile(const LogRange& range, std::string_view text);

  // The stream selector alone, for blocks and files. Cached by the address of the set, of which a reference is kept.
  [[nodiscard]] bool selects(const record::LabelSet& labels) const;

  // Whether the query passes the record. Decodes the line into the batch where it must be looked at; changes nothing else.
  // A record on which a stage sets __error__ passes unless a filter says otherwise (see errored()). Markers never match.
  bool matches(record::Record& record, record::Batch& batch);

  // Why nothing matched: whether the selector took any label set that it was asked about, and which those were, the latest few
  // thousand. A query without a selector takes all and keeps none.
  [[nodiscard]] bool selected_any() const;
  [[nodiscard]] std::vector<record::LabelSetRef> label_sets_seen() const;

  // Of the latest record that matches() or run() passed: whether __error__ is set on it, and to what ("JSONParserErr").
  [[nodiscard]] bool errored() const;
  [[nodiscard]] std::string_view error() const;
  // True when a filter of the query names __error__, so that a record with an error is passed on purpose.
  [[nodiscard]] bool asks_for_error() const;

  // What a query shows of a record. Names within one category are unique; no name is in two of them. In no particular order.
  struct Entry {
    std::string_view line;
    std::span<const record::Label> labels;    // of the stream
    std::span<const record::Label> metadata;  // structured metadata
    std::span<const record::Label> parsed;    // extracted or formatted; with __error__ and __error_details__ when errored
    bool errored = false;
    std::string_view error;
    double value = 0;  // of the unwrapped label
  };
  // As matches(); when true, `out` is what remains after all stages. Its views are valid until the next call of matches() or
  // run() and as long as the batch. Evaluates a record once; while most of those that get as far as a parser fail behind it, first
  // for the verdict alone, which extracts less.
  bool run(record::Record& record, record::Batch& batch, Entry& out);

  // Of what parsers extract, run() is asked for these names only: they extract no others, but for what the stages themselves
  // read. So `parsed` may hold a few more, and an error is still noticed. Before the first run().
  void extract_only(std::vector<std::string> names);
  // As extract_only(), but parsers stop once they have found all names, and errors behind that place go unnoticed, as in Loki's
  // metric queries. True when the names or a filter ask for __error__.
  bool extract_until_found(std::vector<std::string> names);

  // Whether its stages read labels by their names.
  [[nodiscard]] bool asks_for_names() const;

  // Whether a stage may change what run() shows of records, other than by __error__.
  [[nodiscard]] bool rewrites() const;
  // Whether run() shows this record, if it passes without an error, as it is: no stage changes anything, and no metadata has to go
  // by another name.
  [[nodiscard]] bool shows_unchanged(const record::Record& record) const;

  // Groups of byte strings: every line that passes contains one of each group. To search raw blocks with. Taken from |= filters and
  // from literals of |~ ; empty when nothing is certain.
  [[nodiscard]] std::span<const Needles> needles() const;

  // Whether the verdict and what run() shows may depend on the line. Without, records may come with an empty one.
  [[nodiscard]] bool reads_line() const;

  [[nodiscard]] const LogExpr& expr() const;  // print() (printer.h) gives its canonical form

  LogQuery(LogQuery&&) noexcept;
  LogQuery& operator=(LogQuery&&) noexcept;
  LogQuery(const LogQuery&) = delete;  // carries caches and scratch memory
  LogQuery& operator=(const LogQuery&) = delete;
  ~LogQuery();

 private:
  struct Compiled;
  explicit LogQuery(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace weir::logql
