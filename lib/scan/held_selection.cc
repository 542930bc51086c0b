#include "scan/held_selection.h"

#include "logql/log_query.h"
#include "spool/reader.h"

#include <algorithm>
#include <utility>

namespace weir::scan {

using base::Code;
using base::Result;
using spool::BlockInfo;
using spool::StreamInfo;

Result<HeldSelected> select_held(const std::string& spool, const std::string& text, const spool::TimeRange& range,
                                 base::Diagnostics& diagnostics, const base::Stop* stop,
                                 const std::function<Result<void>(std::uint64_t block, spool::OrdinalSet ordinals)>& each) {
  auto query = logql::LogQuery::compile(text, {.selector_optional = true});
  if (!query) return std::move(query).error();
  auto reader = spool::Reader::open(spool);
  if (!reader) return std::move(reader).error();
  auto blocks = (*reader)->list({.time = range});
  if (!blocks) return std::move(blocks).error();
  HeldSelected selected;
  if (const auto missing = (*reader)->missing()) {
    ++selected.unreadable_blocks;
    diagnostics.say(*missing);
  }
  spool::LoadOptions options;
  options.range = range;
  options.stream = [&](const StreamInfo& stream) {
    return range.touches(stream.min_timestamp, stream.max_timestamp) && query->selects(*stream.labels);
  };
  options.needles = query->needles();
  record::Batch batch;
  for (const BlockInfo& block : *blocks) {
    if (stop != nullptr && stop->stopped()) return base::fail(Code::interrupted, "cannot select held records: stopped");
    if (block.held == 0) continue;
    batch.records.clear();
    batch.clear();
    auto loaded = (*reader)->load(block.id, options, batch);
    if (!loaded && loaded.error().code != Code::corrupt) return std::move(loaded).error();
    if (!loaded) {
      ++selected.unreadable_blocks;
      diagnostics.say(loaded.error().message);
      continue;
    }
    spool::OrdinalSet ordinals;
    for (record::Record& record : batch.records) {
      if (!record.held || !query->matches(record, batch)) continue;
      ordinals.add(record.source.ordinal);
      selected.line_bytes += record.line.data.size();
    }
    if (ordinals.empty()) continue;
    ++selected.blocks;
    selected.records += ordinals.count();
    if (auto taken = each(block.id, std::move(ordinals)); !taken) return std::move(taken).error();
  }
  return selected;
}

Result<ReleaseAsked> ask_for_release(const std::string& spool, const spool::ReleaseOrder& order, base::Duration wait,
                                     const base::Clock& clock, base::Diagnostics& diagnostics, const base::Stop* stop) {
  // Before anything is left in the spool.
  if (auto query = logql::LogQuery::compile(order.query, {.selector_optional = true}); !query) return std::move(query).error();
  auto request = spool::ReleaseRequest::begin(spool, order, wait, clock, stop);
  if (!request) return std::move(request).error();
  ReleaseAsked asked;
  asked.known = !*request;
  if (asked.known) return asked;
  auto selected =
      select_held(spool, order.query, order.range, diagnostics, stop,
                  [&](std::uint64_t block, spool::OrdinalSet ordinals) { return (*request)->add(block, std::move(ordinals)); });
  if (!selected) return std::move(selected).error();
  // The name may be used again: what is to match it may come into the spool later.
  if (selected->records == 0) return asked;
  auto row = (*request)->finish();
  if (!row) return std::move(row).error();
  asked.selected = *selected;
  asked.row = std::move(*row);
  return asked;
}

}  // namespace weir::scan
