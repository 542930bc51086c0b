#include "stages/summary_answer.h"

#include "base/visible.h"
#include "record/json.h"
#include "record/timestamp.h"
#include "scan/detected_fields.h"
#include "scan/spool_scan.h"
#include "scan/volume.h"
#include "stages/answer_source.h"
#include "stages/query_metrics.h"
#include "stages/unmatched.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace weir::stages {
namespace {

using base::Code;
using base::fail;
using base::Result;
using pipeline::Context;
using pipeline::Outlet;
using record::Batch;
using record::json_string;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using record::Record;
using What = QuerySpec::What;

using loki::LabelVolume;

std::vector<std::string> stats_lines(const loki::IndexStats& stats, bool of_loki, bool json) {
  if (json) {
    return {fmt::format(R"({{"streams":{},"chunks":{},"bytes":{},"entries":{}}})", stats.streams, stats.chunks, stats.bytes,
                        stats.entries)};
  }
  return {fmt::format("streams  {}", stats.streams), fmt::format("{}   {}", of_loki ? "chunks" : "blocks", stats.chunks),
          fmt::format("bytes    {} ({})", stats.bytes, record::print_size(stats.bytes)), fmt::format("entries  {}", stats.entries)};
}

std::vector<std::string> volume_lines(const std::vector<LabelVolume>& volumes, bool json) {
  std::vector<std::string> lines, sizes;
  std::size_t width = 0;
  for (const LabelVolume& one : volumes) {
    sizes.push_back(record::print_size(one.bytes));
    width = std::max(width, sizes.back().size());
  }
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    const LabelVolume& one = volumes[i];
    if (json) {
      lines.push_back(one.name.empty() ? fmt::format(R"({{"labels":{},"bytes":{}}})", one.labels->json(), one.bytes)
                                       : fmt::format(R"({{"label":{},"bytes":{}}})", json_string(one.name), one.bytes));
    } else {
      lines.push_back(fmt::format("{:>{}}  {}", sizes[i], width, one.name.empty() ? AnswerSource::printed(*one.labels) : one.name));
    }
  }
  return lines;
}

std::vector<std::string> field_lines(const std::vector<loki::DetectedField>& fields, bool json) {
  std::vector<std::string> lines;
  std::size_t width = 0;
  for (const auto& field : fields) width = std::max(width, field.name.size());
  for (const auto& field : fields) {
    if (json) {
      std::vector<std::string> parsers;
      for (const std::string& parser : field.parsers) parsers.push_back(json_string(parser));
      lines.push_back(fmt::format(R"({{"label":{},"type":{},"cardinality":{},"parsers":{}}})", json_string(field.name),
                                  json_string(field.type), field.cardinality,
                                  parsers.empty() ? "null" : fmt::format("[{}]", fmt::join(parsers, ","))));
    } else {
      lines.push_back(fmt::format("{:<{}}  {:<8}  {:>5}  {}", field.name, width, field.type, field.cardinality,
                                  field.parsers.empty() ? "metadata" : fmt::format("{}", fmt::join(field.parsers, ", "))));
    }
  }
  return lines;
}

// Why there are no values of a field.
std::string is_stream_label(const std::string& name) {
  return fmt::format("{0} is a stream label, no field; its values: weir query labels {0}", base::escape_control(name));
}

// The first of `labels` that none of `names` is; "" when all are there.
std::string explain_no_label(const std::vector<std::string>& labels, const std::vector<std::string>& names) {
  for (const std::string& label : labels) {
    if (std::string why = explain_no_values(label, names); !why.empty()) return why;
  }
  return {};
}

std::vector<LabelVolume> as_of_loki(std::vector<scan::Volume> volumes) {
  std::vector<LabelVolume> all;
  for (scan::Volume& one : volumes) all.push_back({std::move(one.labels), std::move(one.name), one.bytes});
  return all;
}

std::vector<loki::DetectedField> as_of_loki(std::vector<scan::DetectedField> fields) {
  std::vector<loki::DetectedField> all;
  for (scan::DetectedField& one : fields)
    all.push_back({std::move(one.name), std::move(one.type), one.cardinality, std::move(one.parsers)});
  return all;
}

class SpoolSummary : public AnswerSource {
 public:
  SpoolSummary(QuerySpec spec, const Context& context, std::unique_ptr<scan::SpoolScan> scan)
      : AnswerSource(std::move(spec), context), scan_(std::move(scan)) {}

  Result<void> run(Outlet& out, base::Stop& stop) override {
    auto lines = gather(stop);
    progress_.end();
    unreadable_.add(scan_->unreadable_blocks());
    if (lines && stop.stopped()) return fail(Code::interrupted, "interrupted while reading {}", spools_in_words(spec_.spools));
    if (!lines) return std::move(lines).error();
    auto emitted = emit_lines(out, *lines);
    finished_ = emitted.ok();
    if (finished_ && shown() == 0) {
      explain_nothing(spec_.spools, spec_.range, scan_->unreadable_blocks());
      if (why_.empty() && spec_.what == What::values) why_ = explain_values();
      if (why_.empty() && spec_.what == What::volume) why_ = explain_no_label(spec_.by, label_names());
    }
    return emitted;
  }

 private:
  Result<std::vector<std::string>> gather(base::Stop& stop) {
    scan_->watch([&](const scan::SpoolScan::Work& work) {
      show_progress(work.done, work.all, work.done, 0);
      return !stop.stopped();
    });
    switch (spec_.what) {
      case What::stats:
        return stats();
      case What::volume:
        return volume();
      default:
        return fields();
    }
  }

  template <typename Add>
  Result<void> each_record(const Add& add) {
    return scan_->run([&](Batch& batch) -> Result<bool> {
      for (Record& record : batch.records) add(record, batch);
      return true;
    });
  }

  Result<std::vector<std::string>> stats() {
    loki::IndexStats stats;
    scan_->keep_as_stored();
    std::map<const LabelSet*, LabelSetRef> sets;
    std::map<std::string, std::set<const LabelSet*>, std::less<>> streams;  // of each tenant
    auto read = each_record([&](Record& record, Batch& batch) {
      sets.try_emplace(record.labels, LabelSetRef::share(record.labels));
      auto tenant = streams.find(record.tenant);
      if (tenant == streams.end()) tenant = streams.try_emplace(std::string(record.tenant)).first;
      tenant->second.insert(record.labels);
      stats.bytes += batch.line(record).size();
      ++stats.entries;
    });
    if (!read) return std::move(read).error();
    for (const auto& [tenant, of_tenant] : streams) stats.streams += of_tenant.size();
    auto blocks = scan_->count_blocks();
    if (!blocks) return std::move(blocks).error();
    stats.chunks = *blocks;
    if (stats.entries == 0) return std::vector<std::string>();
    return stats_lines(stats, false, spec_.json);
  }

  Result<std::vector<std::string>> volume() {
    scan_->keep_as_stored();
    scan::VolumeSum sum({.by = spec_.by, .selector = scan::selector_names(spec_.logql), .by_name = spec_.by_name});
    auto read = each_record([&](Record& record, Batch& batch) { sum.add(*record.labels, batch.line(record).size()); });
    if (!read) return std::move(read).error();
    return volume_lines(as_of_loki(up_to_limit(sum.largest(spec_.limit))), spec_.json);
  }

  Result<std::vector<std::string>> fields() {
    auto older = scan_->keep_newest(spec_.lines);
    if (!older) return std::move(older).error();
    scan::DetectedFields found(spec_.what == What::fields ? spec_.limit : 0);
    auto read = each_record([&](Record& record, Batch& batch) { found.add(record, batch); });
    if (!read) return std::move(read).error();
    if (spec_.what == What::fields) return field_lines(as_of_loki(up_to_limit(found.fields())), spec_.json);
    for (const auto& field : found.fields()) names_.push_back(field.name);
    auto values = up_to_limit(found.values(spec_.label));
    if (spec_.json)
      std::transform(values.begin(), values.end(), values.begin(), [](const std::string& v) { return json_string(v); });
    return values;
  }

  template <typename One>
  std::vector<One> up_to_limit(std::vector<One> all) {
    more_ = spec_.limit > 0 && all.size() >= spec_.limit;
    if (more_) all.erase(all.begin() + static_cast<std::ptrdiff_t>(spec_.limit), all.end());
    return all;
  }

  // Of all labels of the streams.
  [[nodiscard]] std::vector<std::string> label_names() const {
    std::set<std::string> names;
    const auto series = scan_->series();
    if (!series) return {};
    for (const LabelSetRef& set : *series) {
      for (const Label& label : set->labels()) names.emplace(label.name);
    }
    return {names.begin(), names.end()};
  }

  [[nodiscard]] std::string explain_values() const {
    const auto labels = label_names();
    if (std::find(labels.begin(), labels.end(), spec_.label) != labels.end()) return is_stream_label(spec_.label);
    return explain_no_values(spec_.label, names_);
  }

  std::unique_ptr<scan::SpoolScan> scan_;
  metrics::Counter unreadable_ = block_.counter(kQueryUnreadableBlocks);
  std::vector<std::string> names_;  // of the fields there are, where the values of one were asked for
};

class LokiSummary : public AnswerSource {
 public:
  LokiSummary(QuerySpec spec, const Context& context) : AnswerSource(std::move(spec), context) {}

  Result<void> run(Outlet& out, base::Stop&) override {
    auto config = spec_.loki;
    config.http.cancelled = [this] { return context_.stop != nullptr && context_.stop->stopped(); };
    const auto client = loki::QueryClient::create(std::move(config), *context_.clock, *context_.diagnostics, context_.stop);
    if (!client) return client.error();
    auto lines = gather(**client);
    if (!lines) return std::move(lines).error();
    if (lines->empty() && (spec_.what == What::stats || spec_.what == What::volume)) look_beside_the_index(**client, *lines);
    auto emitted = emit_lines(out, *lines);
    finished_ = emitted.ok();
    if (finished_ && shown() == 0 && why_.empty()) why_ = explain(**client);
    return emitted;
  }

 private:
  // The index may count nothing where records are.
  void look_beside_the_index(loki::QueryClient& client, std::vector<std::string>& lines) {
    auto names = client.labels(spec_.range, spec_.logql);
    if (!names || names->empty()) return;
    why_ = explain_no_label(spec_.by, *names);
    if (!why_.empty()) return;
    if (!spec_.logql.empty()) {
      const auto newest = newest_in_loki(client, spec_.logql, spec_.range);
      if (!newest || !*newest) return;
    }
    why_ = "Loki's index counts nothing here, but there are records: it does not count what is not flushed yet";
    if (spec_.what != What::stats) return;
    lines = stats_lines({}, true, spec_.json);
    if (!spec_.quiet) context_.diagnostics->say(why_);
  }

  [[nodiscard]] std::string explain(loki::QueryClient& client) const {
    if (spec_.what == What::values) {
      const auto names = client.labels(spec_.range, {});
      if (names && std::find(names->begin(), names->end(), spec_.label) != names->end()) return is_stream_label(spec_.label);
    }
    std::string why = explain_nothing_in_loki(client, spec_.logql, spec_.range, context_.clock->wall());
    return why.empty() && spec_.when_empty.empty() ? nothing_in(spec_.range) : why;
  }

  // Loki wants a selector everywhere; this one takes all.
  [[nodiscard]] std::string selector() const { return spec_.logql.empty() ? "{}" : spec_.logql; }

  Result<std::vector<std::string>> gather(loki::QueryClient& client) {
    const metrics::Wait waits(context_.driver, metrics::On::loki);
    const loki::QueryClient::FieldsRequest request = {
        .query = spec_.logql, .window = spec_.range, .limit = spec_.limit > 0 ? spec_.limit : kAll, .lines = spec_.lines};
    if (spec_.what == What::stats) {
      auto stats = client.stats(spec_.range, selector());
      if (!stats) return std::move(stats).error();
      return stats->entries == 0 && stats->streams == 0 ? std::vector<std::string>() : stats_lines(*stats, true, spec_.json);
    }
    if (spec_.what == What::volume) return volume(client);
    if (spec_.what == What::fields) {
      auto fields = client.fields(request);
      if (!fields) return std::move(fields).error();
      note_limit(fields->size());
      return field_lines(*fields, spec_.json);
    }
    auto values = client.field_values(spec_.label, request);
    if (values) note_limit(values->size());
    if (values && spec_.json) {
      std::transform(values->begin(), values->end(), values->begin(), [](const std::string& v) { return json_string(v); });
    }
    return values;
  }

  // Loki does not say whether there are more than were asked for: where it gives so many, there may be.
  void note_limit(std::size_t given) { more_ = spec_.limit > 0 && given >= spec_.limit; }

  Result<std::vector<std::string>> volume(loki::QueryClient& client) {
    const std::string query = selector();
    auto volumes = client.volume({.selector = query,
                                  .window = spec_.range,
                                  .limit = spec_.limit > 0 ? spec_.limit : kAll,
                                  .labels = spec_.by,
                                  .by_name = spec_.by_name});
    if (!volumes) return std::move(volumes).error();
    note_limit(volumes->size());
    return volume_lines(*volumes, spec_.json);
  }

  static constexpr std::uint64_t kAll = 100'000;
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_summary_answer(const QuerySpec& spec, const Context& context) {
  if (!spec.with_spool.empty()) {
    return fail(Code::config, "cannot sum up Loki and a spool together")
        .with_hint("ask one of them: leave --with-spool out, or use --spool instead");
  }
  if (spec.spools.empty()) return std::unique_ptr<pipeline::Source>(std::make_unique<LokiSummary>(spec, context));
  auto scan = open_scan(spec, spec.logql, spec.range, *context.diagnostics);
  if (!scan) return std::move(scan).error();
  return std::unique_ptr<pipeline::Source>(std::make_unique<SpoolSummary>(spec, context, std::move(*scan)));
}

}  // namespace weir::stages
