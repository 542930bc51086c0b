#include "spool/block_decoder.h"

#include "spool/body_form.h"
#include "spool/wire.h"

#include <algorithm>

namespace weir::spool {
namespace {

// Bounds on what a damaged number can make us allocate; far above what a buffer writes.
constexpr std::uint64_t kMaxUnpacked = 1ULL << 30;
constexpr std::uint64_t kMaxStreams = 1ULL << 24;

base::Error damaged(std::string_view what) { return base::fail(base::Code::corrupt, "cannot read block: its {} is damaged", what); }

}  // namespace

base::Result<std::vector<StreamInfo>> BlockDecoder::streams(std::string_view packed) {
  wire::Cursor head(packed);
  if (packed.empty()) return std::vector<StreamInfo>{};
  if (head.byte() != kBodyForm) return damaged("stream list");
  const std::uint64_t size = head.varint();
  if (head.failed() || size > kMaxUnpacked) return damaged("stream list");
  scratch_.resize(size);
  if (!decompressor_.read(head.take(head.left()), scratch_.data(), size)) return damaged("stream list");

  wire::Cursor cursor(scratch_);
  const std::uint64_t count = cursor.varint();
  if (count > std::min<std::uint64_t>(kMaxStreams, cursor.left())) return damaged("stream list");
  std::vector<StreamInfo> streams(count);
  std::vector<record::Label> labels;
  base::Timestamp previous = 0;
  for (StreamInfo& stream : streams) {
    stream.tenant = cursor.bytes();
    const std::uint64_t size_of_set = cursor.varint();
    if (size_of_set > cursor.left()) return damaged("stream list");
    labels.resize(size_of_set);
    for (record::Label& label : labels) {
      label.name = cursor.bytes();
      label.value = cursor.bytes();
    }
    stream.labels = record::LabelSet::intern(labels);
    stream.records = static_cast<std::uint32_t>(cursor.varint());
    stream.line_bytes = cursor.varint();
    stream.min_timestamp = wire::sum(previous, cursor.signed_varint());
    stream.max_timestamp = wire::sum(stream.min_timestamp, static_cast<std::int64_t>(cursor.varint()));
    previous = stream.min_timestamp;
  }
  if (!cursor.complete()) return damaged("stream list");
  return streams;
}

base::Result<void> BlockDecoder::records(std::string_view body, std::span<const StreamInfo> streams, std::uint32_t expected,
                                         const LoadOptions& options, record::Batch& batch, std::vector<std::uint32_t>& ordinals) {
  wanted_.assign(streams.size(), 1);
  starts_.assign(streams.size(), 0);
  bool any = false;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    starts_[i] = static_cast<std::uint32_t>(total);
    total += streams[i].records;
    wanted_[i] = options.range.touches(streams[i].min_timestamp, streams[i].max_timestamp) && (!options.stream || options.stream(streams[i]));
    any = any || wanted_[i] != 0;
  }
  if (total != expected) return damaged("stream list");
  if (!any) return {};

  wire::Cursor head(body);
  if (head.byte() != kBodyForm) return damaged("body");
  const std::uint64_t packed_columns = head.varint();
  const std::uint64_t columns_size = head.varint();
  const std::uint64_t lines_size = head.varint();
  const std::string_view columns_frame = head.take(packed_columns);
  if (head.failed() || columns_size > kMaxUnpacked || lines_size > kMaxUnpacked) return damaged("body");

  char* lines = batch.allocate(lines_size);
  if (!decompressor_.read(head.take(head.left()), lines, lines_size)) return damaged("body");
  if (options.lines && !options.lines({lines, lines_size})) {
    batch.shrink(lines, 0);
    return {};
  }
  // In memory of the batch: strings and extra keys are views into it.
  char* columns = batch.allocate(columns_size);
  if (!decompressor_.read(columns_frame, columns, columns_size)) return damaged("body");

  wire::Cursor cursor({columns, columns_size});
  const std::string_view order = cursor.bytes();
  wire::Cursor times(cursor.bytes());
  wire::Cursor lengths(cursor.bytes());
  const std::string_view flags = cursor.bytes();
  wire::Cursor strings(cursor.bytes());
  wire::Cursor sets(cursor.bytes());
  wire::Cursor set_numbers(cursor.bytes());
  wire::Cursor extras(cursor.bytes());
  const auto width = static_cast<std::size_t>(order_width(streams.size()));
  if (cursor.failed() || order.size() != width * expected || flags.size() != expected) return damaged("body");

  strings_.clear();
  while (strings.left() > 0) strings_.push_back(strings.bytes());
  const std::uint64_t set_count = sets.varint();
  if (strings.failed() || set_count > sets.left()) return damaged("body");
  sets_.assign(1, {});
  for (std::uint64_t i = 0; i < set_count; ++i) {
    const std::uint64_t pairs = sets.varint();
    if (pairs > sets.left()) return damaged("body");
    const std::span<record::Label> set = batch.allocate_labels(pairs);
    for (record::Label& label : set) {
      const std::uint64_t name = sets.varint();
      const std::uint64_t value = sets.varint();
      if (name >= strings_.size() || value >= strings_.size()) return damaged("body");
      label = {strings_[name], strings_[value]};
    }
    sets_.emplace_back(set);
  }
  if (!sets.complete()) return damaged("body");

  cells_.resize(expected);
  std::uint64_t offset = 0;
  std::size_t next = 0;
  for (const StreamInfo& stream : streams) {
    base::Timestamp time = stream.min_timestamp;
    for (const std::size_t end = next + stream.records; next < end; ++next) {
      Cell& cell = cells_[next];
      time = wire::sum(time, times.signed_varint());
      const std::uint64_t length = lengths.varint();
      cell.time = time;
      cell.offset = offset;
      cell.length = static_cast<std::uint32_t>(length);
      cell.flags = static_cast<std::uint8_t>(flags[next]);
      const std::uint64_t set = set_count > 0 ? set_numbers.varint() : 0;
      if (length > lines_size - offset || set > set_count) return damaged("body");
      cell.set = static_cast<std::uint32_t>(set);
      offset += length;
      cell.extra = nullptr;
      if ((cell.flags & (kUnknown | kRejected)) != 0) {
        auto* extra = batch.make<record::Extra>();
        if ((cell.flags & kUnknown) != 0) extra->unknown = extras.bytes();
        if ((cell.flags & kRejected) != 0) extra->rejected = extras.bytes();
        cell.extra = extra;
      }
    }
  }
  if (!times.complete() || !lengths.complete() || !extras.complete() || !set_numbers.complete() || offset != lines_size) return damaged("body");

  std::vector<const record::LabelSet*> labels(streams.size());
  std::vector<std::string_view> tenants(streams.size());
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (wanted_[i] == 0) continue;
    labels[i] = batch.hold(streams[i].labels);
    tenants[i] = batch.copy(streams[i].tenant);
  }
  std::size_t count = 0;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (wanted_[i] == 0) continue;
    const auto first = cells_.begin() + starts_[i];
    count += static_cast<std::size_t>(std::count_if(first, first + streams[i].records, [&](const Cell& cell) { return options.range.contains(cell.time); }));
  }
  // At once: growing by doubling takes three times the memory for a moment. One more for the marker that may follow.
  batch.records.reserve(batch.records.size() + count + 1);
  ordinals.reserve(ordinals.size() + count);
  for (std::uint32_t ordinal = 0; ordinal < expected; ++ordinal) {
    std::size_t stream = 0;
    for (std::size_t byte = 0; byte < width; ++byte) stream |= static_cast<std::size_t>(static_cast<unsigned char>(order[ordinal * width + byte])) << (8 * byte);
    if (stream >= streams.size()) return damaged("body");
    const std::uint32_t at = starts_[stream]++;
    if (at >= expected) return damaged("body");
    const Cell& cell = cells_[at];
    if (wanted_[stream] == 0 || !options.range.contains(cell.time)) continue;
    record::Record& record = batch.records.emplace_back();
    record.timestamp = cell.time;
    record.labels = labels[stream];
    record.tenant = tenants[stream];
    const std::string_view line(lines + cell.offset, cell.length);
    record.line = {line, (cell.flags & kClean) != 0 ? record::Text::Form::clean : record::Text::Form::bytes};
    record.metadata = sets_[cell.set];
    record.extra = cell.extra;
    record.held = (cell.flags & kHeld) != 0;
    record.invalid = (cell.flags & kInvalid) != 0;
    ordinals.push_back(ordinal);
  }
  return {};
}

}  // namespace weir::spool
