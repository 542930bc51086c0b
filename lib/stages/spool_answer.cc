#include "stages/spool_answer.h"

#include "record/json.h"
#include "scan/spool_scan.h"
#include "stages/answer_source.h"
#include "stages/query_metrics.h"
#include "stages/unmatched.h"

#include <algorithm>
#include <set>

namespace weir::stages {

using base::Code;
using base::fail;
using base::Result;
using pipeline::Context;
using pipeline::Flow;
using pipeline::Outlet;
using record::Batch;
using record::Label;
using record::LabelSetRef;

namespace {

class SpoolAnswer : public AnswerSource {
 public:
  SpoolAnswer(QuerySpec spec, const Context& context, std::unique_ptr<scan::SpoolScan> scan)
      : AnswerSource(std::move(spec), context), scan_(std::move(scan)) {}

  Result<void> run(Outlet& out, base::Stop& stop) override {
    auto result = spec_.what == QuerySpec::What::records ? records(out, stop) : streams(out);
    progress_.end();
    unreadable_.add(scan_->unreadable_blocks());
    finished_ = result.ok();
    if (finished_ && shown() == 0) {
      explain_nothing(spec_.spools, spec_.range, scan_->unreadable_blocks());
      if (why_.empty() && !spec_.label.empty()) why_ = explain_no_values(spec_.label, names_);
    }
    return result;
  }

 private:
  Result<void> records(Outlet& out, const base::Stop& stop) {
    bool interrupted = false;
    scan_->watch([&](const scan::SpoolScan::Work& work) {
      show_progress(work.done, work.all, work.done, shown());
      interrupted = interrupted || stop.stopped();
      return !interrupted;
    });
    if (spec_.limit > 0 && !spec_.forward) {
      const auto older = scan_->keep_newest(spec_.limit);
      if (!older) return older.error();
      more_ = *older;
    }
    if (spec_.limit > 0 && spec_.forward) scan_->expect_at_most(spec_.limit + 1);  // one more shows that there are more
    if (interrupted) return fail(Code::interrupted, "interrupted while reading {}", spools_in_words(spec_.spools));
    auto result = scan_->run([&](Batch& batch) -> Result<bool> {
      interrupted = stop.stopped();
      if (interrupted) return false;
      if (spec_.forward) return emit_up_to_limit(out, batch);
      const auto flow = emit(out, batch);
      if (!flow) return flow.error();
      return *flow == Flow::more;
    });
    if (result && interrupted) return fail(Code::interrupted, "interrupted while reading {}", spools_in_words(spec_.spools));
    return result;
  }

  Result<void> streams(Outlet& out) {
    auto series = scan_->series();
    if (!series) return std::move(series).error();
    if (spec_.what == QuerySpec::What::series) return emit_series(out, *series);
    std::set<std::string> names;
    for (const LabelSetRef& set : *series) {
      for (const Label& label : set->labels()) {
        if (!spec_.label.empty()) names_.emplace_back(label.name);
        if (spec_.label.empty()) {
          names.emplace(label.name);
        } else if (label.name == spec_.label) {
          names.emplace(label.value);
        }
      }
    }
    std::vector<std::string> lines(names.begin(), names.end());
    if (spec_.json)
      std::transform(lines.begin(), lines.end(), lines.begin(), [](const std::string& name) { return record::json_string(name); });
    return emit_lines(out, lines);
  }

  std::unique_ptr<scan::SpoolScan> scan_;
  metrics::Counter unreadable_ = block_.counter(kQueryUnreadableBlocks);
  std::vector<std::string> names_;  // of the labels there are, where the values of one were asked for
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_spool_answer(const QuerySpec& spec, const Context& context) {
  auto scan = open_scan(spec, spec.logql, spec.range, *context.diagnostics);
  if (!scan) return std::move(scan).error();
  return std::unique_ptr<pipeline::Source>(std::make_unique<SpoolAnswer>(spec, context, std::move(*scan)));
}

}  // namespace weir::stages
