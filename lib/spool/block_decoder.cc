#include "spool/block_decoder.h"

#include "spool/body_form.h"
#include "spool/line_values.h"
#include "spool/wire.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

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
  if (head.byte() != kStreamsForm) return damaged("stream list");
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

base::Result<void> BlockDecoder::read_sets(std::string_view of_strings, std::string_view of_sets, record::Batch& batch) {
  wire::Cursor strings(of_strings);
  strings_.clear();
  while (strings.left() > 0) strings_.push_back(strings.bytes());
  wire::Cursor sets(of_sets);
  const std::uint64_t count = sets.varint();
  if (strings.failed() || count > sets.left()) return damaged("body");
  sets_.assign(1, {});
  for (std::uint64_t i = 0; i < count; ++i) {
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
  return {};
}

char* BlockDecoder::Room::of(std::size_t wanted) {
  if (size < wanted) {
    bytes.reset();
    bytes = std::make_unique_for_overwrite<char[]>(wanted);
    size = wanted;
  }
  return bytes.get();
}

bool BlockDecoder::unpack_column(const PackedColumn& column, char* to) {
  if (column.size == 0) return true;
  if (!column.stored) return decompressor_.read(column.bytes, to, column.size);
  std::memcpy(to, column.bytes.data(), column.size);
  return true;
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
    wanted_[i] = options.range.touches(streams[i].min_timestamp, streams[i].max_timestamp) &&
                 (!options.stream || options.stream(streams[i]));
    any = any || wanted_[i] != 0;
  }
  if (total != expected) return damaged("stream list");
  if (!any) return {};

  wire::Cursor head(body);
  const std::uint8_t form = head.byte();
  if (form != kPlainForm && form != kValuesForm) return damaged("body");
  const std::uint64_t lines_size = head.varint();
  const std::uint64_t left = form == kValuesForm ? head.varint() : lines_size;
  std::array<PackedColumn, kColumns> packed;
  const std::size_t packed_columns = form == kValuesForm ? kColumns : kPlainColumns;
  std::uint64_t columns_size = 0, values_size = 0;
  for (std::size_t i = 0; i < packed_columns; ++i) {
    PackedColumn& column = packed[i];
    column.size = head.varint();
    if (column.size > kMaxUnpacked) return damaged("body");
    (i < kPlainColumns ? columns_size : values_size) += column.size;
    if (column.size == 0) continue;
    const std::uint64_t frame = head.varint();
    column.stored = frame == 0;
    column.bytes = head.take(column.stored ? column.size : frame);
  }
  if (head.failed() || columns_size > kMaxUnpacked || values_size > kMaxUnpacked || lines_size > kMaxUnpacked || left > lines_size)
    return damaged("body");

  std::array<std::string_view, kColumns> column;
  const auto unpack = [&](std::size_t first, std::size_t end, char* to) {
    for (std::size_t i = first; i < end; ++i) {
      column[i] = {to, packed[i].size};
      if (!unpack_column(packed[i], to)) return false;
      to += packed[i].size;
    }
    return true;
  };
  NeedleSearch needles(options.lines ? options.needles : std::span<const Needles>());
  // Where few lines are wanted, the rest does not come into the batch.
  const bool picks = options.lines && !options.needles.empty();
  char* const lines = !options.lines ? nullptr : picks || options.lent ? lines_.of(lines_size) : batch.allocate(lines_size);
  char* const packed_lines = options.lines ? lines + (lines_size - left) : nullptr;
  if (options.lines && !decompressor_.read(head.take(head.left()), packed_lines, left)) return damaged("body");
  if (options.lines && form == kValuesForm) {
    if (!needles.possible({packed_lines, left})) return {};
    scratch_.resize(values_size);
    if (!unpack(kPlainColumns, kColumns, scratch_.data())) return damaged("body");
    wire::Planes times;
    std::copy(column.begin() + kLineTimes, column.begin() + kLineTimesEnd, times.begin());
    if (!put_values_back(lines, lines_size, left, column[kIds], times, streams.front().min_timestamp)) return damaged("body");
  }
  if (picks && !needles.begin({lines, lines_size})) return {};
  // Strings and extra keys are views into them.
  if (!unpack(0, kPlainColumns, options.lent ? columns_.of(columns_size) : batch.allocate(columns_size))) return damaged("body");

  const std::string_view order = column[kOrder];
  const std::string_view flags = column[kFlags];
  const auto width = static_cast<std::size_t>(order_width(streams.size()));
  if (order.size() != width * expected || flags.size() != expected) return damaged("body");
  wire::Planes times;
  std::copy(column.begin() + kTimes, column.begin() + kTimesEnd, times.begin());
  for (const std::string_view plane : times) {
    if (!plane.empty() && plane.size() != expected) return damaged("body");
  }
  if (auto read = read_sets(column[kStrings], column[kSets], batch); !read) return read;

  wire::Cursor lengths(column[kLengths]);
  const bool separated = column[kLengths].empty();
  wire::Cursor choices(column[kChoices]);
  wire::Cursor known(column[kKnownSets]);
  wire::Cursor extras(column[kExtra]);
  cells_.resize(expected);
  std::uint64_t offset = 0;
  std::size_t next = 0;
  std::uint32_t newest_set = 0;
  for (std::size_t index = 0; index < streams.size(); ++index) {
    const StreamInfo& stream = streams[index];
    had_.clear();
    base::Timestamp time = stream.min_timestamp;
    for (const std::size_t end = next + stream.records; next < end; ++next) {
      Cell& cell = cells_[next];
      time = wire::sum(time, wire::from_zigzag(wire::number_at(times, next)));
      cell.time = time;
      cell.offset = offset;
      std::uint64_t length = 0;
      if (!options.lines) {
        // None.
      } else if (separated) {
        const void* newline = offset < lines_size ? std::memchr(lines + offset, '\n', lines_size - offset) : nullptr;
        if (newline == nullptr) return damaged("body");
        length = static_cast<std::uint64_t>(static_cast<const char*>(newline) - lines) - offset;
      } else {
        length = lengths.varint();
      }
      if (length > lines_size - offset || length > std::numeric_limits<std::uint32_t>::max()) return damaged("body");
      cell.length = static_cast<std::uint32_t>(length);
      cell.wanted = wanted_[index] != 0 && options.range.contains(time) && needles.wanted(offset, length);
      offset += length + (separated ? 1 : 0);
      cell.flags = static_cast<std::uint8_t>(flags[next]);
      cell.set = 0;
      if (sets_.size() > 1) {
        const std::uint64_t choice = choices.varint();
        if (choice < kHad) {
          const std::uint64_t number = choice == kNew ? ++newest_set : known.varint();
          if (number >= sets_.size()) return damaged("body");
          had_.push_back(static_cast<std::uint32_t>(number));
          cell.set = had_.back();
        } else {
          if (choice - kHad >= had_.size()) return damaged("body");
          cell.set = had_[choice - kHad];
        }
      }
      cell.extra = nullptr;
      if ((cell.flags & (kUnknown | kRejected)) != 0) {
        auto* extra = batch.make<record::Extra>();
        if ((cell.flags & kUnknown) != 0) extra->unknown = extras.bytes();
        if ((cell.flags & kRejected) != 0) extra->rejected = extras.bytes();
        cell.extra = extra;
      }
    }
  }
  if (!choices.complete() || !known.complete() || !extras.complete()) return damaged("body");
  if (options.lines && (!lengths.complete() || offset != lines_size)) return damaged("body");

  std::vector<const record::LabelSet*> labels(streams.size());
  std::vector<std::string_view> tenants(streams.size());
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (wanted_[i] == 0) continue;
    labels[i] = batch.hold(streams[i].labels);
    tenants[i] = batch.copy(streams[i].tenant);
  }
  const auto count = static_cast<std::size_t>(std::ranges::count_if(cells_, &Cell::wanted));
  // At once: growing by doubling takes three times the memory for a moment. One more for the marker that may follow.
  batch.records.reserve(batch.records.size() + count + 1);
  ordinals.reserve(ordinals.size() + count);
  for (std::uint32_t ordinal = 0; ordinal < expected; ++ordinal) {
    std::size_t stream = 0;
    for (std::size_t byte = 0; byte < width; ++byte)
      stream |= static_cast<std::size_t>(static_cast<unsigned char>(order[ordinal * width + byte])) << (8 * byte);
    if (stream >= streams.size()) return damaged("body");
    const std::uint32_t at = starts_[stream]++;
    if (at >= expected) return damaged("body");
    const Cell& cell = cells_[at];
    if (!cell.wanted) continue;
    record::Record& record = batch.records.emplace_back();
    record.timestamp = cell.time;
    record.labels = labels[stream];
    record.tenant = tenants[stream];
    std::string_view line = options.lines ? std::string_view(lines + cell.offset, cell.length) : std::string_view();
    if (picks && !options.lent) line = batch.copy(line);
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
