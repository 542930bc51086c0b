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

void SampleMatcher::begin() {
  for (auto& open : latest_) open.clear();
}

void SampleMatcher::add(std::uint32_t range, const RangeVector::Sample& sample, Matches& out) {
  Bytes bytes = {sample.value, sample.samples, range};
  std::vector<Open>& open = latest_[range];
  const bool combines = query_->range(range).combines();
  const RangeVector::Points points = combines ? query_->range(range).points_of(sample.time) : RangeVector::Points();
  auto known = open.end();
  if (combines) {
    known = std::ranges::find(open, sample.series, &Open::series);
    if (known != open.end() && known->points == points) {
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
  record.timestamp = sample.time;
  record.labels = out.made.hold(record::LabelSetRef::share(sample.series));
  record.line = record::Text::bytes({at, sizeof bytes});
  record.sample = true;
  out.add_made(record);
  if (!combines) return;
  if (known != open.end()) {
    *known = {sample.series, points, at};
  } else if (open.size() < kMostOpen) {
    open.push_back({sample.series, points, at});
  }
}

base::Result<void> SampleMatcher::take(record::Batch& block, std::uint32_t index, Matches& out) {
  for (std::uint32_t range = 0; range < query_->ranges(); ++range) {
    record::Record& record = block.records[index];
    auto sample = query_->range(range).sample(record, block);
    if (!sample) return std::move(sample).error();
    if (*sample) add(range, **sample, out);
  }
  return {};
}

}  // namespace weir::scan
