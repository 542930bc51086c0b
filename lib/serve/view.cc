#include "serve/view.h"

#include "gotext/quantity.h"
#include "record/json.h"
#include "scan/record_counts.h"
#include "scan/unmatched.h"
#include "serve/level_counts.h"
#include "serve/level_of.h"
#include "serve/line_objects.h"
#include "serve/valid_text.h"
#include "spool/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::serve {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::TimeRange;
using record::Batch;
using record::json_string;
using record::Record;

struct ViewRequest {
  std::string text;
  logql::LogExpr query;
  TimeRange range;
  std::uint64_t limit = 0;
  bool backward = true;
  std::size_t buckets = 0;
};

// Where the blocks of the store begin; the start of the range where none has records before its end.
base::Timestamp oldest_of(const Call& call, const TimeRange& range) {
  base::Timestamp oldest = range.from;
  for (const std::string& path : call.spools()) {
    auto reader = spool::Reader::open(path);
    if (!reader) continue;  // the scan says why
    auto blocks = (*reader)->list({.time = {TimeRange::kBeginning, range.to}});
    if (!blocks) continue;
    for (const spool::BlockInfo& block : *blocks) oldest = std::min(oldest, block.min_timestamp);
  }
  return oldest;
}

Result<ViewRequest> view_request(const Call& call) {
  ViewRequest request;
  auto range = bounds_of(call.form(), call.now());
  if (!range) return std::move(range).error();
  request.range = *range;
  if (call.form().get("start").empty() && call.form().get("since").empty()) request.range.from = oldest_of(call, *range);
  if (range->to < range->from) return fail(Code::usage, "end timestamp must not be before or equal to start time");
  auto limit = limit_of(call.form(), "limit", 1000);
  if (!limit) return std::move(limit).error();
  request.limit = std::min(*limit, call.limits().view_lines);
  auto backward = is_backward(call.form());
  if (!backward) return std::move(backward).error();
  request.backward = *backward;
  const std::string_view buckets = call.form().get("buckets");
  auto number = buckets.empty() ? Result<std::int64_t>(60) : parse_number(buckets);
  if (!number) return std::move(number).error();
  request.buckets = static_cast<std::size_t>(std::clamp<std::int64_t>(*number, 0, 1000));
  request.text = call.form().get("query");
  // The page begins with {}, which is all there is; what Loki refuses to read, one spool has in a moment.
  auto query = parse_query(request.text, {.selector_optional = true});
  if (!query) return std::move(query).error();
  if (!query->is_log()) return fail(Code::usage, "cannot show a metric query as lines").with_hint("ask query_range");
  request.query = std::get<logql::LogExpr>(std::move(query->node));
  // What parsing does not find, such as a template that is none.
  if (auto compiled = logql::LogQuery::compile(request.query, request.text); !compiled) return std::move(compiled).error();
  return request;
}

// A part of the time that is read at once: the newest first, small ones first, so that the first lines come soon.
struct Slices {
  std::vector<TimeRange> times;
  std::uint64_t bytes = 0;  // of all blocks
};
Slices slices_of(const Call& call, const TimeRange& range) {
  constexpr std::uint64_t kFirst = 2 << 20, kMost = 64 << 20;  // bytes of blocks
  std::vector<spool::BlockInfo> blocks;
  for (const std::string& path : call.spools()) {
    auto reader = spool::Reader::open(path);
    if (!reader) continue;  // the scan says why
    if (auto listed = (*reader)->list({.time = range})) blocks.insert(blocks.end(), listed->begin(), listed->end());
  }
  std::ranges::sort(blocks, std::greater<>(), &spool::BlockInfo::min_timestamp);
  Slices slices;
  TimeRange rest = range;
  std::uint64_t bytes = 0, wanted = kFirst;
  for (const spool::BlockInfo& block : blocks) {
    bytes += block.body_bytes;
    slices.bytes += block.body_bytes;
    if (bytes < wanted || block.min_timestamp <= rest.from || block.min_timestamp >= rest.to) continue;
    slices.times.push_back({block.min_timestamp, rest.to});
    rest.to = block.min_timestamp;
    bytes = 0;
    wanted = std::min(2 * wanted, kMost);
  }
  slices.times.push_back(rest);
  return slices;
}

class View {
 public:
  View(Call& call, ViewRequest request)
      : call_(call),
        request_(std::move(request)),
        counts_(request_.range, request_.buckets),
        shown_(counts_),
        told_(call.shared().clock.monotonic()) {}

  void run() {
    call_.exchange().begin({.content_type = "application/x-ndjson"});
    auto done = request_.backward ? newest_first() : oldest_first();
    if (done && !ended()) done = count_the_rest();
    finish(done);
  }

 private:
  // Nobody reads, or the call is over.
  bool ended() { return unread_ || call_.over(); }
  // For what reads: once false, something is left unread.
  bool go_on() {
    cut_ = cut_ || ended();
    return !cut_;
  }

  Result<std::unique_ptr<scan::SpoolScan>> scan(const TimeRange& range) {
    auto scan = call_.scan(request_.query, range);
    if (!scan) return scan;
    (*scan)->watch([this, before = done_](const scan::Work& work) { return advance(before, work); });
    return scan;
  }

  // `before`: what was done when this part of the work began. False: no more is wanted.
  bool advance(std::uint64_t before, const scan::Work& work) {
    done_ = before + work.done;
    all_ = std::max(all_, before + work.all);
    tell();
    return go_on();
  }

  void tell() {
    constexpr base::Duration kEvery = base::kSecond / 4;
    const base::Monotonic now = call_.shared().clock.monotonic();
    if (now - told_ < kEvery) return;
    told_ = now;
    out_ += fmt::format("{{\"type\":\"progress\",\"done\":{},\"all\":{}}}\n", done_, all_);
    send();
  }

  void send() {
    replace_lone_surrogates(out_);
    if (!out_.empty() && !unread_) unread_ = !call_.exchange().write(std::move(out_));
    out_.clear();
  }

  void add_line(std::string& out, Record& record, Batch& batch, std::string_view level) {
    const std::uint64_t number = streams_.of(*record.labels, out_);
    fmt::format_to(std::back_inserter(out), "{{\"type\":\"line\",\"s\":{},", number);
    append_line_members(out, record, batch, level);
    out += "}\n";
    ++lines_;
  }

  Result<void> oldest_first() {
    auto scan = this->scan(request_.range);
    if (!scan) return std::move(scan).error();
    LevelCounts counts = counts_;
    constexpr std::size_t kPiece = 64 << 10;
    std::string line;
    auto read = (*scan)->run([&](Batch& batch) -> Result<bool> {
      for (Record& record : batch.records) {
        if (lines_ == request_.limit) {
          more_ = true;
          uncounted_ = request_.range;
          return false;
        }
        const std::string_view level = levels_.of(record, batch);
        counts.add(level, record.timestamp);
        line.clear();
        add_line(line, record, batch, level);
        out_ += line;
        if (out_.size() >= kPiece) send();
      }
      send();
      return go_on();
    });
    if (!read) return read;
    (more_ ? shown_ : counts_).add(counts);
    return {};
  }

  Result<void> newest_first() {
    const Slices slices = slices_of(call_, request_.range);
    all_ = slices.bytes;
    for (const TimeRange& slice : slices.times) {
      if (ended()) return {};
      if (more_) break;
      if (auto ok = show_slice(slice); !ok) return ok;
    }
    return {};
  }

  Result<void> show_slice(const TimeRange& slice) {
    auto scan = this->scan(slice);
    if (!scan) return std::move(scan).error();
    // One more than is wanted would not tell more: what is older is seen in the next slice.
    auto older = (*scan)->keep_newest(request_.limit - lines_);
    if (!older) return std::move(older).error();
    LevelCounts counts = shown_;
    counts.clear();
    std::string text;
    std::vector<std::size_t> ends;
    bool too_much = false;
    auto read = (*scan)->run([&](Batch& batch) -> Result<bool> {
      for (Record& record : batch.records) {
        const std::string_view level = levels_.of(record, batch);
        counts.add(level, record.timestamp);
        add_line(text, record, batch, level);
        ends.push_back(text.size());
      }
      too_much = text.size() > call_.limits().answer;
      return !too_much && go_on();
    });
    if (!read) return read;
    if (too_much) return too_large(call_);
    if (cut_) {
      // The newest of these may be missing: what is shown has no hole.
      lines_ -= ends.size();
      shown_.add(counts);
      return {};
    }
    send_reversed(text, ends);
    more_ = *older;
    if (more_) {
      shown_.add(counts);
      uncounted_ = {request_.range.from, slice.to};
    } else {
      counts_.add(counts);
      if (lines_ == request_.limit && slice.from > request_.range.from) {
        // Whether there are older ones is seen while they are counted.
        more_ = true;
        uncounted_ = {request_.range.from, slice.from};
        unsure_ = true;
      }
    }
    return {};
  }

  void send_reversed(const std::string& text, const std::vector<std::size_t>& ends) {
    constexpr std::size_t kPiece = 64 << 10;
    for (std::size_t i = ends.size(); i-- > 0 && !unread_;) {
      const std::size_t begin = i == 0 ? 0 : ends[i - 1];
      out_.append(text, begin, ends[i] - begin);
      if (out_.size() >= kPiece) send();
    }
    send();
  }

  // What the limit left out is counted, where a histogram is wanted.
  Result<void> count_the_rest() {
    if (!more_) return {};
    if (!counts_.counts()) return unsure_ ? look_for_older() : Result<void>();
    bool any = false;
    const auto watch = [this, before = done_](const scan::Work& work) { return advance(before, work); };
    auto read = scan::count_records(
        call_.spools(), request_.query,
        {.range = uncounted_, .cell = counts_.step(), .tenant = call_.tenant(), .limits = call_.scan_limits(), .watch = watch},
        [] { return [sets = std::make_shared<LevelSets>()](Record& record, Batch& batch) { return sets->of(record, batch); }; },
        call_.shared().diagnostics,
        [&](const scan::RecordCount& part) {
          counts_.add(part.key->get("level"), part.time, part.records);
          any = true;
        });
    if (unsure_) more_ = any;
    return read;
  }

  Result<void> look_for_older() {
    auto scan = this->scan(uncounted_);
    if (!scan) return std::move(scan).error();
    more_ = false;
    return (*scan)->run([&](Batch& batch) -> Result<bool> {
      more_ = more_ || !batch.records.empty();
      return !more_ && !ended();
    });
  }

  void finish(const Result<void>& done) {
    const auto instead = call_.when_over();
    if (done && call_.late()) {
      finish_in_part();
    } else if (!done || instead) {
      if (!done) call_.set_failed();
      out_ += fmt::format("{{\"type\":\"error\",\"message\":{}}}\n", json_string(done ? instead->body : done.error().message));
    } else {
      if (counts_.counts()) out_ += counts_.json() + '\n';
      out_ += fmt::format("{{\"type\":\"end\",\"lines\":{},\"more\":{}", lines_, more_);
      if (lines_ == 0) {
        if (const std::string why = explain(); !why.empty()) out_ += ",\"why\":" + json_string(why);
      }
      out_ += "}\n";
    }
    send();
    call_.exchange().end();
  }

  // The time was too short: shows what was read.
  void finish_in_part() {
    // What count_the_rest() has counted so far may lack some of the lines.
    counts_.raise(shown_);
    if (counts_.counts()) out_ += counts_.json(true) + '\n';
    const std::string why = fmt::format("not all was read within {}: choose a shorter time, or a selector that takes fewer streams",
                                        gotext::print_range_duration(call_.limits().time));
    out_ += fmt::format("{{\"type\":\"end\",\"lines\":{},\"more\":true,\"partial\":true,\"why\":{}}}\n", lines_, json_string(why));
  }

  std::string explain() {
    if (call_.spools().empty()) return "the spool holds no records";
    return scan::explain_nothing_in_spools(call_.spools(), request_.text, request_.range, call_.now(), call_.tenant());
  }

  Call& call_;
  const ViewRequest request_;
  LevelCounts counts_, shown_;  // shown_: of lines that count_the_rest() counts with all others of their time
  Levels levels_;
  StreamNumbers streams_;
  std::string out_;  // not sent yet
  std::uint64_t lines_ = 0;
  bool more_ = false, unsure_ = false;
  TimeRange uncounted_ = {0, 0};
  bool unread_ = false, cut_ = false;
  base::Monotonic told_;              // when progress was told last
  std::uint64_t done_ = 0, all_ = 0;  // bytes of blocks, about
};

}  // namespace

httpd::Response json_refusal(const base::Error& error) {
  std::string body = fmt::format("{{\"type\":\"error\",\"message\":{}", json_string(error.message));
  if (error.offset) {
    const std::string_view before = std::string_view(error.text).substr(0, std::min(*error.offset, error.text.size()));
    const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    const auto is_start = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; };
    body += fmt::format(",\"line\":{},\"col\":{}", 1 + std::ranges::count(before, '\n'),
                        1 + std::ranges::count_if(before.substr(line_start), is_start));
  }
  if (!error.hint.empty()) body += fmt::format(",\"hint\":{}", json_string(error.hint));
  return {.status = status_of(error), .body = body + "}\n", .content_type = "application/json; charset=UTF-8"};
}

std::optional<Answer> view(Call& call) {
  auto request = view_request(call);
  if (!request) return Answer(json_refusal(request.error()));
  View(call, std::move(*request)).run();
  return std::nullopt;
}

}  // namespace weir::serve
