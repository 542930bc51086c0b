#include "record/json.h"
#include "record/record.h"

#include <algorithm>
#include <cstring>

namespace weir::record {
namespace {

constexpr std::size_t kChunk = 256 << 10;
constexpr std::size_t kKeep = 1 << 20;  // memory a cleared batch holds on to

}  // namespace

struct Batch::Arena {
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size;
  };
  std::vector<Chunk> chunks;
  std::size_t current = 0;  // chunks before it are full
  std::size_t used = 0;     // of the current one
  std::size_t full = 0;     // bytes used in those before

  std::vector<LabelSetRef> held;
  std::vector<const LabelSet*> slots;  // open addressing over `held`, size a power of two
  const LabelSet* last = nullptr;

  char* allocate(std::size_t size) {
    const std::size_t start = (used + 7) & ~std::size_t{7};
    if (current < chunks.size() && start + size <= chunks[current].size) {
      used = start + size;
      return chunks[current].bytes.get() + start;
    }
    full += used;
    if (current < chunks.size() && used > 0) ++current;
    const auto unused = chunks.begin() + static_cast<std::ptrdiff_t>(current);
    const auto fits = std::find_if(unused, chunks.end(), [size](const Chunk& chunk) { return chunk.size >= size; });
    if (fits != chunks.end()) {
      std::iter_swap(unused, fits);  // smaller ones stay for what is smaller
    } else {
      // What none of them holds would go beside them: memory for both, of which one lies idle.
      if (size > kChunk) chunks.erase(unused, chunks.end());
      const std::size_t grown = std::max(size, kChunk);
      chunks.insert(chunks.begin() + static_cast<std::ptrdiff_t>(current), {std::make_unique_for_overwrite<char[]>(grown), grown});
    }
    used = size;
    return chunks[current].bytes.get();
  }

  void clear() {
    std::size_t total = 0;
    for (const Chunk& chunk : chunks) total += chunk.size;
    while (total > kKeep && !chunks.empty()) {
      total -= chunks.back().size;
      chunks.pop_back();
    }
    current = used = full = 0;
    held.clear();
    std::ranges::fill(slots, nullptr);
    last = nullptr;
  }

  // Whether `set` was not in yet.
  bool insert(const LabelSet* set) {
    if (slots.empty()) slots.resize(64);
    if (held.size() * 2 >= slots.size()) {
      std::vector<const LabelSet*> larger(slots.size() * 2);
      for (const LabelSetRef& reference : held) place(larger, reference.get());
      slots.swap(larger);
    }
    return place(slots, set);
  }
  static bool place(std::vector<const LabelSet*>& table, const LabelSet* set) {
    const std::size_t mask = table.size() - 1;
    for (std::size_t at = static_cast<std::size_t>(set->hash()) & mask;; at = (at + 1) & mask) {
      if (table[at] == set) return false;
      if (table[at] == nullptr) {
        table[at] = set;
        return true;
      }
    }
  }
};

Batch::Batch() : arena_(std::make_unique<Arena>()) {}
Batch::~Batch() = default;
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;

char* Batch::allocate(std::size_t size) { return arena_->allocate(size); }

void Batch::shrink(char* allocation, std::size_t used) {
  const auto& chunk = arena_->chunks[arena_->current];
  arena_->used = static_cast<std::size_t>(allocation - chunk.bytes.get()) + used;
}

std::string_view Batch::copy(std::string_view bytes) {
  if (bytes.empty()) return {};
  char* to = allocate(bytes.size());
  std::memcpy(to, bytes.data(), bytes.size());
  return {to, bytes.size()};
}

std::span<Label> Batch::allocate_labels(std::size_t count) {
  if (count == 0) return {};
  auto* labels = reinterpret_cast<Label*>(allocate(count * sizeof(Label)));
  std::uninitialized_default_construct_n(labels, count);
  return {labels, count};
}

const LabelSet* Batch::hold(const LabelSetRef& set) {
  const LabelSet* pointer = set.get();
  if (pointer == arena_->last) return pointer;
  if (arena_->insert(pointer)) arena_->held.push_back(set);
  return arena_->last = pointer;
}

Record& Batch::add_copy(const Record& other) {
  Record& record = records.emplace_back(other);
  record.labels = hold(other.labels != nullptr ? LabelSetRef::share(other.labels) : LabelSet::empty());
  record.line.data = copy(other.line.data);
  record.line.escaped = copy(other.line.escaped);
  const std::span<Label> metadata = allocate_labels(other.metadata.size());
  for (std::size_t i = 0; i < metadata.size(); ++i) metadata[i] = {copy(other.metadata[i].name), copy(other.metadata[i].value)};
  record.metadata = metadata;
  record.tenant = copy(other.tenant);
  record.raw = copy(other.raw);
  if (other.extra != nullptr) {
    auto* extra = make<Extra>();
    *extra = {copy(other.extra->unknown), copy(other.extra->rejected), copy(other.extra->parsed), copy(other.extra->value)};
    record.extra = extra;
  }
  if (other.marker != nullptr) {
    auto* marker = make<Marker>();
    *marker = *other.marker;
    marker->checkpoint = copy(other.marker->checkpoint);
    marker->log_key = copy(other.marker->log_key);
    marker->file.path = copy(other.marker->file.path);
    marker->positions = copy(other.marker->positions);
    record.marker = marker;
  }
  return record;
}

Marker& Batch::append_marker(Marker::Type type, const Source& source) {
  auto* marker = make<Marker>();
  marker->type = type;
  Record& record = records.emplace_back();
  record.labels = hold(LabelSet::empty());
  record.source = source;
  record.marker = marker;
  return *marker;
}

std::string_view Batch::line(Record& record) {
  if (record.line.decoded()) return record.line.data;
  const std::string_view escaped = record.line.data;
  char* to = allocate(escaped.size());
  const std::size_t size = unescape(to, escaped);
  shrink(to, size);
  record.line = {{to, size}, Text::Form::bytes, escaped};
  return record.line.data;
}

std::size_t Batch::bytes() const { return arena_->full + arena_->used; }

void Batch::clear() {
  records.clear();
  arena_->clear();
}

std::string_view find(std::span<const Label> metadata, std::string_view name) {
  for (const Label& pair : metadata) {
    if (pair.name == name) return pair.value;
  }
  return {};
}

void set_metadata(Batch& batch, Record& record, std::string_view name, std::string_view value) {
  std::size_t at = 0;
  while (at < record.metadata.size() && record.metadata[at].name != name) ++at;
  const std::span<Label> grown = batch.allocate_labels(std::max(record.metadata.size(), at + 1));
  std::ranges::copy(record.metadata, grown.begin());
  grown[at] = {at < record.metadata.size() ? record.metadata[at].name : batch.copy(name), batch.copy(value)};
  record.metadata = grown;
  record.touch();
}

}  // namespace weir::record
