#include "scan/sample_matcher.h"

#include <algorithm>
#include <cstring>

namespace weir::scan {

using logql::RangeVector;

namespace {

struct Bytes {
  double value;
  std::uint64_t samples;
  std::uint32_t range;
};

constexpr std::size_t kMostOpen = 64;  // series of one block, as a rule

}  // namespace

PackedSample PackedSample::of(const record::Record& record) {
  Bytes bytes;
  std::memcpy(&bytes, record.line.data.data(), sizeof bytes);
  return {bytes.range, {record.timestamp, record.labels, bytes.value, bytes.samples}};
}

SampleMatcher::SampleMatcher(std::unique_ptr<logql::MetricQuery> query) : query_(std::move(query)), latest_(query_->ranges()) {
  for (std::size_t range = 0; range < query_->ranges(); ++range) ranges_.push_back(&query_->range(range));
  combines_ = std::ranges::all_of(ranges_, &RangeVector::combines);
}

void SampleMatcher::begin() {
  for (auto& open : latest_) open.clear();
}

base::TimeRange SampleMatcher::cell_of(base::Timestamp time) const {
  base::TimeRange cell;
  for (const RangeVector* range : ranges_) {
    const base::TimeRange one = range->cell_of(time);
    cell = {std::max(cell.from, one.from), std::min(cell.to, one.to)};
  }
  return cell;
}

base::Timestamp SampleMatcher::cut(base::Timestamp time) const {
  if (!combines_ || time >= query_->reads().to) return time;
  const base::TimeRange cell = cell_of(time);
  return cell.from == time ? time : cell.to;
}

void SampleMatcher::add(std::uint32_t range, const RangeVector::Sample& sample, Matches& out) {
  Bytes bytes = {sample.value, sample.samples, range};
  std::vector<Open>& open = latest_[range];
  auto known = open.end();
  if (combines_) {
    known = std::ranges::find(open, sample.series, &Open::series);
    if (known != open.end() && known->cell == cell_.from) {
      Bytes sum;
      std::memcpy(&sum, known->bytes, sizeof sum);
      sum.value += bytes.value;
      sum.samples += bytes.samples;
      std::memcpy(known->bytes, &sum, sizeof sum);
      return;
    }
  }
  char* const at = out.made.allocate(sizeof bytes);
  std::memcpy(at, &bytes, sizeof bytes);
  record::Record record;
  record.timestamp = combines_ ? cell_.from : sample.time;
  record.labels = out.made.hold(record::LabelSetRef::share(sample.series));
  record.line = record::Text::bytes({at, sizeof bytes});
  record.sample = true;
  out.add_made(record);
  if (!combines_) return;
  if (known != open.end()) {
    *known = {sample.series, cell_.from, at};
  } else if (open.size() < kMostOpen) {
    open.push_back({sample.series, cell_.from, at});
  }
}

base::Result<void> SampleMatcher::take(record::Batch& block, std::uint32_t index, Matches& out) {
  record::Record& record = block.records[index];
  if (combines_ && !cell_.contains(record.timestamp)) cell_ = cell_of(record.timestamp);
  for (std::uint32_t range = 0; range < ranges_.size(); ++range) {
    auto sample = ranges_[range]->sample(record, block);
    if (!sample) return std::move(sample).error();
    if (*sample) add(range, **sample, out);
  }
  return {};
}

}  // namespace weir::scan
