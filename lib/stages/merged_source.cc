#include "stages/merged_source.h"

#include "logql/parser.h"
#include "loki/query_pager.h"
#include "names/level.h"
#include "names/service_name.h"
#include "stages/stored_as_pushed.h"
#include "stages/unmatched.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace weir::stages {

using base::Result;
using base::Timestamp;
using record::Batch;
using record::Label;
using record::Record;

namespace {

// Two records of one time are the same when these are. Where one stream has a label that a record of another stream has as
// metadata, Loki gives it for both of them as the one or the other; so it is not asked which it is. Loki finds the level by the
// line.
std::string identity(std::span<const Label> labels, std::span<const Label> metadata, std::string_view line) {
  std::vector<Label> sorted;
  const auto tells_apart = [](const Label& label) {
    return label.name != names::kServiceName && label.name != names::kDetectedLevel;
  };
  std::ranges::copy_if(labels, std::back_inserter(sorted), tells_apart);
  std::ranges::copy_if(metadata, std::back_inserter(sorted), tells_apart);
  std::ranges::sort(sorted, {}, &Label::name);
  std::string key;
  for (const Label& label : sorted) {
    ((key += label.name) += '\0') += label.value;
    key += '\0';
  }
  key += '\n';
  return key += line;
}

template <typename... Nodes>
bool is_any_of(const logql::StageExpr& stage) {
  return (std::holds_alternative<Nodes>(stage.node) || ...);
}

bool changes_lines(const logql::StageExpr& stage) {
  return is_any_of<logql::LineFormatExpr, logql::UnpackExpr, logql::DecolorizeExpr>(stage);
}

bool changes_labels(const logql::StageExpr& stage) { return !is_any_of<logql::LineFilterExpr, logql::LabelFilterExpr>(stage); }

bool asks_for_error(const logql::LabelFilterExpr& filter) {
  return filter.matcher.name.starts_with("__error") || std::ranges::any_of(filter.legs, &asks_for_error);
}

}  // namespace

logql::LogExpr comparable_part(const logql::LogExpr& query) {
  logql::LogExpr part;
  part.matchers = query.matchers;
  bool labels_are_stored = true;
  for (const logql::StageExpr& stage : query.stages) {
    if (changes_lines(stage)) break;
    labels_are_stored = labels_are_stored && !changes_labels(stage);
    const auto* filter = std::get_if<logql::LabelFilterExpr>(&stage.node);
    const bool takes = filter != nullptr ? labels_are_stored && !asks_for_error(*filter) : !changes_labels(stage);
    if (takes) part.stages.push_back(stage);
  }
  return part;
}

// One reading of both.
class MergedSource::Merge {
 public:
  Merge(MergedSource& source, std::vector<Question> questions, const Each& each) : source_(source), each_(each) {
    sides_.reserve(questions.size());
    for (Question& question : questions) {
      loki::QueryPager::Options pages;
      if (source.spec_.page > 0) pages.max_page = source.spec_.page;
      loki::QueryPager pager(*source.client_, question.text, question.window, loki::Direction::forward, pages);
      sides_.push_back({std::move(question), std::move(pager)});
    }
  }

  Result<void> run(scan::SpoolScan& scan) {
    scan.keep_as_stored();
    scan.take_streams([this](const record::LabelSet& stored) {
      const record::LabelSet& labels = *pushed_.labels(stored);
      return std::ranges::any_of(sides_, [&](const Side& side) { return side.question.query.selects(labels); });
    });
    scan.take_blocks([this](const spool::BlockInfo& block) {
      return std::ranges::any_of(
          sides_, [&](const Side& side) { return side.question.window.touches(block.min_timestamp, block.max_timestamp); });
    });
    auto read = scan.run([this](Batch& batch) -> Result<bool> {
      for (Record& record : batch.records) {
        auto taken = take(record, batch);
        if (!taken || !wanted_) return taken ? Result<bool>(false) : Result<bool>(std::move(taken).error());
      }
      return true;
    });
    if (!read || !wanted_) return read;
    if (auto done = leave_time(); !done || !wanted_) return done;
    return loki_until(base::TimeRange::kForever);
  }

  // Timestamps with entries that Loki does not give.
  [[nodiscard]] std::uint64_t incomplete() const {
    std::uint64_t timestamps = 0;
    for (const Side& side : sides_) timestamps = std::max(timestamps, side.pager.incomplete());
    return timestamps;
  }

 private:
  struct Side {
    Question question;
    loki::QueryPager pager;
    Batch page = {};  // of Loki
    std::size_t next = 0;
    bool done = false;
    Batch at_time = {};                                  // the spool's records of time_
    std::vector<std::string> keys = {}, bare_keys = {};  // of each of them: identity(), with and without metadata
  };

  // A record of the spool.
  Result<void> take(Record& record, Batch& batch) {
    if (!record.tenant.empty() && record.tenant != source_.spec_.loki.tenant) return {};
    if (time_ && *time_ != record.timestamp) {
      if (auto left = leave_time(); !left || !wanted_) return left;
    }
    pushed_.apply(record, batch);
    for (Side& side : sides_) {
      logql::LogQuery& query = side.question.query;
      logql::LogQuery::Entry entry;
      if (!side.question.window.contains(record.timestamp) || !query.selects(*record.labels) || !query.run(record, batch, entry))
        continue;
      time_ = record.timestamp;
      side.at_time.add_copy(record);
      side.keys.push_back(identity(entry.labels, entry.metadata, entry.line));
      side.bare_keys.push_back(identity(entry.labels, {}, entry.line));
    }
    return {};
  }

  // Hands on Loki's entries up to time_, and of the spool's what is not among them.
  Result<void> leave_time() {
    if (!time_) return {};
    if (auto done = loki_until(*time_); !done || !wanted_) return done;
    for (std::size_t i = 0; i < sides_.size(); ++i) {
      if (auto done = leave_time(i); !done || !wanted_) return done;
    }
    time_.reset();
    return {};
  }

  // What was pushed to a Loki that takes no metadata is the same without.
  Result<void> leave_time(std::size_t index) {
    Side& side = sides_[index];
    if (side.at_time.records.empty()) return {};
    std::unordered_map<std::string, std::uint64_t> there;
    for (;;) {
      auto next = peek(side);
      if (!next) return std::move(next).error();
      if (*next == nullptr || (*next)->timestamp != *time_) break;
      Record& entry = **next;
      ++there[identity(entry.labels->labels(), entry.metadata, side.page.line(entry))];
      if (auto done = hand_on_next(index); !done || !wanted_) return done;
    }
    const auto is_there = [&](const std::string& key) {
      const auto found = there.find(key);
      if (found == there.end() || found->second == 0) return false;
      --found->second;
      return true;
    };
    std::vector<std::size_t> lacking;
    for (std::size_t i = 0; i < side.keys.size(); ++i) {
      if (!is_there(side.keys[i])) lacking.push_back(i);
    }
    for (const std::size_t i : lacking) {
      if (is_there(side.bare_keys[i])) continue;
      if (auto done = hand_on(index, side.at_time.records[i], side.at_time, false); !done || !wanted_) return done;
    }
    side.at_time.clear();
    side.at_time.records.clear();
    side.keys.clear();
    side.bare_keys.clear();
    return {};
  }

  // Hands on Loki's entries before a time.
  Result<void> loki_until(Timestamp time) {
    for (;;) {
      std::optional<std::size_t> earliest;
      Timestamp first = time;
      for (std::size_t i = 0; i < sides_.size(); ++i) {
        auto next = peek(sides_[i]);
        if (!next) return std::move(next).error();
        if (*next == nullptr || (*next)->timestamp >= first) continue;
        first = (*next)->timestamp;
        earliest = i;
      }
      if (!earliest) return {};
      if (auto done = hand_on_next(*earliest); !done || !wanted_) return done;
    }
  }

  // Loki's next entry, null at the end.
  Result<Record*> peek(Side& side) {
    while (side.next == side.page.records.size()) {
      if (side.done) return static_cast<Record*>(nullptr);
      side.page.clear();
      side.page.records.clear();
      side.next = 0;
      const metrics::Wait waits(source_.context_.driver, metrics::On::loki);
      auto more = side.pager.next(side.page);
      if (!more) return std::move(more).error();
      side.done = !*more;
    }
    return &side.page.records[side.next];
  }

  Result<void> hand_on_next(std::size_t index) {
    Side& side = sides_[index];
    return hand_on(index, side.page.records[side.next++], side.page, true);
  }

  Result<void> hand_on(std::size_t index, Record& record, Batch& batch, bool of_loki) {
    auto more = each_(index, record, batch, of_loki);
    if (!more) return std::move(more).error();
    wanted_ = *more;
    return {};
  }

  MergedSource& source_;
  const Each& each_;
  std::vector<Side> sides_;  // one for each question
  StoredAsPushed pushed_;
  std::optional<Timestamp> time_;  // of the spool's records that wait
  bool wanted_ = true;             // further records
};

Result<void> MergedSource::open() {
  auto config = spec_.loki;
  config.http.cancelled = [this] { return context_.stop != nullptr && context_.stop->stopped(); };
  auto client = loki::QueryClient::create(std::move(config), *context_.clock, *context_.diagnostics, context_.stop);
  if (!client) return std::move(client).error();
  client_ = std::move(*client);
  // A spool that cannot be opened is found here.
  auto scan = open_scan(spec_.range);
  return scan ? Result<void>() : Result<void>(std::move(scan).error());
}

Result<std::unique_ptr<scan::SpoolScan>> MergedSource::open_scan(const base::TimeRange& range) const {
  const std::vector<std::string> paths = {spec_.with_spool};
  auto scan = scan::SpoolScan::open(paths, std::string(), range, damage_);
  if (scan) (*scan)->set_limits(spec_.scan);
  return scan;
}

Result<void> MergedSource::read(std::vector<Question> questions, const Each& each, const base::Stop& stop) {
  if (questions.empty()) return {};
  base::TimeRange window = questions.front().window;
  for (const Question& question : questions) {
    window.from = std::min(window.from, question.window.from);
    window.to = std::max(window.to, question.window.to);
  }
  auto scan = open_scan(window);
  if (!scan) return std::move(scan).error();
  (*scan)->watch([&](const scan::SpoolScan::Work& work) {
    show_progress(work.done, work.all, work.done, shown());
    return !stop.stopped();
  });
  Merge merge(*this, std::move(questions), each);
  auto done = merge.run(**scan);
  progress_.end();
  note_damage();
  incomplete_.add(merge.incomplete());  // no time is read twice
  if (!done) return done;
  if (stop.stopped()) return base::fail(base::Code::interrupted, "interrupted while reading {}", spec_.with_spool);
  say_incomplete(merge.incomplete());
  return {};
}

void MergedSource::explain_nothing_in_both(const base::TimeRange& window) {
  const auto newest = newest_in_loki(*client_, spec_.logql, reach_of_explanation(window));
  if (newest && *newest && (**newest >= window.from || !is_in_spool())) {
    why_ = explain_nothing_in_loki(*client_, spec_.logql, window, context_.clock->wall());
    return;
  }
  const std::vector<std::string> paths = {spec_.with_spool};
  explain_nothing(paths, window, unreadable_.value());
}

bool MergedSource::is_in_spool() const {
  const auto parsed = logql::parse(spec_.logql, {.selector_optional = true});
  const auto* log = parsed ? scan::first_log_query(*parsed) : nullptr;
  if (log == nullptr) return false;
  const auto query = logql::LogQuery::compile(*log, {});
  const auto scan = open_scan({});
  if (!query || !scan) return false;
  const auto series = (*scan)->series();
  StoredAsPushed pushed;
  return series && std::ranges::any_of(*series, [&](const auto& set) { return query->selects(*pushed.labels(*set)); });
}

}  // namespace weir::stages
