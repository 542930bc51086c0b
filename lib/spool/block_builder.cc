#include "spool/block_builder.h"

#include "record/json.h"
#include "spool/body_form.h"
#include "spool/line_values.h"
#include "spool/wire.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace weir::spool {
namespace {

constexpr std::size_t kGrowth = 256;  // records, at least

std::uint64_t mix(std::uint64_t hash, std::string_view bytes) {
  // Only within one block of one process, so speed is all that counts.
  return (hash ^ std::hash<std::string_view>()(bytes)) * 0x9E3779B97F4A7C15;
}

template <typename Equal>
std::uint32_t* find_slot(std::vector<std::uint32_t>& slots, std::uint64_t hash, Equal&& equal) {
  const std::size_t mask = slots.size() - 1;
  for (std::size_t at = (hash ^ (hash >> 32)) & mask;; at = (at + 1) & mask) {
    if (slots[at] == 0 || equal(slots[at] - 1)) return &slots[at];
  }
}

std::uint64_t hash_stream(const record::LabelSet* labels, std::string_view tenant) {
  return tenant.empty() ? labels->hash() : mix(labels->hash(), tenant);
}

std::uint64_t hash_set(std::span<const record::Label> set) {
  std::uint64_t hash = set.size();
  for (const record::Label& label : set) hash = mix(mix(hash, label.name), label.value);
  return hash;
}

}  // namespace

BlockBuilder::BlockBuilder() { start_over(); }

void BlockBuilder::start_over() {
  line_bytes_ = 0;
  held_ = 0;
  streams_.clear();
  stream_slots_.assign(64, 0);
  sets_.assign(1, {});
  set_slots_.assign(64, 0);
  record_stream_.clear();
  record_set_.clear();
}

std::uint32_t BlockBuilder::stream_of(const record::Record& record) {
  if (!record_stream_.empty()) {
    const Stream& last = streams_[record_stream_.back()];
    if (last.labels == record.labels && last.tenant == record.tenant) return record_stream_.back();
  }
  const auto equal = [&](std::uint32_t index) {
    return streams_[index].labels == record.labels && streams_[index].tenant == record.tenant;
  };
  std::uint32_t* slot = find_slot(stream_slots_, hash_stream(record.labels, record.tenant), equal);
  if (*slot != 0) return *slot - 1;

  const auto index = static_cast<std::uint32_t>(streams_.size());
  const record::LabelSet* labels = batch_.hold(record::LabelSetRef::share(record.labels));
  streams_.push_back({labels, batch_.copy(record.tenant), 0, 0, 0, record.timestamp, record.timestamp});
  *slot = index + 1;
  if (streams_.size() * 2 > stream_slots_.size()) {
    stream_slots_.assign(stream_slots_.size() * 2, 0);
    for (std::uint32_t i = 0; i < streams_.size(); ++i) {
      *find_slot(stream_slots_, hash_stream(streams_[i].labels, streams_[i].tenant), [](std::uint32_t) { return false; }) = i + 1;
    }
  }
  return index;
}

std::uint32_t BlockBuilder::set_of(std::span<const record::Label> metadata, std::uint32_t guess) {
  if (metadata.empty()) return 0;
  if (std::ranges::equal(metadata, sets_[guess])) return guess;
  const auto equal = [&](std::uint32_t index) { return std::ranges::equal(metadata, sets_[index]); };
  std::uint32_t* slot = find_slot(set_slots_, hash_set(metadata), equal);
  if (*slot != 0) return *slot - 1;

  const std::span<record::Label> copy = batch_.allocate_labels(metadata.size());
  for (std::size_t i = 0; i < copy.size(); ++i) copy[i] = {batch_.copy(metadata[i].name), batch_.copy(metadata[i].value)};
  sets_.emplace_back(copy);
  *slot = static_cast<std::uint32_t>(sets_.size());
  const std::uint32_t index = *slot - 1;
  if (sets_.size() * 2 > set_slots_.size()) {
    set_slots_.assign(set_slots_.size() * 2, 0);
    for (std::uint32_t i = 1; i < sets_.size(); ++i) {
      *find_slot(set_slots_, hash_set(sets_[i]), [](std::uint32_t) { return false; }) = i + 1;
    }
  }
  return index;
}

void BlockBuilder::add(const record::Record& record) {
  const std::uint32_t stream_index = stream_of(record);
  Stream& stream = streams_[stream_index];
  const std::uint32_t set = set_of(record.metadata, stream.last_set);

  // As many as the last block had, or in small steps: doubling would take up to twice the needed memory in each batch.
  auto& records = batch_.records;
  if (records.size() == records.capacity()) records.reserve(std::max(last_records_, records.size() + records.size() / 8) + kGrowth);
  record::Record& copy = records.emplace_back();
  copy.timestamp = record.timestamp;
  copy.labels = stream.labels;
  copy.tenant = stream.tenant;
  copy.metadata = sets_[set];
  copy.held = record.held;
  copy.invalid = record.invalid;
  if (record.line.decoded()) {
    copy.line = {batch_.copy(record.line.data), record.line.form};
  } else {
    char* bytes = batch_.allocate(record.line.data.size());
    const std::size_t size = record::unescape(bytes, record.line.data);
    batch_.shrink(bytes, size);
    copy.line = record::Text::bytes({bytes, size});
  }
  if (record.extra != nullptr && !(record.extra->unknown.empty() && record.extra->rejected.empty())) {
    auto* extra = batch_.make<record::Extra>();
    extra->unknown = batch_.copy(record.extra->unknown);
    extra->rejected = batch_.copy(record.extra->rejected);
    copy.extra = extra;
  }

  const std::size_t size = copy.line.data.size();
  stream.last_set = set;
  ++stream.records;
  stream.line_bytes += size;
  stream.min = std::min(stream.min, record.timestamp);
  stream.max = std::max(stream.max, record.timestamp);
  line_bytes_ += size;
  held_ += record.held ? 1 : 0;
  record_stream_.push_back(stream_index);
  record_set_.push_back(set);
}

void BlockBuilder::pack_streams(std::string& out) {
  section_.clear();
  wire::put_varint(section_, streams_.size());
  base::Timestamp previous = 0;
  for (const Stream& stream : streams_) {
    wire::put_bytes(section_, stream.tenant);
    wire::put_varint(section_, stream.labels->size());
    for (const record::Label& label : stream.labels->labels()) {
      wire::put_bytes(section_, label.name);
      wire::put_bytes(section_, label.value);
    }
    wire::put_varint(section_, stream.records);
    wire::put_varint(section_, stream.line_bytes);
    wire::put_signed(section_, wire::difference(stream.min, previous));
    wire::put_varint(section_, static_cast<std::uint64_t>(wire::difference(stream.max, stream.min)));
    previous = stream.min;
  }
  out.clear();
  out.push_back(static_cast<char>(kStreamsForm));
  wire::put_varint(out, section_.size());
  compressor_->append(out, section_);
}

void BlockBuilder::put_column(std::string& out) {
  constexpr std::size_t kFrame = 9;  // what a zstd frame costs at least
  wire::put_varint(out, section_.size());
  if (!section_.empty()) {
    frame_.clear();
    if (section_.size() > kFrame) compressor_->append(frame_, section_);
    if (!frame_.empty() && frame_.size() < section_.size()) {
      wire::put_bytes(out, frame_);
    } else {
      wire::put_varint(out, 0);
      out += section_;
    }
  }
  section_.clear();
}

void BlockBuilder::put_times(std::string& out) {
  std::vector<std::uint64_t> differences;
  differences.reserve(records());
  std::size_t next = 0;
  for (const Stream& stream : streams_) {
    base::Timestamp previous = stream.min;
    for (const std::size_t end = next + stream.records; next < end; ++next) {
      const base::Timestamp time = batch_.records[grouped_[next]].timestamp;
      differences.push_back(wire::zigzag(wire::difference(time, previous)));
      previous = time;
    }
  }
  put_planes(out, differences);
}

// Eight columns.
void BlockBuilder::put_planes(std::string& out, std::span<const std::uint64_t> numbers) {
  std::uint64_t all = 0;
  for (const std::uint64_t number : numbers) all |= number;
  for (int shift = 0; shift < 64; shift += 8) {
    if ((all >> shift & 0xff) != 0) {
      for (const std::uint64_t number : numbers) section_.push_back(static_cast<char>(number >> shift));
    }
    put_column(out);
  }
}

// Sets are numbered as they are used on the way through the streams, so that a new one needs no number.
void BlockBuilder::put_sets(std::string& out) {
  std::string choices;
  std::string known;
  std::vector<std::uint32_t> numbers(sets_.size(), 0);  // 0: not used
  std::vector<std::uint32_t> used;                      // in the order of their numbers
  struct Had {
    std::uint32_t stream = 0, rank = 0;  // the latest stream that had the set, from 1
  };
  std::vector<Had> had(sets_.size());
  std::size_t next = 0;
  for (std::uint32_t index = 0; sets_.size() > 1 && index < streams_.size(); ++index) {
    std::uint32_t ranks = 0;
    for (const std::size_t end = next + streams_[index].records; next < end; ++next) {
      const std::uint32_t set = record_set_[grouped_[next]];
      if (had[set].stream == index + 1) {
        wire::put_varint(choices, kHad + had[set].rank);
        continue;
      }
      had[set] = {index + 1, ranks++};
      if (set != 0 && numbers[set] == 0) {
        used.push_back(set);
        numbers[set] = static_cast<std::uint32_t>(used.size());
        wire::put_varint(choices, kNew);
      } else {
        wire::put_varint(choices, kKnown);
        wire::put_varint(known, numbers[set]);
      }
    }
  }

  std::unordered_map<std::string_view, std::uint32_t> strings;
  std::string sets;
  wire::put_varint(sets, used.size());
  const auto number_of = [&](std::string_view text) {
    const auto [at, added] = strings.try_emplace(text, static_cast<std::uint32_t>(strings.size()));
    if (added) wire::put_bytes(section_, text);
    return at->second;
  };
  for (const std::uint32_t set : used) {
    wire::put_varint(sets, sets_[set].size());
    for (const record::Label& label : sets_[set]) {
      wire::put_varint(sets, number_of(label.name));
      wire::put_varint(sets, number_of(label.value));
    }
  }
  put_column(out);
  for (std::string* column : {&sets, &choices, &known}) {
    section_.swap(*column);
    put_column(out);
  }
}

void BlockBuilder::put_columns(std::string& out, bool lengths) {
  const std::vector<record::Record>& records = batch_.records;
  section_.clear();
  const int width = order_width(streams_.size());
  for (const std::uint32_t stream : record_stream_) {
    for (int byte = 0; byte < width; ++byte) section_.push_back(static_cast<char>(stream >> (8 * byte)));
  }
  put_column(out);

  if (lengths) {
    for (const std::uint32_t ordinal : grouped_) wire::put_varint(section_, records[ordinal].line.data.size());
  }
  put_column(out);

  put_times(out);

  bool extras = false;
  for (const std::uint32_t ordinal : grouped_) {
    const record::Record& record = records[ordinal];
    int flags =
        (record.held ? kHeld : 0) | (record.invalid ? kInvalid : 0) | (record.line.form == record::Text::Form::clean ? kClean : 0);
    if (record.extra != nullptr) {
      extras = true;
      flags |= (record.extra->unknown.empty() ? 0 : kUnknown) | (record.extra->rejected.empty() ? 0 : kRejected);
    }
    section_.push_back(static_cast<char>(flags));
  }
  put_column(out);

  put_sets(out);

  if (extras) {
    for (const std::uint32_t ordinal : grouped_) {
      const record::Extra* extra = records[ordinal].extra;
      if (extra == nullptr) continue;
      if (!extra->unknown.empty()) wire::put_bytes(section_, extra->unknown);
      if (!extra->rejected.empty()) wire::put_bytes(section_, extra->rejected);
    }
  }
  put_column(out);
}

void BlockBuilder::pack(PackedBlock& packed, Effort effort) {
  auto& compressor = compressors_[static_cast<std::size_t>(effort)];
  if (!compressor) compressor.emplace(effort);
  compressor_ = &*compressor;
  packed.info = BlockInfo{};
  packed.info.records = records();
  packed.info.held = held_;
  packed.info.line_bytes = line_bytes_;
  packed.streams.clear();
  packed.body.clear();
  if (empty()) return;

  packed.info.min_timestamp = std::ranges::min(streams_, {}, &Stream::min).min;
  packed.info.max_timestamp = std::ranges::max(streams_, {}, &Stream::max).max;

  starts_.assign(streams_.size(), 0);
  for (std::size_t i = 1; i < streams_.size(); ++i) starts_[i] = starts_[i - 1] + streams_[i - 1].records;
  grouped_.resize(records());
  for (std::uint32_t ordinal = 0; ordinal < records(); ++ordinal) grouped_[starts_[record_stream_[ordinal]]++] = ordinal;

  pack_streams(packed.streams);
  const auto has_newline = [](const record::Record& record) { return record.line.data.find('\n') != std::string_view::npos; };
  const bool lengths = std::ranges::any_of(batch_.records, has_newline);
  const std::size_t size = line_bytes_ + (lengths ? 0 : records());
  const auto lines = std::make_unique_for_overwrite<char[]>(size);
  char* to = lines.get();
  for (const std::uint32_t ordinal : grouped_) {
    const std::string_view line = batch_.records[ordinal].line.data;
    if (!line.empty()) std::memcpy(to, line.data(), line.size());
    to += line.size();
    if (!lengths) *to++ = '\n';
  }

  LineValues values;
  const std::size_t left = effort == Effort::fast ? size : take_values(lines.get(), size, streams_.front().min, values);
  packed.body.push_back(static_cast<char>(left < size ? kValuesForm : kPlainForm));
  wire::put_varint(packed.body, size);
  if (left < size) wire::put_varint(packed.body, left);
  put_columns(packed.body, lengths);
  if (left < size) {
    section_.swap(values.ids);
    put_column(packed.body);
    section_.swap(values.ids);
    put_planes(packed.body, values.times);
  }
  compressor_->append(packed.body, {lines.get(), left});
  packed.info.body_bytes = packed.body.size();
}

void BlockBuilder::give(record::Batch fresh) {
  if (empty()) take(std::move(fresh));
}

record::Batch BlockBuilder::take(record::Batch fresh) {
  fresh.records.clear();
  fresh.clear();
  if (!empty()) last_records_ = batch_.records.size();
  std::swap(batch_, fresh);
  start_over();
  return fresh;
}

}  // namespace weir::spool
